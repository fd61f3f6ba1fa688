"""Pictures of an evaluation: match curves, similarities, who is taken for whom, and a map of the embeddings.

Each picture is a `Figure` of one table; `save_pictures` writes them all."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from smsge.drawing import COLOURS, INK, MARKERS, STYLE, cut, png, sheet
from smsge.evaluation import Row, Table
from smsge.report import slug, title, write

PEOPLE_SHOWN = 20
"""People on a map, and people up to whom a confusion matrix bears every name and count."""

_TAIL = 0.2  # per cent of the lowest similarities that are drawn in the first bin, lest they squeeze the rest


def _cmc(table: Table) -> Figure:
    """Cumulative match curves of all methods: the share of probes whose person is among the k nearest."""
    figure = sheet((9.2, 4.4), "Cumulative match curve", title(table))
    axes = figure.add_subplot()
    first = [row.retrieval.cmc[0] for row in table.rows]
    for number in np.argsort(first, kind="stable")[::-1]:
        row, main = table.rows[number], number == len(table.rows) - 1
        axes.plot(
            np.arange(1, len(row.retrieval.cmc) + 1),
            100 * row.retrieval.cmc,
            color=_colour(table, number),
            marker=MARKERS[number % len(MARKERS)],
            markersize=6 if main else 4.5,
            linewidth=2.6 if main else 1.5,
            zorder=3 if main else 2,
            clip_on=False,
            label=f"{textwrap.fill(row.method, 20)}\n{100 * first[number]:.1f} % at rank 1",
        )
    axes.set(xlabel="rank k", ylabel="probes whose person is\namong the k nearest (%)", ylim=(0, 100))
    most = len(table.rows[0].retrieval.cmc)
    axes.set(xlim=(0.7, most + 0.3), xticks=range(1, most + 1) if most <= 10 else [1, *range(5, most + 1, 5)])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", labelspacing=0.9)
    return figure


def _similarities(table: Table) -> Figure:
    """Similarities of pairs of one person and of pairs of two, a panel a method, and the threshold at 1 % FAR."""
    across = min(3, len(table.rows))
    down = math.ceil(len(table.rows) / across)
    figure = sheet((max(6.4, 3.6 * across), 2.5 * down + 0.7), "Similarities of pairs", title(table))
    for number, row in enumerate(table.rows, start=1):
        axes = figure.add_subplot(down, across, number)
        _histograms(axes, row)
        if (number - 1) % across == 0:
            axes.set_ylabel("share of pairs (%)")
        if number + across > len(table.rows):
            axes.set_xlabel("similarity")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _confusion(table: Table) -> Figure:
    """The last row's probes by true person (down) and by the person they are taken for (across)."""
    row = table.rows[-1]
    counts, people = row.curves.confusion, row.curves.people
    labelled = len(people) <= PEOPLE_SHOWN
    side = max(4.4, 1.4 + 0.34 * len(people)) if labelled else 7.2
    figure = sheet((side + 1.6, side), f"Who is taken for whom by {row.method}", title(table), compress=True)
    axes = figure.add_subplot()
    axes.grid(False)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The root shows rare confusions too: one probe in ten is a third of the way to the darkest, not a tenth.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    axes.set(xlabel="taken for", ylabel="true person")
    ticks = range(0, len(people), 1 if labelled else math.ceil(len(people) / 16))
    names = [cut(people[i]) for i in ticks]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(list(ticks), names)
    axes.tick_params(axis="x", labelrotation=90 if max(map(len, names)) > 2 else 0)
    if labelled:
        for i, j in zip(*np.nonzero(counts), strict=True):
            shade = "white" if shares[i, j] > 30 else INK
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8, color=shade)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, ticks=[0, 5, 25, 50, 100])
    bar.set_label("share of the person's probes (%)")
    bar.outline.set_visible(False)
    return figure


def _map(table: Table, seed: int) -> Figure:
    """The last row's embeddings in two dimensions (t-SNE), coloured by person; at most 20 people, evenly chosen."""
    row = table.rows[-1]
    labels = np.array(row.curves.embedding_labels)
    people = np.unique(labels)
    shown = people[np.linspace(0, len(people) - 1, min(len(people), PEOPLE_SHOWN)).round().astype(int)]
    chosen = np.isin(labels, shown)
    points, labels = flatten(row.curves.embedding[chosen], seed), labels[chosen]
    of = f"{len(shown)} of {len(people)} people" if len(shown) < len(people) else f"all {len(people)} people"
    figure = sheet((8.6, 5.8), f"Map of the embeddings by {row.method}: {of}", title(table))
    axes = figure.add_subplot()
    for number, person in enumerate(shown):
        axes.scatter(
            points[labels == person, 0],
            points[labels == person, 1],
            s=34,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number // len(COLOURS)],
            alpha=0.85,
            linewidths=0.5,
            edgecolors="white",
            label=cut(str(person)),
        )
    # Neither the axes nor their scales mean anything: only who lies beside whom does.
    axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")
    axes.set_aspect("equal", adjustable="datalim")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", title="person", alignment="left")
    return figure


def flatten(vectors: NDArray[np.floating], seed: int) -> NDArray[np.floating]:
    """(n, D) -> (n, 2) by PCA to at most 50 numbers and t-SNE (van der Maaten and Hinton 2008) of those; by PCA alone
    where four points or fewer give t-SNE no neighbourhoods to keep."""
    from sklearn.manifold import TSNE

    left, lengths, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    reduced = (left * lengths)[:, :50].astype(np.float64)
    if len(vectors) <= 4 or reduced.shape[1] < 2:
        return np.pad(reduced[:, :2], ((0, 0), (0, max(0, 2 - reduced.shape[1]))))
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced))


def save_pictures(tables: Sequence[Table], folder: Path, seed: int = 0) -> Iterator[Path]:
    """Draw four pictures a table into `SPLIT-PROTOCOL-LEVEL-PICTURE.png`; each file is given once it is there.

    Raises DatasetError where one cannot be written.
    """
    stems: list[str] = []
    for table in tables:
        stem = f"{slug(table.split)}-{table.protocol}-{table.level}"
        stems.append(stem)
        if (same := stems.count(stem)) > 1:  # names that differ in nothing a file's name can hold
            stem = f"{stem}-{same}"
        for picture in PICTURES:
            path = folder / f"{stem}-{picture}.png"
            write(path, png(draw(picture, table, seed)))
            yield path


PICTURES = ("cmc", "similarities", "confusion", "map")


def draw(picture: str, table: Table, seed: int = 0) -> Figure:
    """One of `PICTURES` of a table; the seed is that of the map."""
    with matplotlib.rc_context(STYLE):
        match picture:
            case "cmc":
                return _cmc(table)
            case "similarities":
                return _similarities(table)
            case "confusion":
                return _confusion(table)
            case "map":
                return _map(table, seed)
    raise ValueError(f"picture must be one of {', '.join(PICTURES)}, not {picture!r}")


def _histograms(axes: Axes, row: Row) -> None:
    """Both kinds of pairs as shares of their kind, so that few genuine pairs are seen beside many of impostors."""
    genuine, impostor = row.curves.genuine, row.curves.impostor
    both = np.concatenate([genuine, impostor])
    bins = int(np.clip(np.sqrt(len(genuine)) * 2, 15, 60))
    edges = np.linspace(np.percentile(both, _TAIL), both.max(), bins + 1)
    for scores, colour, label in ((impostor, COLOURS[1], "different people"), (genuine, COLOURS[0], "one person")):
        share = 100 * np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0] / len(scores)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.4, linewidth=0)
        axes.stairs(share, edges, color=colour, linewidth=1.3, label=label)
    shown = row.verification
    axes.axvline(
        shown.threshold,
        color=INK,
        linestyle=(0, (4, 2)),
        linewidth=1.3,
        label=f"threshold at {100 * shown.far:g} % FAR",
    )
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", nbins=5)
    axes.set_title(f"{row.method}\n" + f"TAR {100 * shown.tar:.1f} %, EER {100 * shown.eer:.1f} %", loc="left")


def _colour(table: Table, number: int) -> str:
    """The last row, which is what is evaluated, is always of the first colour."""
    return COLOURS[(len(table.rows) - 1 - number) % len(COLOURS)]
