"""Whether a second track is the same person come back, or somebody else."""

import numpy as np

from pipeline.persons import are_one_person
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
