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
    cut = walking.windows(15, 5)
    expected = np.mean([posture_statistics_of(window[None], CASIA14)[0] for window in cut], axis=0)
    assert over_windows(posture_statistics_of, walking, 1.0) == pytest.approx(expected)
    short = SkeletonSequence(walking.joints[:10], CASIA14, 15.0)
    assert over_windows(posture_statistics_of, short) == pytest.approx(posture_statistics(short))
