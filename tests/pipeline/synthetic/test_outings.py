"""A population's walks: who it is follows from two numbers, the day from three."""

import numpy as np
import pytest

from pipeline.synthetic.casting import draw_person
from pipeline.synthetic.outings import population_motion


def test_the_same_numbers_give_the_same_walk_and_other_numbers_another() -> None:
    body, motion, effects = population_motion(5, 2, 1, seconds=3.0)
    again = population_motion(5, 2, 1, seconds=3.0)
    assert (body, effects) == (again[0], again[2])
    np.testing.assert_array_equal(motion.joints["head"], again[1].joints["head"])
    other = population_motion(5, 2, 2, seconds=3.0)
    assert effects != other[2]
    assert body.stature == other[0].stature
    assert body.thigh != population_motion(5, 3, 1, seconds=3.0)[0].thigh


def test_they_are_the_people_that_clips_of_the_seed_show() -> None:
    body, _, _ = population_motion(5, 2, 1, seconds=1.0)
    person = draw_person(np.random.default_rng([5, 2]))
    assert (body.thigh, body.shoulder_width) == (person.body.thigh, person.body.shoulder_width)


def test_there_is_a_frame_at_every_time() -> None:
    _, motion, _ = population_motion(5, 2, 1, seconds=4.0, fps=25.0)
    np.testing.assert_allclose(motion.times, np.arange(100) / 25)


@pytest.mark.parametrize(("stops", "slopes"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_stops_and_slopes_are_as_frequent_as_they_are_asked_to_be(stops: float, slopes: float) -> None:
    for person in range(1, 9):
        _, motion, _ = population_motion(1, person, 1, seconds=8.0, stops=stops, slopes=slopes)
        steps = np.diff(motion.distance)
        assert (steps.min() < 0.002) == (stops == 1.0)
        feet = np.minimum(motion.joints["left heel"][:, 1], motion.joints["right heel"][:, 1])
        assert (np.ptp(feet) > 0.08) == (slopes == 1.0)


def test_the_walks_go_everywhere() -> None:
    headings = []
    for person in range(1, 31):
        _, motion, _ = population_motion(2, person, 1, seconds=8.0, stops=0.0)
        step = np.diff(motion.joints["pelvis"][:, [0, 2]], axis=0)
        headings.append(np.ptp(np.unwrap(np.arctan2(step[:, 0], step[:, 1]))))
    turned = np.array(headings)
    assert (turned < 0.5).any()
    assert ((turned > 0.6) & (turned < 1.7)).any()
    assert (turned > 3.5).any()
