"""People walk forwards: who gets smaller shows the camera their back, whatever the pose estimator says."""

from dataclasses import replace

import numpy as np
import pytest
from stick_people import Stick, walk

from pipeline.joints import MIRROR, joints14, visibility14
from pipeline.lift import Lift
from pipeline.normalize import normalize, steady
from pipeline.settings import NormalizeSettings
from pipeline.travel import FOCAL, mend_facing, velocity
from pipeline.values import PoseTrack
from smsge.layouts import CASIA14

TIMES = np.arange(0, 3, 0.04)
SPEED = 1.2
SETTINGS = NormalizeSettings()
SIDES = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + (1 if i % 2 else -1) for i in range(11, 33))])
AWAY, TOWARDS, RIGHT = np.pi, 0.0, np.pi / 2


def walking(heading: float, speed: float = SPEED, distance: float = 7.0, times: np.ndarray = TIMES) -> PoseTrack:
    """Somebody who faces and goes in the direction `heading`, before a camera that stands still."""
    seen = walk(Stick(), times, heading, scale=1.0)
    focal = FOCAL * max(seen.frame_size)
    away = distance - speed * np.cos(heading) * (times - times.mean())
    scale = (focal / away)[:, None, None]
    middle = np.stack([640 + focal * speed * np.sin(heading) * (times - times.mean()) / away, np.full(len(times), 240)])
    image = (seen.world[:, :, :2] * scale + middle.T[:, None]).astype(np.float32)
    boxes = np.concatenate([image.min(axis=1), image.max(axis=1)], axis=1)
    return replace(seen, image=image, boxes=boxes)


def mirrored(track: PoseTrack, frames: np.ndarray | slice = slice(None)) -> PoseTrack:
    """The other reading of the same picture: left and right exchanged, the depth turned round."""
    image, world, visibility = track.image.copy(), track.world.copy(), track.visibility.copy()
    image[frames] = image[frames][:, SIDES]
    world[frames] = world[frames][:, SIDES] * np.array([1, 1, -1], np.float32)
    visibility[frames] = visibility[frames][:, SIDES]
    return replace(track, image=image, world=world, visibility=visibility)


def mended(track: PoseTrack) -> np.ndarray:
    return mend_facing(joints14(track), visibility14(track), track)[0]


@pytest.mark.parametrize("heading", [AWAY, TOWARDS, RIGHT, -RIGHT, 2.5, -0.6])
def test_velocity_is_told_by_place_and_size(heading: float) -> None:
    got = velocity(walking(heading))
    true = SPEED * np.array([np.sin(heading), np.cos(heading)])
    middle = slice(15, -15)
    np.testing.assert_allclose(got[middle].mean(axis=0), true, atol=0.2)


@pytest.mark.parametrize("heading", [AWAY, TOWARDS, 2.4, -2.4, 0.7, -0.7])
def test_who_walks_backwards_is_turned_round_and_who_does_not_is_left_alone(heading: float) -> None:
    right = walking(heading)
    true = joints14(right)
    np.testing.assert_array_equal(mended(right), true)
    wrong = mirrored(right)
    assert np.abs(joints14(wrong) - true).max() > 0.2
    np.testing.assert_allclose(mended(wrong), true, atol=1e-6)


@pytest.mark.parametrize("heading", [AWAY, TOWARDS])
def test_a_part_that_is_turned_round_is_turned_back(heading: float) -> None:
    right = walking(heading)
    wrong = mirrored(right, np.flatnonzero(TIMES > 1.5))
    off = np.abs(mended(wrong) - joints14(right)).max(axis=(1, 2)) > 1e-6
    assert off.sum() <= 8  # about the moment of the change a direction is none
    assert not off[(TIMES < 1.2) | (TIMES > 1.8)].any()


def test_visibility_goes_with_the_joints() -> None:
    right = walking(AWAY)
    one_sided = replace(right, visibility=np.where(np.arange(33) % 2 == 1, 0.2, 0.9) * np.ones((len(right), 1)))
    wrong = mirrored(one_sided)
    visibility = mend_facing(joints14(wrong), visibility14(wrong), wrong)[1]
    np.testing.assert_array_equal(visibility, visibility14(one_sided))
    assert not np.array_equal(visibility, visibility[:, MIRROR])


def test_without_a_way_to_or_from_the_camera_nothing_is_said() -> None:
    standing = walking(AWAY, speed=0.0)
    going_along = walk(Stick(), TIMES, AWAY)  # the camera goes with them: their size stays
    for track in (walking(RIGHT), walking(-RIGHT), standing, going_along, walking(AWAY, speed=0.1)):
        for reading in (track, mirrored(track)):
            np.testing.assert_array_equal(mended(reading), joints14(reading))


@pytest.mark.parametrize("count", [1, 2])
def test_a_moment_says_nothing(count: int) -> None:
    track = mirrored(walking(AWAY, times=TIMES[:count]))
    np.testing.assert_array_equal(velocity(track), 0.0)
    np.testing.assert_array_equal(mended(track), joints14(track))


@pytest.mark.parametrize("heading", [AWAY, TOWARDS])
def test_skeletons_come_out_facing_the_way_they_walk(heading: float) -> None:
    right = walking(heading)
    wrong = mirrored(right)
    ((seconds, joints),) = steady(wrong, SETTINGS)
    ((_, true),) = steady(right, SETTINGS)
    np.testing.assert_allclose(seconds, np.arange(len(joints)) / SETTINGS.fps)
    assert TIMES[-1] - seconds[-1] < 1 / SETTINGS.fps
    np.testing.assert_allclose(joints, true, atol=1e-5)
    left = joints[:, CASIA14.index["left shoulder"], 0] - joints[:, CASIA14.index["right shoulder"], 0]
    assert ((left > 0) == (heading == TOWARDS)).all()
    np.testing.assert_allclose(
        normalize(wrong, SETTINGS, Lift()).joints, normalize(right, SETTINGS, Lift()).joints, atol=1e-5
    )
