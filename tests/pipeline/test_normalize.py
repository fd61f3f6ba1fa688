"""Skeletons from footage depend on the body and the walk, not on the camera's clock or its slips."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from stick_people import SHIN, THIGH, Stick, moved, walk

from pipeline.joints import joints14
from pipeline.lift import Lift
from pipeline.normalize import normalize
from pipeline.settings import NormalizeSettings
from pipeline.sides import mend_sides
from pipeline.values import PoseTrack
from smsge.layouts import CASIA14

SETTINGS = NormalizeSettings()
BODY = Stick()
TIMES = np.arange(0, 4, 0.04)
SIDES = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + (1 if i % 2 else -1) for i in range(11, 33))])
I = CASIA14.index  # noqa: E741


def swap_sides(track: PoseTrack, frames: slice | np.ndarray) -> PoseTrack:
    world, image = track.world.copy(), track.image.copy()
    world[frames], image[frames] = world[frames][:, SIDES], image[frames][:, SIDES]
    return replace(track, world=world, image=image)


def keep(track: PoseTrack, frames: np.ndarray) -> PoseTrack:
    names = ("times", "frames", "boxes", "image", "world", "visibility")
    return replace(track, **{name: getattr(track, name)[frames] for name in names})


def mend(track: PoseTrack) -> tuple[np.ndarray, np.ndarray]:
    joints, _, swapped = mend_sides(joints14(track), track.visibility[:, :14], track.times, 1.6)
    return joints, swapped


def length(joints: np.ndarray, a: str, b: str) -> np.ndarray:
    return np.asarray(np.linalg.norm(joints[:, I[a]] - joints[:, I[b]], axis=-1))


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, -np.pi / 2, 2.5, np.pi])
def test_canonical_from_every_side_without_mirroring(heading: float) -> None:
    got = normalize(walk(BODY, TIMES, heading), SETTINGS, Lift())
    assert got.layout is CASIA14
    assert got.fps == SETTINGS.fps
    assert abs(len(got) - 4 * SETTINGS.fps) <= 1
    reference = normalize(walk(BODY, TIMES, 0.3), SETTINGS, Lift())
    np.testing.assert_allclose(got.joints, reference.joints, atol=2e-3)
    assert (got.joints[:, I["left shoulder"], 0] > 0.1).all()  # x to the person's left
    assert (got.joints[:, I["head"], 1] > 0.3).all()  # y up
    assert got.joints[:, I["head"], 2].mean() > got.joints[:, I["neck"], 2].mean()  # the nose is in front
    assert (length(got.joints, "left hip", "left knee") / length(got.joints, "left knee", "left ankle")).mean() == (
        pytest.approx(THIGH / SHIN, rel=0.03)
    )


@pytest.mark.parametrize("fps", [15, 25, 30, 60])
def test_any_frame_rate_gives_the_same_skeletons(fps: int) -> None:
    reference = normalize(walk(BODY, np.arange(0, 4.001, 1 / 120)), SETTINGS, Lift())
    got = normalize(walk(BODY, np.arange(0, 4.001, 1 / fps)), SETTINGS, Lift())
    np.testing.assert_allclose(got.joints[2:-2], reference.joints[2 : len(got) - 2], atol=0.012)
    assert np.abs(got.joints - reference.joints[: len(got)]).mean() < 0.002


def test_uneven_frames_give_the_same_skeletons() -> None:
    rng = np.random.default_rng(0)
    uneven = np.concatenate([[0.0], np.cumsum(rng.uniform(0.01, 0.08, 95))])
    reference = normalize(walk(BODY, np.arange(0, uneven[-1] + 0.01, 1 / 120)), SETTINGS, Lift())
    got = normalize(walk(BODY, uneven), SETTINGS, Lift())
    n = min(len(got), len(reference))
    assert np.abs(got.joints[2 : n - 2] - reference.joints[2 : n - 2]).max() < 0.02
    assert np.abs(got.joints[:n] - reference.joints[:n]).mean() < 0.003


def test_a_short_gap_is_bridged_and_a_long_one_splits() -> None:
    track = walk(BODY, TIMES)
    whole = normalize(track, SETTINGS, Lift())
    short = normalize(keep(track, (TIMES < 1.8) | (TIMES > 2.0)), SETTINGS, Lift())
    assert len(short) == len(whole)
    assert set(short.segment) == {0}
    assert np.abs(short.joints - whole.joints).max() < 0.1
    long = normalize(keep(track, (TIMES < 1.5) | (TIMES > 2.5)), SETTINGS, Lift())
    assert list(np.unique(long.segment)) == [0, 1]
    assert len(long.windows(20, 5)) >= 2
    legs = [length(long.joints[long.segment == s], "left hip", "left knee").mean() for s in (0, 1)]
    assert legs[0] == pytest.approx(legs[1], rel=0.01)  # one scale for the track


def test_a_joint_unseen_for_a_moment_is_filled_in_by_its_neighbours() -> None:
    track = walk(BODY, TIMES)
    world, visibility = track.world.copy(), track.visibility.copy()
    world[40:45, 28] += 0.5
    visibility[40:45, 28] = 0.05
    got = normalize(moved(replace(track, visibility=visibility), world), SETTINGS, Lift())
    assert np.abs(got.joints - normalize(track, SETTINGS, Lift()).joints).max() < 0.06


def test_spikes_are_taken_out() -> None:
    track = walk(BODY, TIMES)
    world = track.world.copy()
    world[30, 27] += [0.4, 0, 0]
    world[60, 16] += [0, -0.5, 0.3]
    got = normalize(moved(track, world), SETTINGS, Lift())
    assert np.abs(got.joints - normalize(track, SETTINGS, Lift()).joints).max() < 0.03


@pytest.mark.parametrize("frames", [slice(50, 51), slice(50, 52), slice(20, 27)])
@pytest.mark.parametrize("heading", [0.0, np.pi / 2, np.pi])
def test_sides_that_flip_for_some_frames_are_mended(frames: slice, heading: float) -> None:
    track = walk(BODY, TIMES, heading, noise=0.01)
    flipped = swap_sides(track, frames)
    joints, swapped = mend(flipped)
    np.testing.assert_array_equal(np.flatnonzero(swapped), np.arange(frames.start, frames.stop))
    np.testing.assert_allclose(joints, joints14(track), atol=1e-5)
    np.testing.assert_allclose(
        normalize(flipped, SETTINGS, Lift()).joints, normalize(track, SETTINGS, Lift()).joints, atol=0.02
    )


@pytest.mark.parametrize("fps", [10, 25, 60])
@pytest.mark.parametrize("begin", [1.0, 1.13, 1.26, 1.4])
@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_legs_exchanged_at_any_moment_of_the_stride_are_mended(fps: int, begin: float, seconds: float) -> None:
    track = walk(BODY, np.arange(0, 4, 1 / fps), noise=0.01)
    wrong = (track.times >= begin) & (track.times < begin + seconds)
    world = track.world.copy()
    for left in (25, 27, 29, 31):
        world[wrong, left] = track.world[wrong, left + 1] - track.world[wrong, 24] + track.world[wrong, 23]
        world[wrong, left + 1] = track.world[wrong, left] - track.world[wrong, 23] + track.world[wrong, 24]
    joints, _ = mend(moved(track, world))
    off = np.abs(joints - joints14(track)).max((1, 2))
    assert (off < 0.15).all()  # one frame at the moment at which the legs pass each other may go either way


def test_legs_that_seem_to_bounce_at_every_step_pass_each_other() -> None:
    track = walk(BODY, np.arange(0, 4, 0.04), noise=0.005)
    world = track.world.copy()
    behind = world[:, 27, 0] < world[:, 28, 0]  # the walker goes to the right: the left foot always in front
    for left in (25, 27):
        world[behind, left] = track.world[behind, left + 1] - track.world[behind, 24] + track.world[behind, 23]
        world[behind, left + 1] = track.world[behind, left] - track.world[behind, 23] + track.world[behind, 24]
    world[:, 25:29] = gaussian_filter1d(world[:, 25:29], 1.5, axis=0)  # the estimator's own smoothing
    bounced = moved(track, world)

    def apart(joints: np.ndarray) -> np.ndarray:
        return np.asarray(joints[:, I["left ankle"], 0] - joints[:, I["right ankle"], 0])

    assert (apart(joints14(bounced)) > 0).mean() > 0.95
    mended, true = apart(mend(bounced)[0]), apart(joints14(track))
    assert abs(np.corrcoef(mended, true)[0, 1]) > 0.95


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_nothing_is_swapped_in_a_clean_walk_or_a_turn(fps: int) -> None:
    times = np.arange(0, 6, 1 / fps)
    track = walk(BODY, times, noise=0.015)
    joints, _ = mend(track)
    assert (np.abs(joints - joints14(track)).max((1, 2)) > 0.1).mean() < 0.02
    world = np.stack([BODY.world(t, 4 * max(0.0, t - 2)) for t in times])
    turning = moved(walk(BODY, times), world)
    assert (np.abs(mend(turning)[0] - joints14(turning)).max((1, 2)) > 0.1).mean() < 0.02


def test_feet_out_of_the_picture_are_not_believed() -> None:
    track = walk(BODY, TIMES)
    cut = replace(track, frame_size=(1280, int(track.image[:, 27:29, 1].min()) - 5))
    assert len(normalize(cut, SETTINGS, Lift())) == 0
    half = replace(track, visibility=np.where(np.arange(33) % 2 == 1, 0.05, track.visibility).astype(np.float32))
    assert len(normalize(half, SETTINGS, Lift())) > 50  # one hidden side is usual, seen from the side


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_too_little_gives_an_empty_sequence(count: int) -> None:
    got = normalize(walk(BODY, np.arange(count) / 25), SETTINGS, Lift())
    assert len(got) == 0
    assert got.windows(20, 5).shape == (0, 20, 14, 3)


def test_smoothing_takes_off_noise_and_keeps_the_gait() -> None:
    clean = normalize(walk(BODY, TIMES), SETTINGS, Lift())
    noisy = normalize(walk(BODY, TIMES, noise=0.02), SETTINGS, Lift())
    assert np.abs(noisy.joints - clean.joints).std() < 0.7 * 0.02 / 1.6
    swing = joints14(walk(BODY, TIMES))[:, I["left ankle"], 0].std() / 1.62
    assert clean.joints[:, I["left ankle"], 2].std() > 0.9 * swing


def test_across_the_view_joints_are_where_the_picture_has_them() -> None:
    track = walk(BODY, TIMES, 0.7)
    true = joints14(track)
    off = np.random.default_rng(0).normal(scale=0.05, size=track.world.shape).astype(np.float32)
    joints = joints14(replace(track, world=track.world + off))
    assert np.abs(joints - true)[..., :2].mean() < 0.2 * np.abs(joints - true)[..., 2].mean()


def test_a_picture_in_one_point_leaves_the_metres_as_they_are() -> None:
    track = walk(BODY, TIMES, 0.7)
    np.testing.assert_allclose(joints14(replace(track, image=np.ones_like(track.image))), joints14(track), atol=1e-5)


def test_what_is_normalized_is_lifted() -> None:
    track = walk(BODY, TIMES, 0.7)
    bent = Lift(((np.zeros((42, 42)), np.eye(42)[2] * 0.1),))  # the head nearer to the camera
    assert np.abs(normalize(track, SETTINGS, bent).joints - normalize(track, SETTINGS, Lift()).joints).max() > 0.02
