"""Descriptors on a figure whose measures are known."""

import numpy as np
import pytest
from walking_figure import turned, walk

from smsge.canonical import canonicalize
from smsge.descriptors import (
    DESCRIPTORS,
    bone_lengths,
    d13,
    d16,
    joint_angles,
    over_windows,
    posture_statistics,
    posture_statistics_of,
    stride_swing,
)
from smsge.layouts import CASIA14, LAYOUTS, SkeletonLayout
from smsge.sequence import SkeletonSequence


def figure(**changes: tuple[float, float, float]) -> SkeletonSequence:
    """A casia14 person who stands with the arms hanging and legs straight down; joints may be moved."""
    positions = {
        "head": (0, 1.6, 0), "neck": (0, 1.4, 0),
        "right shoulder": (-0.2, 1.4, 0), "right elbow": (-0.2, 1.1, 0), "right wrist": (-0.2, 0.85, 0),
        "left shoulder": (0.2, 1.4, 0), "left elbow": (0.2, 1.1, 0), "left wrist": (0.2, 0.85, 0),
        "right hip": (-0.1, 0.9, 0), "right knee": (-0.1, 0.5, 0), "right ankle": (-0.1, 0.1, 0),
        "left hip": (0.1, 0.9, 0), "left knee": (0.1, 0.5, 0), "left ankle": (0.1, 0.1, 0),
    }  # fmt: skip
    positions |= {name.replace("_", " "): value for name, value in changes.items()}
    frame = np.array([positions[name] for name in CASIA14.joints], np.float32)
    return SkeletonSequence(np.repeat(frame[None], 5, axis=0), CASIA14, 15.0)


def test_d13_and_d16_by_hand() -> None:
    thirteen = d13(figure())
    expected = [1.5, 1.3, 0.2, 0.2, np.hypot(0.2, 0.25), 0.55, 0.55, 0.4, 0.4, 0.5, 0.2, 1.25, 1.25]
    assert thirteen == pytest.approx(expected, abs=1e-6)
    assert d16(figure()) == pytest.approx([*expected, 0.4, 0.4, 0.4], abs=1e-6)


def test_bone_lengths_by_hand() -> None:
    lengths = dict(zip(CASIA14.bones, bone_lengths(figure()), strict=True))
    assert lengths[0, 1] == pytest.approx(0.2)
    assert lengths[3, 4] == pytest.approx(0.25)
    assert lengths[1, 8] == pytest.approx(np.hypot(0.1, 0.5))


def test_angles_by_hand() -> None:
    straight = [np.pi, np.pi, np.pi, np.pi, 0, 0, 0, 0]
    assert joint_angles(figure())[0] == pytest.approx(straight, abs=1e-3)
    sitting = figure(
        left_elbow=(0.2, 1.4, 0.3),
        left_wrist=(0.2, 1.7, 0.3),
        right_knee=(-0.1, 0.9, 0.4),
        right_ankle=(-0.1, 0.5, 0.4),
    )
    bent = [np.pi / 2, np.pi, np.pi, np.pi / 2, np.pi / 2, 0, 0, np.pi / 2]
    assert joint_angles(sitting)[0] == pytest.approx(bent, abs=1e-3)


def test_posture_statistics_are_percentiles_of_lengths_then_angles() -> None:
    sequence = SkeletonSequence(canonicalize(walk(CASIA14), CASIA14, 15.0), CASIA14, 15.0)
    statistics = posture_statistics(sequence)
    assert statistics.shape == (3 * 13 + 5 * 8,)
    assert statistics[1:39:3] == pytest.approx(bone_lengths(sequence))
    knee = np.degrees(joint_angles(sequence)[:, 2])
    assert np.degrees(statistics[39 + 10 : 39 + 15]) == pytest.approx(np.percentile(knee, [5, 25, 50, 75, 95]))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("descriptor", [d13, d16, bone_lengths, posture_statistics])
def test_one_person_is_nearer_to_themselves_than_to_another(layout: SkeletonLayout, descriptor) -> None:  # type: ignore[no-untyped-def]
    def vector(size: float, angle: float):  # type: ignore[no-untyped-def]
        joints = canonicalize(turned(walk(layout, size=size), angle), layout, 15.0)
        return descriptor(SkeletonSequence(joints, layout, 15.0))

    same, again, other = vector(1.0, 0.0), vector(1.0, 2.0), vector(1.15, 0.0)
    assert np.isfinite(same).all()
    assert np.linalg.norm(same - again) < 0.01 * np.linalg.norm(same - other)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_many_clips_together_are_described_as_each_alone(layout: SkeletonLayout) -> None:
    joints = canonicalize(walk(layout), layout, 15.0)
    clips = np.stack([joints[start : start + 6] for start in range(0, 80, 7)])
    alone = {"D13": d13, "D16": d16, "bone lengths": bone_lengths, "posture statistics": posture_statistics}
    assert list(alone) == list(DESCRIPTORS)
    for name, describe in DESCRIPTORS.items():
        expected = [alone[name](SkeletonSequence(clip, layout, 15.0)) for clip in clips]
        assert describe(clips, layout) == pytest.approx(np.stack(expected), abs=1e-6)
        assert describe(clips, layout).std(axis=0).max() > 1e-4


def test_a_track_is_described_stretch_by_stretch() -> None:
    stand, sit = figure(), figure(right_knee=(-0.1, 0.9, 0.4), right_ankle=(-0.1, 0.5, 0.4))
    joints = np.concatenate([stand.joints, sit.joints, sit.joints])
    whole = SkeletonSequence(joints, CASIA14, 15.0, np.repeat([0, 1], [5, 10]))
    expected = (posture_statistics(stand) + 2 * posture_statistics(sit)) / 3
    assert posture_statistics(whole) == pytest.approx(expected)
    as_one = SkeletonSequence(joints, CASIA14, 15.0)
    assert np.abs(posture_statistics(as_one) - expected).max() > 0.1


def test_over_windows_is_the_mean_of_what_each_window_says() -> None:
    walking = SkeletonSequence(canonicalize(walk(CASIA14), CASIA14, 15.0), CASIA14, 15.0)
    cut = walking.windows(30, 10)
    assert len(cut) > 1
    expected = np.mean([posture_statistics_of(window[None], CASIA14)[0] for window in cut], axis=0)
    assert over_windows(posture_statistics_of, walking) == pytest.approx(expected)
    short = SkeletonSequence(walking.joints[:10], CASIA14, 15.0)
    assert over_windows(posture_statistics_of, short) == pytest.approx(posture_statistics(short))


def strider(frequency: float, frames: int, late: int = 0) -> SkeletonSequence:
    """Somebody whose feet and hands swing 0.3 and 0.2 ahead, and whose left hand goes up, a quarter of a stride later,
    by 0.1; filmed `late` frames later."""
    turn = 2 * np.pi * frequency * (np.arange(frames) + late) / 15.0
    joints = np.repeat(figure().joints[:1], frames, axis=0)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints[:, CASIA14.index[f"{side} ankle"], 2] += sign * 0.3 * np.cos(turn)
        joints[:, CASIA14.index[f"{side} wrist"], 2] -= sign * 0.2 * np.cos(turn)
    joints[:, CASIA14.index["left wrist"], 1] += 0.1 * np.sin(turn)
    return SkeletonSequence(joints, CASIA14, 15.0)


@pytest.mark.parametrize("frequency", [0.7, 0.95, 1.2])
def test_a_stride_is_told_by_what_swings_with_it(frequency: float) -> None:
    told = stride_swing(strider(frequency, 90))
    assert told.shape == (6 * 14 + 2,)
    ahead, across = told[:42].reshape(14, 3), told[42:84].reshape(14, 3)
    expected = np.zeros((2, 14, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        expected[0, CASIA14.index[f"{side} ankle"], 2] = sign * 0.3
        expected[0, CASIA14.index[f"{side} wrist"], 2] = sign * -0.2
    expected[1, CASIA14.index["left wrist"], 1] = 0.1
    assert ahead == pytest.approx(expected[0], abs=0.02)
    assert across == pytest.approx(expected[1], abs=0.02)
    assert told[84] == pytest.approx(frequency)
    assert told[85] == pytest.approx(1.0, abs=0.01)


def test_a_stride_is_told_alike_wherever_the_clip_begins() -> None:
    assert stride_swing(strider(0.95, 60, late=5)) == pytest.approx(stride_swing(strider(0.95, 60)), abs=0.02)


def test_a_stride_is_told_of_tracks_without_two_seconds_in_a_row() -> None:
    parts = [strider(0.95, 22).joints, strider(0.95, 28, late=3).joints]
    broken = SkeletonSequence(np.concatenate(parts), CASIA14, 15.0, np.repeat([0, 1], [22, 28]))
    assert stride_swing(broken) == pytest.approx(stride_swing(strider(0.95, 60)), abs=0.05)


def test_who_stands_still_has_no_stride() -> None:
    told = stride_swing(figure())
    assert np.isfinite(told).all()
    assert told[:84] == pytest.approx(np.zeros(84), abs=1e-6)
    assert told[85] == pytest.approx(0.0)
