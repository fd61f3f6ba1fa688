"""Who came out of an encounter as the other is set right; who passes, turns back or walks along is left alone."""

import numpy as np
import pytest
from seen_people import across, seen

from pipeline.encounters import uncrossed
from pipeline.sightings import Sightings

TIMES = np.arange(90) / 15
RIGHT, LEFT = across(TIMES, 100 + 80 * TIMES), across(TIMES, 580 - 80 * TIMES, 245)
"""They meet at 3 s."""


def exchanged(a: Sightings, b: Sightings, time: float) -> tuple[Sightings, Sightings]:
    return a.then(b, time), b.then(a, time)


def hidden(track: Sightings, start: float, stop: float) -> Sightings:
    """The same without what was seen from `start` to `stop`."""
    track.leave_out((track.times >= start) & (track.times < stop))
    return track


def nobody_changed(*tracks: Sightings) -> bool:
    return all(after is before for after, before in zip(uncrossed(tracks), tracks, strict=True))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("time", "unseen"), [(3.0, 0.0), (2.8, 0.0), (3.2, 0.0), (3.0, 0.3)])
def test_who_came_out_as_the_other_is_exchanged(time: float, unseen: float, order: int) -> None:
    a, b = seen(TIMES, RIGHT), hidden(seen(TIMES, LEFT, seed=1), 3 - unseen, 3 + unseen)
    mended = uncrossed(exchanged(a, b, time)[::order])[::order]
    for track, own in zip(mended, (a, b), strict=True):
        way = {round(at, 3): tuple(place) for at, place in zip(own.times, own.middles, strict=True)}
        right = [way.get(round(at, 3)) == tuple(place) for at, place in zip(track.times, track.middles, strict=True)]
        assert len(right) == len(own)
        assert all(right)


def test_who_passes_is_left_alone() -> None:
    assert nobody_changed(seen(TIMES, RIGHT), seen(TIMES, LEFT, seed=1))
    assert nobody_changed(seen(TIMES, RIGHT), seen(TIMES, across(TIMES, 340, 245), seed=1))  # who stands there
    assert nobody_changed(seen(TIMES, RIGHT), seen(TIMES, across(TIMES, 250 + 30 * TIMES, 245), seed=1))  # slower


def test_who_stops_to_meet_and_turns_back_is_left_alone() -> None:
    way = 80 * np.where(TIMES < 2.4, TIMES, np.where(TIMES < 3.6, 2.4, 6 - TIMES))
    assert nobody_changed(seen(TIMES, across(TIMES, 100 + way)), seen(TIMES, across(TIMES, 530 - way, 245), seed=1))


def test_who_turns_back_at_a_distance_is_left_alone() -> None:
    way = 80 * np.where(TIMES < 3, TIMES, 6 - TIMES)
    assert nobody_changed(seen(TIMES, across(TIMES, 100 + way)), seen(TIMES, across(TIMES, 660 - way, 245), seed=1))


def test_one_who_turns_back_beside_one_who_walks_on_is_left_alone() -> None:
    way = 80 * np.where(TIMES < 3, TIMES, 6 - TIMES)
    assert nobody_changed(seen(TIMES, across(TIMES, 100 + way)), seen(TIMES, LEFT, seed=1))


def test_who_walk_side_by_side_are_left_alone() -> None:
    assert nobody_changed(seen(TIMES, RIGHT), seen(TIMES, RIGHT + np.array([30.0, 5.0]), seed=1))


def test_where_too_little_is_seen_before_or_after_nothing_is_changed() -> None:
    for start, stop in ((0.0, 2.65), (3.35, 6.0)):
        a, b = exchanged(seen(TIMES, RIGHT), seen(TIMES, LEFT, seed=1), 3.0)
        assert nobody_changed(a, hidden(b, start, stop))
    assert nobody_changed(a)
    assert nobody_changed()


def test_three_who_meet_at_different_times_are_each_set_right() -> None:
    a, b = seen(TIMES, RIGHT), seen(TIMES, LEFT, seed=1)
    c = seen(TIMES, across(TIMES, 420 - 80 * TIMES, 238), seed=2)  # meets `a` at 2 s
    first, third = exchanged(a, c, 2.0)
    third, second = exchanged(third, b, 3.0)
    for track, own in zip(uncrossed((first, second, third)), (a, b, c), strict=True):
        np.testing.assert_array_equal(track.middles, own.middles)
