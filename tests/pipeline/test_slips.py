"""Sightings that lie beside their person are taken out, and nothing else is."""

import numpy as np
import pytest
from seen_people import across, seen

from pipeline.sightings import Sightings
from pipeline.slips import LONGEST, without_slips

TIMES = np.arange(90) / 15


def walker(rows: list[int] | None = None, by: float = 0.0, speed: float = 90.0, turns: bool = False) -> Sightings:
    """Somebody 100 pixels tall who walks `speed` pixels a second, and may turn back, but lies `by` pixels aside in
    these rows."""
    x = 100 + speed * np.where(turns & (TIMES > 3), 6 - TIMES, TIMES)
    x[rows or []] += by
    return seen(TIMES, across(TIMES, x))


@pytest.mark.parametrize(("speed", "turns"), [(0.0, False), (60.0, False), (60.0, True), (180.0, False)])
def test_a_walker_slips_nowhere(speed: float, turns: bool) -> None:
    track = walker(speed=speed, turns=turns)
    assert without_slips(track) is track


@pytest.mark.parametrize("by", [-60.0, 25.0, 60.0])
@pytest.mark.parametrize("rows", [[40], [40, 41], [40, 41, 42], [20, 60, 61], [40, 44]])
def test_exactly_what_slipped_is_taken_out(rows: list[int], by: float) -> None:
    given = walker(rows, by)
    left = without_slips(given)
    expected = np.delete(np.arange(len(TIMES)), rows)
    before, after = (track.track(1, (640, 480), "clip.mp4") for track in (given, left))
    for name in ("times", "frames", "boxes", "image", "world", "visibility"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[expected])


def test_who_is_elsewhere_for_longer_went_there() -> None:
    track = walker(list(range(40, 41 + LONGEST)), 60.0)
    assert without_slips(track) is track


def test_over_a_long_gap_nothing_is_said_of_the_way_between() -> None:
    rows = np.arange(len(TIMES))
    track = walker([40], 60.0).only((rows < 34) | (rows == 40) | (rows > 45))
    assert without_slips(track) is track


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_track_of_few_sightings(count: int) -> None:
    track = walker().only(np.arange(len(TIMES)) < count)
    assert without_slips(track) is track
