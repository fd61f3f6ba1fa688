"""Whether a second track is the same person come back, or somebody else."""

import numpy as np
import pytest

from pipeline.persons import DRESSED, are_one_person, rejoined
from pipeline.values import PoseTrack

WIDTH, HEIGHT = 640, 360


def track(number: int, start: float, end: float, x_from: float, x_to: float) -> PoseTrack:
    """Somebody 200 px tall who walks from x_from to x_to, shares of the picture's width."""
    n = max(int((end - start) * 25), 2)
    x = np.linspace(x_from, x_to, n) * WIDTH
    boxes = np.stack([x - 30, np.full(n, 100), x + 30, np.full(n, 300)], axis=1).astype(np.float32)
    return PoseTrack(
        id=number, times=np.linspace(start, end, n), frames=np.arange(n), boxes=boxes,
        image=np.zeros((n, 33, 2), np.float32), world=np.zeros((n, 33, 3), np.float32),
        visibility=np.ones((n, 33), np.float32), frame_size=(WIDTH, HEIGHT), source="clip.mp4",
    )  # fmt: skip


def test_to_and_fro_is_one_person():
    passes = [track(1, 0, 3, 0.05, 0.95), track(2, 5, 8, 0.95, 0.05), track(3, 10, 13, 0.05, 0.95)]
    assert are_one_person(passes)
    assert are_one_person(passes[::-1])


def test_one_walks_out_as_another_walks_in_by_the_other_side():
    assert not are_one_person([track(1, 0, 3, 0.05, 0.95), track(2, 3.5, 6, 0.05, 0.95)])


def test_people_seen_at_once_are_two():
    assert not are_one_person([track(1, 0, 3, 0.05, 0.95), track(2, 2.5, 5, 0.95, 0.05)])


def test_a_track_broken_inside_the_picture_goes_on():
    assert are_one_person([track(1, 0, 3, 0.05, 0.5), track(2, 3.6, 6, 0.55, 0.95)])


def test_somebody_who_appears_elsewhere_inside_the_picture_is_new():
    assert not are_one_person([track(1, 0, 3, 0.05, 0.3), track(2, 3.2, 6, 0.75, 0.5)])


def test_who_stays_away_too_long_is_somebody_else():
    assert not are_one_person([track(1, 0, 3, 0.05, 0.95), track(2, 60, 63, 0.95, 0.05)])


def test_somebody_who_is_first_seen_again_some_way_in_is_one_person():
    assert are_one_person([track(1, 0, 3, 0.05, 0.95), track(2, 7, 10, 0.72, 0.05)])


RED, BLUE = (np.full((4, 3), value) + np.array(tint) for value, tint in ((0.4, (0.3, 0, 0)), (0.4, (0, 0, 0.3))))
PASSES = [
    track(1, 0, 3, 0.05, 0.95), track(2, 5, 8, 0.95, 0.05), track(3, 10, 13, 0.05, 0.95), track(4, 15, 18, 0.95, 0.05)
]  # fmt: skip


def test_who_comes_back_in_the_same_clothes_is_one_track_with_gaps():
    (joined,) = rejoined(PASSES, [RED, RED + 0.8 * DRESSED, RED, RED])
    assert (joined.id, joined.start, joined.end) == (1, 0, 18)
    assert len(joined) == sum(map(len, PASSES))
    np.testing.assert_array_equal(joined.boxes, np.concatenate([each.boxes for each in PASSES]))
    assert sorted(np.diff(joined.times))[-3:] == pytest.approx([2, 2, 2])


def test_other_clothes_are_somebody_else():
    kept = rejoined(PASSES[:3], [RED, BLUE, RED])
    assert [(one.id, one.start) for one in kept] == [(1, 0), (2, 5), (3, 10)]


def test_without_colours_nobody_is_rejoined():
    assert len(rejoined(PASSES, [None] * 4)) == 4
    assert len(rejoined(PASSES[:3], [RED, None, RED])) == 3


def test_two_who_went_there_dressed_alike_are_not_rejoined():
    both = [track(1, 0, 3, 0.05, 0.95), track(2, 0.5, 3.5, 0.05, 0.95), track(3, 5, 8, 0.95, 0.05)]
    assert len(rejoined(both, [RED, RED, RED])) == 3
    told_apart = rejoined(both, [RED, BLUE, BLUE])
    assert [(one.start, one.end) for one in told_apart] == [(0, 3), (0.5, 8)]


def test_who_comes_from_elsewhere_is_not_rejoined_whatever_the_clothes():
    assert len(rejoined([PASSES[0], track(2, 5, 8, 0.05, 0.95)], [RED, RED])) == 2
    assert rejoined([], []) == []
