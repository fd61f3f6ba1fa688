"""A recording becomes a walker again: the body, the way walked and the sides come back from a skeleton alone."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.synthetic.driven import Recorded, measured_body, one_body, recorded_motion
from pipeline.synthetic.looks import draw_clothes, draw_looks
from pipeline.synthetic.outings import population_motion
from pipeline.synthetic.rotation import about
from pipeline.synthetic.skeletons import population_skeletons, walker_joints
from pipeline.synthetic.walker import Motion
from smsge.layouts import KINECT20

FPS = 30.0
PEOPLE = (1, 2, 3)
LENGTHS = ("thigh", "shank", "trunk", "hip_width", "shoulder_width", "upper_arm", "forearm")


def recording(person: int, seconds: float = 4.0) -> np.ndarray:
    """(T, 20, 3) metres, as a sensor that goes with the walker has them."""
    (walk,) = population_skeletons(6, [person], 1, KINECT20, FPS, seconds, form="metric", stops=0.0, slopes=0.0)
    return walk.joints.astype(np.float64)


def driven(person: int) -> tuple[Motion, Motion]:
    """What was recorded of somebody, and what is made of the recording."""
    body, true, _ = population_motion(6, person, 1, seconds=4.0, fps=FPS, stops=0.0, slopes=0.0)
    made = recorded_motion(recording(person), FPS, body)
    return true, made


@pytest.mark.parametrize("person", PEOPLE)
def test_lengths_come_back(person: int) -> None:
    true, _, _ = population_motion(6, person, 1, seconds=4.0, fps=FPS, stops=0.0, slopes=0.0)
    got = measured_body(recording(person), np.random.default_rng(0))
    for name in LENGTHS:
        assert getattr(got, name) == pytest.approx(getattr(true, name), rel=0.03), name
    assert got.stature == pytest.approx(true.stature, rel=0.04)


def test_what_is_not_measured_is_drawn_for_the_stature() -> None:
    joints = recording(1)
    same, other = (measured_body(joints, np.random.default_rng(seed)) for seed in (0, 1))
    assert same == measured_body(joints, np.random.default_rng(0))
    assert same.chest_radius != other.chest_radius
    assert same.thigh == other.thigh
    large = measured_body(1.2 * joints, np.random.default_rng(0))
    for name in ("thigh", "trunk", "foot", "hand", "head_width", "waist_radius"):
        assert getattr(large, name) == pytest.approx(1.2 * getattr(same, name), rel=0.04), name


@pytest.mark.parametrize("person", PEOPLE)
def test_the_way_walked_is_told_by_the_feet(person: int) -> None:
    true, made = driven(person)
    walked = made.joints["pelvis"]
    assert walked[-1, 2] - walked[0, 2] == pytest.approx(true.distance[-1] - true.distance[0], rel=0.25)
    assert made.distance[0] == 0
    np.testing.assert_allclose(made.distance, walked[:, 2] - walked[0, 2], atol=0.05)
    np.testing.assert_allclose(walked[:, 0], 0.0, atol=1e-3)
    assert (np.diff(made.phase) >= 0).all()
    assert made.times[-1] == pytest.approx(4.0 - 1 / FPS)


@pytest.mark.parametrize("person", PEOPLE)
def test_joints_are_those_of_somebody_upright_who_faces_the_way_they_go(person: int) -> None:
    true, made = driven(person)
    assert set(made.joints) == set(true.joints)
    assert set(made.rotations) == set(true.rotations)
    for name, points in made.joints.items():
        assert points.shape == (len(made.times), 3), name
        assert np.isfinite(points).all(), name
    for name, matrices in made.rotations.items():
        np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.eye(3) + 0 * matrices, atol=1e-6)
        assert np.linalg.det(matrices) == pytest.approx(1.0), name
    for part in ("shoulder", "hip", "ear", "eye"):
        apart = made.joints[f"left {part}"] - made.joints[f"right {part}"]
        assert (apart[:, 0] > 0.02).all(), part
    height = [made.joints[name][:, 1].mean() for name in ("left ankle", "left knee", "pelvis", "neck", "head centre")]
    assert height == sorted(height)
    assert (made.joints["nose"][:, 2] > made.joints["head"][:, 2]).all()
    toes = made.joints["left toe"] - made.joints["left heel"]
    assert toes[:, 2].mean() > 0.1


@pytest.mark.parametrize("person", PEOPLE)
def test_feet_are_on_the_ground_and_not_below_it(person: int) -> None:
    _, made = driven(person)
    soles = np.stack([made.joints[f"{side} {part}"][:, 1] for side in ("left", "right") for part in ("heel", "ball")])
    assert soles.min() > -0.05
    lowest = soles.min(axis=0)
    assert np.abs(np.median(lowest)) < 0.04
    assert lowest.max() < 0.1


def test_legs_swing_as_they_were_recorded() -> None:
    true, made = driven(1)
    for side in ("left", "right"):
        bend = [
            np.linalg.norm(motion.joints[f"{side} hip"] - motion.joints[f"{side} ankle"], axis=1)
            for motion in (true, made)
        ]
        assert np.corrcoef(*bend)[0, 1] > 0.9


def test_a_person_has_one_body_however_the_sensor_saw_them() -> None:
    parent, child = KINECT20.index["left knee"], KINECT20.index["left ankle"]
    walks = [recording(1), recording(1, seconds=3.0)]
    usual = np.linalg.norm(walks[0][0, child] - walks[0][0, parent])
    given = [walk.copy() for walk in walks]
    grown = np.linspace(0.9, 1.1, len(given[1]))[:, None]
    bone = given[1][:, child] - given[1][:, parent]
    for joint in (child, KINECT20.index["left foot"]):
        given[1][:, joint] += (grown - 1) * bone
    even = one_body(given)
    assert [walk.shape for walk in even] == [walk.shape for walk in walks]
    every = np.concatenate(even)
    for a, b in KINECT20.bones:
        lengths = np.linalg.norm(every[:, a] - every[:, b], axis=1)
        assert np.ptp(lengths) < 1e-9, (a, b)
    for part, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        both = [
            np.linalg.norm(every[0, KINECT20.index[f"{side} {part}"]] - every[0, KINECT20.index[f"{side} {end}"]])
            for side in ("left", "right")
        ]
        assert both[0] == pytest.approx(both[1])
    assert np.linalg.norm(every[0, child] - every[0, parent]) == pytest.approx(usual, rel=0.03)
    direction = (even[1][:, child] - even[1][:, parent]) @ bone.T
    assert np.diag(direction) == pytest.approx(np.linalg.norm(bone, axis=1) * np.linalg.norm(
        even[1][:, child] - even[1][:, parent], axis=1))  # fmt: skip
    np.testing.assert_array_equal(given[0], walks[0])


def test_somebody_recorded_is_put_where_the_scene_has_them() -> None:
    generator = np.random.default_rng(3)
    joints = recording(2)
    body = measured_body(joints, generator)
    motion = recorded_motion(joints, FPS, body)
    plain = Recorded(body, draw_looks(generator, True), draw_clothes(generator, True), motion)
    times = np.array([0.0, 1.01, motion.times[-1] / 2, 3.0, 99.0])
    straight, moved = plain.motion(times), replace(plain, heading=1.1, middle=(2.0, -3.0)).motion(times)
    np.testing.assert_allclose(straight.joints["pelvis"][2, [0, 2]], 0.0, atol=1e-6)
    np.testing.assert_allclose(moved.joints["pelvis"][2, [0, 2]], (2.0, -3.0), atol=1e-6)
    turned = about(1, np.array(1.1))
    for name, points in moved.joints.items():
        np.testing.assert_allclose(points, straight.joints[name] @ turned.T + (2.0, 0.0, -3.0), atol=1e-6)
    np.testing.assert_allclose(moved.rotations["left_foot"], turned @ straight.rotations["left_foot"], atol=1e-6)
    way = moved.joints["pelvis"][-1] - moved.joints["pelvis"][0]
    assert np.arctan2(way[0], way[2]) == pytest.approx(1.1, abs=0.05)
    # Beyond the end the last frame stays.
    np.testing.assert_allclose(straight.joints["head"][-1] - straight.joints["pelvis"][-1],
                               motion.joints["head"][-1] - motion.joints["pelvis"][-1], atol=1e-6)  # fmt: skip
    frames = walker_joints(plain.motion(motion.times), KINECT20)
    assert np.isfinite(frames).all()
