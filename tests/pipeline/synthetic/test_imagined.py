"""Shots that are never rendered: what is seen is the walk, from anywhere, with the estimator's errors."""

import numpy as np
import pytest

from pipeline.joints import in_statures
from pipeline.lift import Lift
from pipeline.synthetic.estimator import Estimator, features
from pipeline.synthetic.imagined import cut, draw_view, imagine, imagined_shots, walked_joints
from pipeline.synthetic.skeletons import population_skeletons
from smsge.canonical import canonicalize, stature
from smsge.layouts import CASIA14, KINECT20

FPS = 15.0


def model(offset: float = 0.0, noise: float = 0.0) -> Estimator:
    weights = np.zeros((features(np.zeros((1, 14, 3)), np.array([0.0, 1.0, 0.0]), FPS).shape[1], 42))
    one = np.eye(42)
    return Estimator(weights, offset * one, 0 * one, noise * one, np.full(42, 0.5), FPS, 1.0, 0.5, 0.0, 0.2)


def walk(person: int = 1, seconds: float = 5.0) -> np.ndarray:
    (one,) = population_skeletons(2, [person], 1, CASIA14, FPS, seconds, form="canonical", stops=0.0, slopes=0.0)
    return one.joints.astype(np.float64)


def test_cameras_are_of_every_side_and_of_the_sizes_that_are_filmed() -> None:
    generator = np.random.default_rng(0)
    views = [draw_view(60, FPS, generator) for _ in range(400)]
    azimuths = np.array([azimuth for azimuth, _, _ in views])
    assert azimuths.shape == (400, 60)
    assert np.abs(np.exp(1j * azimuths[:, 0]).mean()) < 0.15
    turned = np.ptp(azimuths, axis=1)
    assert 0.35 < (turned == 0).mean() < 0.65
    assert 0.1 < np.median(turned[turned > 0]) < 2.0
    elevations, heights = np.array([[elevation, height] for _, elevation, height in views]).T
    assert -0.1 < elevations.min() < 0.1 < 0.35 < elevations.max() < 0.8
    assert 60 <= heights.min() < 70 < 180 < heights.max() <= 200


def test_without_errors_what_is_seen_is_what_was_there() -> None:
    given = walk()
    for seed in range(5):
        seen = imagine(given, model(), Lift(), np.zeros(42), np.random.default_rng(seed))
        assert (seen.layout, seen.fps, len(seen)) == (CASIA14, FPS, len(given))
        expected = canonicalize(in_statures(given), CASIA14, FPS)
        np.testing.assert_allclose(seen.truth, expected, atol=1e-4)
        # A turning camera makes the heading's low-pass lag a little.
        assert np.abs(seen.joints - expected).mean() < 0.01
        left = seen.joints[:, CASIA14.index["left hip"], 0] - seen.joints[:, CASIA14.index["right hip"], 0]
        assert (left > 0).all()


def test_errors_are_in_what_is_seen_and_not_in_the_truth() -> None:
    given = walk()
    noisy = imagine(given, model(noise=0.03), Lift(), np.zeros(42), np.random.default_rng(1))
    np.testing.assert_allclose(noisy.truth, canonicalize(in_statures(given), CASIA14, FPS), atol=1e-4)
    assert noisy.truth is not None
    assert np.abs(noisy.joints - noisy.truth).std() > 0.01


def test_a_cut_is_uninterrupted_and_from_anywhere() -> None:
    joints = np.arange(30.0)[:, None, None] + np.zeros((30, 14, 3))
    firsts = set()
    for seed in range(40):
        part = cut(joints, 20, np.random.default_rng(seed))
        assert len(part) == 20
        assert (np.diff(part[:, 0, 0]) == 1).all()
        firsts.add(int(part[0, 0, 0]))
    assert {min(firsts), max(firsts)} == {0, 10}
    assert len(cut(joints, 31, np.random.default_rng(0))) == 30


def test_a_recorded_walk_has_the_joints_of_rendered_ones() -> None:
    sessions = population_skeletons(6, [1], 2, KINECT20, 30.0, 4.0, form="metric", stops=0.0, slopes=0.0)
    recorded = [one.joints.astype(np.float64) for one in sessions]
    made = walked_joints(recorded, FPS, np.random.default_rng(0))
    true = population_skeletons(6, [1], 2, CASIA14, FPS, 4.0, form="metric", stops=0.0, slopes=0.0)
    for got, known in zip(made, true, strict=True):
        assert abs(len(got) - len(known)) <= 1
        assert stature(got, CASIA14) == pytest.approx(stature(known.joints, CASIA14), rel=0.05)
        formed = canonicalize(got, CASIA14, FPS)[: len(known)]
        assert np.abs(formed - canonicalize(known.joints, CASIA14, FPS)[: len(got)]).mean() < 0.03
    bones = [np.linalg.norm(one[:, 9] - one[:, 8], axis=1).mean() for one in made]  # hip to knee
    assert bones[0] == pytest.approx(bones[1], rel=0.01)


def test_every_shot_is_a_session_and_the_offsets_are_the_persons() -> None:
    walks, shaky = [walk(1), walk(2, seconds=2.0)], model(offset=0.05)
    shots = list(imagined_shots(walks, shaky, Lift(), "anna", views=2, seconds=3.0, seed=[1, 2]))
    assert [shot.session for shot in shots] == ["anna/i1.1", "anna/i1.2", "anna/i2.1", "anna/i2.2"]
    assert {shot.identity for shot in shots} == {"anna"}
    assert [len(shot) for shot in shots] == [45, 45, 30, 30]
    for shot in shots:
        assert shot.truth is not None
        assert shot.truth.shape == shot.joints.shape
        assert np.abs(shot.truth - shot.joints).max() > 0.02
    again = list(imagined_shots(walks, shaky, Lift(), "anna", views=2, seconds=3.0, seed=[1, 2]))
    np.testing.assert_array_equal(again[3].joints, shots[3].joints)
    other = list(imagined_shots(walks, shaky, Lift(), "anna", views=2, seconds=3.0, seed=[1, 3]))
    assert np.abs(other[3].joints - shots[3].joints).max() > 0.01
