"""How much more is asked of people who have something in common, the less is known of it."""

import numpy as np
import pytest

from pipeline.in_common import ALIKE, Common, about_centres, without_centre
from smsge.centring import alike_of, centre_of, centred


def about_the_same(known: Common, threshold: float, usual: float = ALIKE) -> float:
    """What is asked for where the gallery has to show what filmed the probe, too."""
    return about_centres(threshold, known, known, usual)


def test_two_tracks_that_share_what_a_camera_does_need_more() -> None:
    shared, one, other = np.sqrt(ALIKE) * np.eye(3)[0], np.array([0, 1, 0]), np.array([0, 0.6, 0.8])
    a, b = (shared + np.sqrt(1 - ALIKE) * own for own in (one, other))
    assert a @ b == pytest.approx(without_centre(float(one @ other)))
    assert [without_centre(told) for told in (-1.0, 0.5, 0.9, 1.0)] == pytest.approx([0.1, 0.775, 0.955, 1.0])


@pytest.mark.parametrize("people", [1, 2, 5, 50])
def test_few_people_leave_some_of_what_a_camera_does_and_ask_for_as_much_more(people: int) -> None:
    generator = np.random.default_rng(0)
    dim, shared = 2000, 0.4  # so many that strangers share nothing but what they are given
    own = generator.normal(size=(people + 40, dim)) / np.sqrt(dim)
    vectors = np.sqrt(shared) * np.eye(dim)[0] + np.sqrt(1 - shared) * own
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    enrolled, strangers = vectors[:people], vectors[people:]
    centre = centre_of(enrolled, np.arange(people))
    seen = float((centred(strangers, centre) @ centred(enrolled, centre).T).mean())
    alike = alike_of(enrolled, np.arange(people))
    assert alike is None if people == 1 else alike == pytest.approx(shared, abs=0.05)
    # Whoever is enrolled is in the centre and loses by it, so that strangers come to a little less.
    assert seen - 0.02 < about_the_same(Common(people, alike), 0.0) < seen + 0.3
    assert about_the_same(Common(10**6, 0.4), 0.3) == pytest.approx(0.3)
    assert about_the_same(Common(people, -0.2), 0.3) >= 0.3
    assert about_the_same(Common(people, 1.0), 0.3) <= 1.0

    # Before a camera that is known the others say what it does, and whom the gallery holds does not matter so much.
    filmed, probes = strangers[:20], strangers[20:]
    camera = Common(20, alike_of(filmed, np.arange(20)))
    seen = float((centred(probes, centre_of(filmed, np.arange(20))) @ centred(enrolled, centre).T).mean())
    asked = about_centres(0.0, Common(people, alike), camera)
    assert seen - 0.02 < asked <= about_the_same(Common(people, alike), 0.0) + 0.01
    assert asked < 0.15


def test_a_camera_that_is_known_asks_for_less_than_one_that_is_not_and_never_for_too_little() -> None:
    for people in (1, 2, 5):
        asked = [about_centres(0.5, Common(people), Common(filmed, 0.5)) for filmed in (8, 20, 100, 10**6)]
        assert asked == sorted(asked, reverse=True)
        assert about_the_same(Common(people), 0.5) > asked[0] >= asked[-1] == 0.5


def test_a_gallery_of_nobody_known_asks_for_as_much_as_two_tracks_alone() -> None:
    assert about_the_same(Common(0), 0.5) == without_centre(0.5)
    asked = [about_the_same(Common(people, 0.0), 0.5) for people in (1, 2, 4, 8, 100)]
    assert asked == sorted(asked, reverse=True)
    assert without_centre(0.5) > asked[0] > 0.7 > 0.55 > asked[2]
    assert asked[-1] == pytest.approx(0.5, abs=1e-3)


def test_what_is_usual_is_all_that_is_known_of_one_person_or_of_nobody() -> None:
    assert about_the_same(Common(0), 0.5, 0.2) == pytest.approx(without_centre(0.5, 0.2)) == pytest.approx(0.6)
    assert about_the_same(Common(1), 0.5, 0.0) == 0.5
    assert about_the_same(Common(1), 0.5, 1.0) == 1.0
