"""What many and small people are found like, on rendered scenes with known truth: the aims, measured."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.places import cache_dir

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
MODEL = cache_dir() / "models" / "pose_landmarker_full.task"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache: reid models pull"),
]


@cache
def scores(tall: int) -> list[Any]:
    from people import measure

    from pipeline.pose import MediaPipePose

    with MediaPipePose(model_path=MODEL) as pose:
        return [measure(people, tall, 4.0, 1, pose) for people in (1, 2, 4, 8)]


# Strict: who reaches these aims has to take the mark away, and say so in docs/BENCHMARKS.md.
CROWDED = pytest.mark.xfail(strict=True, reason="eight people of 400 pixels hide each other all the time")
AIMS = [(80, 0.85), (120, 0.95), (200, 0.95), pytest.param(400, 0.95, marks=CROWDED)]


@pytest.mark.parametrize(("tall", "aim"), AIMS)
def test_recall(tall: int, aim: float) -> None:
    from people import recall

    assert recall(scores(tall)) >= aim


@pytest.mark.parametrize("heights", [(60, 80, 120, 200), pytest.param((400,), marks=CROWDED)])
def test_at_most_one_switch_in_ten_crossings(heights: tuple[int, ...]) -> None:
    known = [one for tall in heights for one in scores(tall)]
    assert sum(one.switches for one in known) <= sum(one.crossings for one in known) / 10
