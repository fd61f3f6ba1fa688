"""A walker's motion in each layout, and a population of skeletons that tells who is who."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.synthetic.outings import population_motion
from pipeline.synthetic.skeletons import population_skeletons, walker_joints
from smsge.canonical import heading, in_form, stature
from smsge.layouts import CASIA14, KINECT20, KINECT25, LAYOUTS, SkeletonLayout


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_joints_are_where_a_body_has_them(layout: SkeletonLayout) -> None:
    body, motion, _ = population_motion(1, 1, 1, seconds=4.0, stops=0.0, slopes=0.0)
    joints = walker_joints(motion, layout)
    assert joints.shape == (60, layout.n_joints, 3)
    assert joints.dtype == np.float32
    height = dict(zip(layout.joints, joints[:, :, 1].mean(axis=0), strict=True))
    assert height["head"] > height["left shoulder"] > height["left hip"] > height["left knee"] > height["left ankle"]
    assert 0.8 < stature(joints, layout) / body.stature < 1.0
    # Left is left of the way it goes.
    moved = motion.joints["pelvis"][-1] - motion.joints["pelvis"][-8]
    facing = heading(joints, layout, 15.0)[-4]
    assert abs(np.angle(np.exp(1j * (np.arctan2(moved[0], moved[2]) - facing)))) < 0.6


@pytest.mark.parametrize("layout", [KINECT20, KINECT25], ids=lambda layout: layout.name)
def test_a_kinect_spine_goes_up_in_order(layout: SkeletonLayout) -> None:
    _, motion, _ = population_motion(1, 2, 1, seconds=2.0)
    joints = walker_joints(motion, layout)
    names = (
        ("hip centre", "spine", "shoulder centre", "head")
        if layout is KINECT20
        else ("spine base", "spine mid", "spine shoulder", "neck", "head")
    )
    spine = np.stack([joints[:, layout.index[name], 1] for name in names])
    assert (np.diff(spine, axis=0) > 0.01).all()
    for side in ("left", "right"):
        ankle, foot = (motion.joints[f"{side} ankle"], joints[:, layout.index[f"{side} foot"]])
        assert np.linalg.norm(ankle - foot, axis=1).max() < 0.12


def test_casia14_is_the_truth_of_clips() -> None:
    _, motion, _ = population_motion(1, 2, 1, seconds=2.0)
    joints = walker_joints(motion, CASIA14)
    for number, name in enumerate(CASIA14.joints):
        np.testing.assert_allclose(joints[:, number], motion.joints[name], atol=1e-5)


def test_a_layout_that_is_equal_is_the_layout() -> None:
    _, motion, _ = population_motion(1, 2, 1, seconds=2.0)
    np.testing.assert_array_equal(walker_joints(motion, replace(CASIA14)), walker_joints(motion, CASIA14))


def test_a_population_says_who_and_when() -> None:
    made = list(population_skeletons(4, [3, 7], 2, KINECT25, fps=15.0, seconds=2.0))
    assert [(one.identity, one.session) for one in made] == [
        ("0003", "0003_1"), ("0003", "0003_2"), ("0007", "0007_1"), ("0007", "0007_2"),
    ]  # fmt: skip
    assert all(len(one) == 30 and one.layout is KINECT25 for one in made)
    _, motion, _ = population_motion(4, 7, 2, seconds=2.0, fps=15.0)
    np.testing.assert_array_equal(made[-1].joints, walker_joints(motion, KINECT25))


def test_another_form_is_that_of_the_joints_over_one_place() -> None:
    (plain,), (formed,) = (
        population_skeletons(4, [1], 1, CASIA14, seconds=3.0, form=form, slopes=0.0) for form in ("recorded", "metric")
    )
    still = plain.joints.copy()
    still[:, :, [0, 2]] -= still[:, [8, 11]][:, :, [0, 2]].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(formed.joints, in_form(still, CASIA14, 15.0, "metric"), atol=1e-4)
    with pytest.raises(ValueError, match="form"):
        next(population_skeletons(4, [1], 1, CASIA14, seconds=3.0, form="upside down"))


def test_neither_the_way_nor_a_slope_is_left_in_a_canonical_form() -> None:
    """The hips only rise and fall with the steps."""
    for walk in population_skeletons(4, range(1, 9), 1, CASIA14, seconds=8.0, form="metric", stops=0.0, slopes=1.0):
        hips = walk.joints[:, [8, 11], 1].mean(axis=1)
        assert np.ptp(hips) < 0.15
