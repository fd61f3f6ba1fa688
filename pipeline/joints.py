"""MediaPipe's 33 landmarks -> the 14 joints of the layout casia14, and which of them were really seen.

MediaPipe tells every landmark twice: where it is in the picture, and where it is in metres about the hips. Across the
view the first is the steadier one, of depth there is only the second. Joints are made of both.

Axes: MediaPipe's (x right of the image, y down, z away from the camera) are turned by half a turn about x, which
gives x right, y up, z towards the camera. That is a rotation: left stays left.
"""

import numpy as np

from pipeline.values import PoseTrack
from smsge.canonical import stature
from smsge.layouts import CASIA14

AXES = np.array([1.0, -1.0, -1.0])
SOURCES: tuple[tuple[int, ...], ...] = (  # landmarks whose mean is each joint, in casia14's order
    (0, 7, 8), (11, 12),
    (12,), (14,), (16,), (11,), (13,), (15,),
    (24,), (26,), (28,), (23,), (25,), (27,),
)  # fmt: skip
MIRROR = np.array([0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10])
"""Each joint's number on the other side."""
HEAD = 0
HIPS = [8, 11]
CORE = np.array([2, 5, 8, 11, 9, 12, 10, 13])
"""Joints without which a frame says nothing about a gait: right and left shoulder, hip, knee, ankle."""
VISIBLE = 0.3
"""Visibility below which a joint is a guess."""


def joints14(track: PoseTrack) -> np.ndarray:
    """(T, 14, 3) float64 metres, right-handed with y up, origin between the hips: across the view as in the picture,
    in depth as MediaPipe guesses, each frame's picture at the scale (least squares) of its metres."""
    world, flat = (np.stack([landmarks[:, source].mean(1) for source in SOURCES], axis=1).astype(np.float64)
                   for landmarks in (track.world, track.image))  # fmt: skip
    world, flat = (points - points[:, HIPS].mean(1, keepdims=True) for points in (world, flat))
    across = (world[..., :2] * flat).sum((1, 2))
    scale = across / np.maximum((flat**2).sum((1, 2)), 1e-9)
    seen = scale > 0  # not where the picture has everything in one point, or upside down
    world[seen, :, :2] = flat[seen] * scale[seen, None, None]
    return np.asarray(world * AXES)


def in_statures(joints: np.ndarray) -> np.ndarray:
    """(T, 14, 3) from the mid-hip, in units of the body's own stature."""
    return np.asarray((joints - joints[:, HIPS].mean(axis=1, keepdims=True)) / max(stature(joints, CASIA14), 1e-6))


def visibility14(track: PoseTrack) -> np.ndarray:
    """(T, 14) in [0, 1]: of the clearest landmark of each joint, 0 where it lies outside the picture."""
    width, height = track.frame_size
    x, y = track.image[..., 0], track.image[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    visibility = np.where(inside, track.visibility, 0.0)
    return np.stack([visibility[:, source].max(1) for source in SOURCES], axis=1)
