import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.image import imread
from tables import NOISE, table

import smsge.plots as plots
from smsge.drawing import COLOURS, DPI, png
from smsge.errors import DatasetError
from smsge.evaluation import Table
from smsge.plots import PICTURES, draw, flatten, save_pictures

FEW = table(["Anna", "Ben", "Chloé", "Dan", "a person with a very long name"])
MANY = table([f"{i:03d}" for i in range(1, 165)], each=2)


def texts(axes: Axes) -> list[str]:
    """What stands in the cells."""
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("which", [FEW, MANY], ids=["few", "many"])
def test_every_picture_is_a_png_of_a_sensible_size_with_something_on_it(picture: str, which: Table) -> None:
    content = png(draw(picture, which))
    pixels = imread(io.BytesIO(content))
    height, width = pixels.shape[:2]
    assert 500 <= width <= 1600
    assert 400 <= height <= 1300
    assert 0.01 < np.mean(pixels[..., :3].min(axis=2) < 0.9) < 0.6


@pytest.mark.parametrize("picture", PICTURES)
def test_nothing_is_cut_off_and_no_text_covers_another(picture: str) -> None:
    figure = draw(picture, FEW)
    canvas = FigureCanvasAgg(figure)
    png(figure)  # lays it out
    renderer = canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        shown = [axes.xaxis.label, axes.yaxis.label, *axes.texts, axes.title]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes += [each.get_window_extent(renderer) for each in shown if each.get_text() and each.get_visible()]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    width, height = figure.get_size_inches() * DPI
    for i, box in enumerate(boxes):
        assert -1 <= box.x0 <= box.x1 <= width + 1
        assert -1 <= box.y0 <= box.y1 <= height + 1
        for other in boxes[:i]:
            over = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(over) < 1, (box, other)


def test_the_match_curves_are_those_of_the_table() -> None:
    (axes,) = draw("cmc", MANY).axes
    drawn = {" ".join(str(line.get_label()).split("\n")[:-1]): line for line in axes.lines}
    assert set(drawn) == set(NOISE)
    for row in MANY.rows:
        np.testing.assert_allclose(drawn[row.method].get_ydata(), 100 * row.retrieval.cmc)
        np.testing.assert_array_equal(drawn[row.method].get_xdata(), np.arange(1, 21))
    assert drawn[list(NOISE)[-1]].get_linewidth() > drawn["D13"].get_linewidth()
    assert (
        len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == len(NOISE)
    )


def test_the_histograms_hold_every_pair_and_the_threshold() -> None:
    figure = draw("similarities", FEW)
    assert len(figure.axes) == len(FEW.rows)
    for axes, row in zip(figure.axes, FEW.rows, strict=True):
        outlines = {str(patch.get_label()): patch.get_data() for patch in axes.patches if patch.get_label()}  # type: ignore[attr-defined]
        for label, scores in (("one person", row.curves.genuine), ("different people", row.curves.impostor)):
            values, edges, _ = outlines[label]
            assert values.sum() == pytest.approx(100)
            inner = slice(1, -1)
            counts = np.histogram(scores, edges)[0]
            np.testing.assert_allclose(values[inner], 100 * counts[inner] / len(scores))
        (line,) = axes.lines
        assert line.get_xdata()[0] == row.verification.threshold  # type: ignore[index]
        assert f"TAR {100 * row.verification.tar:.1f} %" in axes.get_title(loc="left")


def test_confusions_of_few_people_are_named_and_counted() -> None:
    axes = draw("confusion", FEW).axes[0]
    counts = FEW.rows[-1].curves.confusion
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), 100 * counts / counts.sum(axis=1, keepdims=True))
    assert sorted(texts(axes)) == sorted(str(count) for count in counts[counts > 0])
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["Anna", "Ben"]
    assert all(len(label.get_text()) <= 14 for label in axes.get_xticklabels())


def test_confusions_of_many_people_bear_no_counts_and_few_names() -> None:
    axes = draw("confusion", MANY).axes[0]
    assert texts(axes) == []
    assert axes.images[0].get_array().shape == (164, 164)  # type: ignore[union-attr]
    assert len(axes.get_xticks()) <= 17
    assert axes.get_xticklabels()[1].get_text() == MANY.rows[-1].curves.people[int(axes.get_xticks()[1])]


def test_a_person_without_probes_is_an_empty_row() -> None:
    row = FEW.rows[-1]
    counts = row.curves.confusion.copy()
    counts[2] = 0
    bare = replace(FEW, rows=(replace(row, curves=replace(row.curves, confusion=counts)),))
    assert not np.asarray(draw("confusion", bare).axes[0].images[0].get_array())[2].any()


def test_the_map_shows_twenty_people_and_says_so() -> None:
    figure = draw("map", MANY)
    drawn = {str(points.get_label()): points for points in figure.axes[0].collections}
    assert len(drawn) == 20
    assert {"001", "164"} <= set(drawn)
    assert all(len(points.get_offsets()) == 4 for points in drawn.values())  # type: ignore[arg-type]
    looks = {(to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes()) for points in drawn.values()}  # type: ignore[index]
    assert len(looks) == 20
    assert any("20 of 164 people" in text.get_text() for text in figure.texts)
    assert any("all 5 people" in text.get_text() for text in draw("map", FEW).texts)


def test_the_map_is_the_same_for_the_same_seed_and_keeps_neighbours_together() -> None:
    curves = FEW.rows[-1].curves
    once, again = (flatten(curves.embedding, seed=3) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    near = np.linalg.norm(once[:, None] - once[None], axis=2) + 1e9 * np.eye(len(once))
    labels = np.array(curves.embedding_labels)
    assert np.mean(labels[near.argmin(axis=1)] == labels) > 0.8


@pytest.mark.parametrize(("vectors", "numbers"), [(1, 8), (2, 8), (3, 8), (5, 8), (6, 1)])
def test_maps_of_hardly_anything(vectors: int, numbers: int) -> None:
    points = flatten(np.random.default_rng(0).normal(size=(vectors, numbers)), seed=0)
    assert points.shape == (vectors, 2)
    assert np.isfinite(points).all()


def test_names_are_text_and_never_formulae() -> None:
    odd = table([r"$\frac{", "李", "$x$", "a_b^c"], split=r"split $\alpha{ of 李")
    for picture in PICTURES:
        png(draw(picture, odd))


def test_pictures_go_into_the_folder_under_safe_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "PICTURES", ("cmc", "confusion"))
    folder = tmp_path / "new" / "pictures"
    twins = [replace(FEW, split="../../A → B"), replace(FEW, split="../../A -> B")]
    files = list(save_pictures(twins, folder))
    assert [file.name for file in files] == [
        f"a-b-matching-clip-{picture}.png" for picture in ("cmc", "confusion", "2-cmc", "2-confusion")
    ]
    assert sorted(tmp_path.rglob("*.*")) == sorted(files)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file.*choose another place"):
        list(save_pictures([FEW], tmp_path / "file"))


def test_an_unknown_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="cmc, similarities"):
        draw("portrait", FEW)


def test_colours_differ() -> None:
    assert len(set(COLOURS)) == len(COLOURS)
