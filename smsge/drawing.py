"""How pictures look: colours, letters, and a sheet with a headline; matplotlib without the state of pyplot.

Figures are made within `matplotlib.rc_context(STYLE)`.
"""

import io
import textwrap
import warnings
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.typing import RcKeyType

DPI = 120
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's, which all kinds of colour vision tell apart, and grey in place of their yellow, pale on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, FAINT = "#222222", "#d9d9d9"
STYLE: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # names are the user's: a dollar in them begins no formula
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}

LONGEST_NAME = 14
"""Letters of a person's name that a picture has room for."""


def sheet(size: tuple[float, float], headline: str, below: str, *, compress: bool = False) -> Figure:
    """An empty figure of (width, height) inches under its headline and, smaller, `below`.

    compress: close the gaps that axes of a fixed aspect leave.
    """
    width, height = size
    headline, below = textwrap.fill(headline, int(8 * width)), textwrap.fill(below, int(14 * width))
    above = 0.05 + 0.22 * (headline.count("\n") + 1)
    head = 0.23 + above + 0.19 * (below.count("\n") + 1)
    figure = Figure(figsize=(width, height + head), dpi=DPI, facecolor="white")
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, height / (height + head)), compress=compress))
    top = 1 - 0.1 / (height + head)
    figure.text(0.1 / width, top, headline, va="top", fontsize=13, fontweight="bold")
    figure.text(0.1 / width, top - above / (height + head), below, va="top", fontsize=9, color="#555555")
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG."""
    content = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context(STYLE):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script the font has not: boxes
        figure.savefig(content, format="png")
    return content.getvalue()


def cut(name: str) -> str:
    """A person's name, or as much of it as there is room for."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
