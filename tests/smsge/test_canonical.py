"""What must not matter does not, what must matter does."""

import numpy as np
import pytest
from walking_figure import turned, walk

from smsge.canonical import canonicalize, heading, joint, stature
from smsge.layouts import CASIA14, LAYOUTS, SkeletonLayout

FPS = 15.0


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_camera_place_and_unit_change_nothing(layout: SkeletonLayout) -> None:
    joints = walk(layout)
    reference = canonicalize(joints, layout, FPS)
    for angle in (0.7, 3.0, -2.5):
        moved = 1000 * turned(joints, angle) + (3.0, 50.0, -700.0)
        assert np.abs(canonicalize(moved, layout, FPS) - reference).max() < 1e-4


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_canonical_form_is_upright_facing_z_rooted_and_of_unit_stature(layout: SkeletonLayout) -> None:
    joints = canonicalize(turned(walk(layout), 2.0), layout, FPS)
    assert joints.dtype == np.float32
    assert stature(joints, layout) == pytest.approx(1, abs=1e-5)
    root = joint(joints, layout, "mid hip")
    assert np.abs(root[:, [0, 2]]).max() < 1e-5
    assert abs(root[:, 1].mean()) < 1e-5
    assert joint(joints, layout, "head")[:, 1].min() > 0.3
    assert joint(joints, layout, "left shoulder")[:, 0].min() > 0.05
    assert joint(joints, layout, "right hip")[:, 0].max() < -0.02


def test_a_walk_on_a_circle_comes_out_facing_one_way() -> None:
    straight = walk(CASIA14, frames=150)
    turn = 2 * np.pi * np.arange(150) / 120
    path = np.stack([-np.cos(turn), np.zeros(150), np.sin(turn)], axis=1)
    circle = turned(straight, turn) + 4 * path[:, None]
    reference = canonicalize(straight, CASIA14, FPS)
    assert np.abs(canonicalize(circle, CASIA14, FPS) - reference).max() < 0.01
    assert np.ptp(heading(circle, CASIA14, FPS)) == pytest.approx(turn[-1], abs=0.1)


def test_swapped_frames_do_not_turn_the_heading_round() -> None:
    joints = walk(CASIA14)
    wrong = joints.copy()
    wrong[[20, 21, 50]] = turned(joints[[20, 21, 50]], np.pi)
    assert np.abs(heading(wrong, CASIA14, FPS) - heading(joints, CASIA14, FPS)).max() < np.pi / 2
    assert abs(heading(wrong, CASIA14, FPS)[-1] - heading(joints, CASIA14, FPS)[-1]) < 0.05


def test_a_mirrored_person_is_another_person() -> None:
    joints = walk(CASIA14)
    mirrored = joints * (-1, 1, 1)
    difference = canonicalize(mirrored, CASIA14, FPS) - canonicalize(joints, CASIA14, FPS)
    assert np.abs(difference).max() > 0.1


def test_a_tilted_camera_is_levelled_out_when_asked() -> None:
    joints = walk(CASIA14)
    tilt = np.radians(20)
    rotation = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    reference = canonicalize(joints, CASIA14, FPS)
    assert np.abs(canonicalize(joints @ rotation.T, CASIA14, FPS) - reference).max() < 1e-4
    unlevelled = canonicalize(joints @ rotation.T, CASIA14, FPS, level=False)
    assert np.abs(unlevelled - reference).max() > 0.1


def test_an_upside_down_skeleton_is_put_on_its_feet() -> None:
    joints = walk(CASIA14)
    upright = canonicalize(joints * (1, -1, -1), CASIA14, FPS)
    assert joint(upright, CASIA14, "head")[:, 1].min() > 0.3


def test_the_body_may_rise_and_fall() -> None:
    assert np.ptp(joint(canonicalize(walk(CASIA14), CASIA14, FPS), CASIA14, "mid hip")[:, 1]) > 0.02


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_very_short_tracks(frames: int) -> None:
    joints = canonicalize(turned(walk(CASIA14, frames=frames), 1.0), CASIA14, FPS)
    assert joints.shape == (frames, 14, 3)
    assert joint(joints, CASIA14, "left hip")[:, 0].min() > 0


def test_what_is_no_skeleton_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(T, 14, 3\)"):
        canonicalize(np.zeros((5, 20, 3)), CASIA14, FPS)
    with pytest.raises(ValueError, match="no extent"):
        canonicalize(np.zeros((5, 14, 3)), CASIA14, FPS)
    broken = walk(CASIA14)
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        canonicalize(broken, CASIA14, FPS)
