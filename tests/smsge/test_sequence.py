"""Walks and their mirror images."""

import numpy as np
import pytest

from smsge.layouts import CASIA14, KINECT20, KINECT25, SkeletonLayout
from smsge.sequence import SkeletonSequence, mirror


@pytest.mark.parametrize("layout", [CASIA14, KINECT20, KINECT25])
def test_in_a_mirror_left_is_right(layout: SkeletonLayout) -> None:
    joints = np.random.default_rng(0).normal(size=(5, layout.n_joints, 3)).astype(np.float32)
    walk = SkeletonSequence(joints, layout, 15.0, np.array([0, 0, 1, 1, 1]), "ann", "monday", truth=joints)
    seen = mirror(walk)
    left, right, head = (layout.index[name] for name in ("left knee", "right knee", "head"))
    np.testing.assert_array_equal(seen.joints[:, left], joints[:, right] * (-1, 1, 1))
    np.testing.assert_array_equal(seen.joints[:, head], joints[:, head] * (-1, 1, 1))
    assert (seen.identity, seen.session, seen.truth) == ("ann", "monday", None)
    np.testing.assert_array_equal(seen.segment, walk.segment)
    np.testing.assert_array_equal(mirror(seen).joints, joints)


def test_windows_lie_within_stretches() -> None:
    joints = np.arange(10.0)[:, None, None] * np.ones((1, 14, 3))
    walk = SkeletonSequence(joints, CASIA14, 15.0, np.array([0, 0, 1, 1, 1, 1, 1, 1, 2, 2]))
    assert [stretch[:, 0, 0].tolist() for stretch in walk.stretches()] == [[0, 1], [2, 3, 4, 5, 6, 7], [8, 9]]
    assert walk.windows(4, 3)[:, :, 0, 0].tolist() == [[2, 3, 4, 5], [4, 5, 6, 7]]
    assert walk.windows(7, 1).shape == (0, 7, 14, 3)
