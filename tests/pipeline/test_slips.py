"""Sightings that lie beside their person are taken out, and nothing else is."""

import numpy as np
import pytest
from seen_people import across, seen

from pipeline.sightings import Sightings
from pipeline.slips import LONGEST, leave_out_slips

TIMES = np.arange(90) / 15


def walker(rows: list[int] | None = None, by: float = 0.0, speed: float = 90.0, turns: bool = False) -> Sightings:
    """Somebody 100 pixels tall who walks `speed` pixels a second, and may turn back, but lies `by` pixels aside in
    these rows."""
    x = 100 + speed * np.where(turns & (TIMES > 3), 6 - TIMES, TIMES)
    x[rows or []] += by
    return seen(TIMES, across(TIMES, x))


def nothing_is_taken_out(track: Sightings) -> bool:
    before = len(track)
    leave_out_slips(track)
    return len(track) == before


@pytest.mark.parametrize(("speed", "turns"), [(0.0, False), (60.0, False), (60.0, True), (180.0, False)])
def test_a_walker_slips_nowhere(speed: float, turns: bool) -> None:
    assert nothing_is_taken_out(walker(speed=speed, turns=turns))


@pytest.mark.parametrize("by", [-60.0, 25.0, 60.0])
@pytest.mark.parametrize("rows", [[40], [40, 41], [40, 41, 42], [20, 60, 61], [40, 44]])
def test_exactly_what_slipped_is_taken_out(rows: list[int], by: float) -> None:
    given, left = walker(rows, by), walker(rows, by)
    leave_out_slips(left)
    expected = np.delete(np.arange(len(TIMES)), rows)
    before, after = (track.track(1, (640, 480), "clip.mp4") for track in (given, left))
    for name in ("times", "frames", "boxes", "image", "world", "visibility"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[expected])


def test_who_is_elsewhere_for_longer_went_there() -> None:
    assert nothing_is_taken_out(walker(list(range(40, 41 + LONGEST)), 60.0))


def test_over_a_long_gap_nothing_is_said_of_the_way_between() -> None:
    rows, track = np.arange(len(TIMES)), walker([40], 60.0)
    track.leave_out((rows >= 34) & (rows != 40) & (rows <= 45))
    assert nothing_is_taken_out(track)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_track_of_few_sightings(count: int) -> None:
    track = walker()
    track.leave_out(np.arange(len(TIMES)) >= count)
    assert nothing_is_taken_out(track)
