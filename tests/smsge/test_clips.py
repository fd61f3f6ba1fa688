"""The clips of a training set, and what is known of where their joints really were."""

import numpy as np
import pytest
import torch

from smsge.clips import Clips
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence


def walk(frames: int, who: str, first: float = 0.0, truth: float | None = None) -> SkeletonSequence:
    joints = np.zeros((frames, 14, 3), np.float32) + (first + np.arange(frames, dtype=np.float32))[:, None, None]
    known = None if truth is None else joints + np.float32(truth)
    return SkeletonSequence(joints, CASIA14, 15.0, identity=who, truth=known)


def test_each_sequence_can_have_a_stride_of_its_own() -> None:
    clips = Clips.of([walk(10, "a"), walk(10, "b", 100.0)], 4, [2, 6])
    assert clips.take(np.arange(len(clips)))[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 100, 106]
    with pytest.raises(ValueError, match="zip"):
        Clips.of([walk(10, "a")], 4, [2, 6])


def test_the_truth_goes_with_the_clips_and_is_what_was_seen_where_it_is_not_known() -> None:
    clips = Clips.of([walk(6, "a", truth=0.5), walk(6, "b", 100.0)], 4, 2)
    apart = (clips.really(np.arange(len(clips))) - clips.take(np.arange(len(clips))))[:, 0, 0, 0]
    assert apart.tolist() == [0.5, 0.5, 0.0, 0.0]
    plain = Clips.of([walk(6, "a")], 4, 2)
    assert plain.truth is plain.frames
    torch.testing.assert_close(plain.really(np.array([1])), plain.take(np.array([1])))


def test_a_truth_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="truth must have"):
        SkeletonSequence(np.zeros((4, 14, 3), np.float32), CASIA14, 15.0, truth=np.zeros((5, 14, 3), np.float32))
