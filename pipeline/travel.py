"""Which way a person goes, told by where they are in the picture and how large; and skeletons that walk backwards.

Seen small or from behind, a pose estimator takes a back for a front: the picture is explained as well by the body
turned round, left and right exchanged and the depth mirrored. But people walk forwards. Who gets smaller goes away, so
that a skeleton that faces the camera meanwhile is the mirrored reading of one that does not.
"""

import itertools

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.joints import MIRROR
from pipeline.values import PoseTrack
from smsge.canonical import joint
from smsge.layouts import CASIA14

STATURE = 1.6
"""Metres, of a person from the head's middle to the ankles along the body: what a size in pixels is compared with."""
FOCAL = 0.9
"""The focal length that is assumed, in longer sides of the picture: a horizontal view of 58 degrees."""
REACH = 0.7  # seconds to each side over which a velocity is measured
SURE = 0.3  # metres a second towards or away from the camera, from which on the direction is believed
SLANT = 0.35  # and the least share of the whole velocity that this must be
_STEADY = 0.2  # seconds, deviation of the low-pass of the direction in which a body faces


def velocity(track: PoseTrack) -> np.ndarray:
    """(T, 2) metres a second, about: to the right of the picture, and towards the camera."""
    image, times = track.image.astype(np.float64), track.times
    middle = image[:, [23, 24]].mean(axis=1)
    chain = [image[:, [0, 7, 8]].mean(axis=1), image[:, [11, 12]].mean(axis=1), middle, image[:, [27, 28]].mean(axis=1)]
    size = sum(np.linalg.norm(b - a, axis=1) for a, b in itertools.pairwise(chain))
    size = np.maximum(size, 10.0)
    away = FOCAL * max(track.frame_size) * STATURE / size
    across = _slope(times, middle[:, 0]) * STATURE / size
    return np.stack([across, away * _slope(times, np.log(size))], axis=1)


def mend_facing(joints: np.ndarray, visibility: np.ndarray, track: PoseTrack) -> tuple[np.ndarray, np.ndarray]:
    """joints (T, 14, 3) in the camera's axes (x right, y up, z towards it), visibility (T, 14) -> the same, frames in
    which the person would be walking backwards mirrored in depth, left for right."""
    backwards = _backwards(joints, velocity(track), track.times)
    hips = joint(joints, CASIA14, "mid hip")[:, None]
    turned = (joints[:, MIRROR] - hips) * (1.0, 1.0, -1.0) + hips
    return (
        np.where(backwards[:, None, None], turned, joints),
        np.where(backwards[:, None], visibility[:, MIRROR], visibility),
    )


def _backwards(joints: np.ndarray, speed: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) bool: the body faces the camera while it goes away, or the other way about."""
    left = sum(joint(joints, CASIA14, f"left {part}") - joint(joints, CASIA14, f"right {part}")
               for part in ("hip", "shoulder"))  # fmt: skip
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    front = gaussian_filter1d(np.asarray(left)[:, 0], _STEADY / max(spacing, 1e-3), mode="nearest")
    towards = speed[:, 1]
    sure = (np.abs(towards) >= SURE) & (np.abs(towards) >= SLANT * np.linalg.norm(speed, axis=1))
    return np.asarray(sure & (front * towards < 0))


def _slope(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(T,) of a straight line fitted to the values within REACH of each time; 0 where there are too few."""
    out = np.zeros(len(times))
    firsts, stops = np.searchsorted(times, times - REACH), np.searchsorted(times, times + REACH, "right")
    for number, (first, stop) in enumerate(zip(firsts, stops, strict=True)):
        t = times[first:stop] - times[first:stop].mean()
        if len(t) > 2:
            out[number] = t @ values[first:stop] / max(float(t @ t), 1e-9)
    return out
