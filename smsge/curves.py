"""A learning curve, from its table to a picture."""

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

from smsge.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, DPI = (6.4, 4.0), 120


def draw_curve(table: Path, picture: Path) -> None:
    """Draw a `curve.csv` as a PNG: see `figure_of`."""
    with whole_file(picture) as file:
        figure_of(table).savefig(file, format="png")


def figure_of(table: Path) -> "Figure":
    """Training and validation loss of a `curve.csv` over the steps, on a logarithmic axis where every loss is above 0.
    A loss that was never measured is left out."""
    from matplotlib.figure import Figure  # heavy, and not needed to train

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.subplots()
    drawn: list[float] = []
    for column, label in (("train_loss", "training"), ("validation_loss", "validation")):
        values = [float(row[column]) for row in rows]
        measured = [value for value in values if not math.isnan(value)]
        if measured:
            axes.plot(steps, values, label=label, marker="." if len(steps) < 60 else "")
            drawn += measured
    if min(drawn) > 0:
        axes.set_yscale("log")
    axes.set(xlabel="optimiser step", ylabel="loss", title="learning curve")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return figure
