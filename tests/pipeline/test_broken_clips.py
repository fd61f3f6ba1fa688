"""Clips damaged in every way: each is read as far as it can be or refused in one line, and leaves nothing behind."""

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mutations import MUTATIONS, mutants
from stick_people import Stick

from pipeline.crew import Alive
from pipeline.errors import VideoError
from pipeline.extract import extract
from pipeline.names import printable
from pipeline.pool import run_tasks
from pipeline.values import Frame, Person

SAMPLES = sorted((Path(__file__).parents[2] / "sample_videos").rglob("*.mp4"))
PATIENCE = 30.0  # seconds without a frame
ROOM = 48  # MB by which a worker may grow once it has read the first few clips


def walker(frame: Frame) -> list[Person]:
    """A pose estimator that costs nothing, and so leaves all the time to the decoder."""
    middle = (frame.rgb.shape[1] / 2, 0.47 * frame.rgb.shape[0])
    return [Stick().person(frame.time, np.pi / 2, middle, scale=0.5 * frame.rgb.shape[0])]


def reads() -> Callable[[str, Alive], tuple[str, float]]:
    """What a worker does: read a clip; what came of it, and the megabytes that the worker holds afterwards."""

    def read(source: str, alive: Alive) -> tuple[str, float]:
        try:
            found = extract(source, pose=walker, progress=lambda *_: alive())
            end = "in part" if found.warnings else "whole"
        except VideoError as error:
            end = str(error)
            assert end == printable(end)
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return end, resident / 1e6

    return read


@pytest.mark.parametrize("count", [2 * len(MUTATIONS), pytest.param(500, marks=pytest.mark.long)])
def test_no_clip_crashes_hangs_or_leaks(tmp_path: Path, capfd: pytest.CaptureFixture[str], count: int) -> None:
    clips = [str(path) for path in mutants(SAMPLES, tmp_path, count)]
    ends = list(run_tasks(clips, reads, 1, PATIENCE))
    assert {end.task: end.error for end in ends if end.error is not None} == {}
    assert [end.task for end in ends] == clips
    held = [end.answer[1] for end in ends if end.answer is not None]
    assert max(held[len(MUTATIONS) :]) < max(held[: len(MUTATIONS)]) + ROOM
    said = capfd.readouterr()
    assert said.out == said.err == ""
    kinds = Counter(end.answer[0] if len(end.answer[0]) < 9 else "refused" for end in ends if end.answer is not None)
    assert len(kinds) == 3, kinds
    sys.stderr.write(f"{count} clips: {dict(kinds)}; MB held, first to last: {held[0]:.0f} to {held[-1]:.0f}\n")
