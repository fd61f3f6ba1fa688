"""The picture of a learning curve."""

from pathlib import Path

import pytest

from smsge.curves import draw_curve, figure_of


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["step,epoch,learning_rate,train_loss,validation_loss", *rows]) + "\n")
    return path


def test_it_shows_the_numbers_of_the_table(tmp_path: Path) -> None:
    axes = figure_of(table(tmp_path / "curve.csv", "5,1,0.1,0.5,0.6", "10,1,0.1,0.25,nan")).axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert lines["training"] == [[5, 0.5], [10, 0.25]]
    assert lines["validation"][0] == [5, 0.6]
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("optimiser step", "loss")


@pytest.mark.parametrize(("row", "scale", "labels"), [("5,1,0.1,-0.5,0.6", "linear", 2), ("5,1,0.1,0.5,nan", "log", 1)])
def test_a_loss_below_zero_and_one_that_was_not_measured(tmp_path: Path, row: str, scale: str, labels: int) -> None:
    axes = figure_of(table(tmp_path / "curve.csv", row)).axes[0]
    assert axes.get_yscale() == scale
    assert len(axes.get_lines()) == labels


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw_curve(table(tmp_path / "curve.csv", "5,1,0.1,0.5,0.6"), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
