"""Skeletons in any right-handed axes -> upright, facing +z, feet under the origin, unit stature.

Two walks of one person then differ by the walk alone: not by where the camera stood, how it was tilted, which way the
person went, or in which unit the joints came. What is left in is what may tell people apart: proportions, posture
against the person's own vertical, and movement, the rise and fall of the body included.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from smsge.config import FORMS
from smsge.layouts import SkeletonLayout

VERSION = 1
"""Rises whenever the same joints would come out differently: it is part of an encoder's fingerprint."""

HEADING_SECONDS = 1.5
"""Width of the heading's low-pass: more than one stride, so that the sway of hips and shoulders stays in."""

Array = NDArray[np.floating]
_SMALLEST_STATURE = 1e-6


@cache
def neck_name(layout: SkeletonLayout) -> str:
    """The joint at the root of the neck: `neck`, or `shoulder centre` where a layout has no neck (Kinect v1)."""
    return "neck" if "neck" in layout.index else "shoulder centre"


def joint(joints: Array, layout: SkeletonLayout, name: str) -> Array:
    """(T, J, 3) -> (T, 3): one joint by its name; `neck` is found in each layout, `mid hip`, `mid ankle`, … are the
    means of left and right."""
    if name.startswith("mid "):
        pair = [layout.index[f"{side} {name[4:]}"] for side in ("left", "right")]
        return np.asarray(joints[:, pair].mean(axis=1))
    return joints[:, layout.index[neck_name(layout) if name == "neck" else name]]


def stature(joints: Array, layout: SkeletonLayout) -> float:
    """Length of the body along its bones, in the unit of `joints` (T, J, 3): the median over time of head to neck,
    neck to mid-hip, thigh and shin, the last two as means of left and right. About 0.9 of a person's height.
    """

    def length(a: str, b: str) -> Array:
        return np.asarray(np.linalg.norm(joint(joints, layout, a) - joint(joints, layout, b), axis=-1))

    legs = sum(length(f"{s} hip", f"{s} knee") + length(f"{s} knee", f"{s} ankle") for s in ("left", "right"))
    return float(np.median(length("head", "neck") + length("neck", "mid hip") + legs / 2))


def canonicalize(joints: Array, layout: SkeletonLayout, fps: float, *, level: bool = True) -> NDArray[np.float32]:
    """One uninterrupted track in its canonical form.

    joints: (T, J, 3), T >= 1, right-handed axes with y up (tilted axes where `level`), any unit, no gaps. fps: frames
    a second. Returns (T, J, 3) float32: x to the person's left, y up, z the way the person faces.

    level: the vertical is estimated, once for the track, as the mean direction from mid-ankle to neck, and turned to
    +y. This takes out a camera's tilt together with the person's mean lean; without it y is trusted.
    Heading: see `heading`; smoothed over 1.5 s, so that the hips' own turning within a stride is kept.
    Scale: one for the track, `stature` becomes 1.
    Root: mid-hip goes to x = z = 0 in every frame; in y only its mean over the track is taken off, so the body's rise
    and fall stays in.

    Raises ValueError if the shape is wrong, a number is not finite, or the skeleton has no extent.
    """
    if joints.ndim != 3 or joints.shape[1:] != (layout.n_joints, 3) or len(joints) == 0:
        raise ValueError(f"joints must be (T, {layout.n_joints}, 3) with T >= 1 for {layout.name}, got {joints.shape}")
    x: Array = joints.astype(np.float64)
    if not np.isfinite(x).all():
        raise ValueError("joints must be finite: fill the gaps first")
    height = stature(x, layout)
    if height < _SMALLEST_STATURE:
        raise ValueError("joints all lie in one place: the skeleton has no extent")
    x = (x - joint(x, layout, "mid hip").mean(axis=0)) / height
    if level:
        x = x @ _to_vertical(joint(x, layout, "neck") - joint(x, layout, "mid ankle")).T
    x = _face_forward(x, heading(x, layout, fps))
    root = joint(x, layout, "mid hip").copy()
    root[:, 1] = root[:, 1].mean()
    return np.asarray(x - root[:, None], dtype=np.float32)


def in_form(joints: Array, layout: SkeletonLayout, fps: float, form: str) -> NDArray[np.float32]:
    """(T, J, 3) of one uninterrupted track, metres -> that in one of `FORMS`. Raises ValueError as `canonicalize`."""
    if form == "recorded":
        return np.asarray(joints, dtype=np.float32)
    canonical = canonicalize(joints, layout, fps)
    if form == "canonical":
        return canonical
    if form == "metric":
        return canonical * np.float32(stature(joints, layout))
    raise ValueError(f"form must be one of {', '.join(FORMS)}, not {form!r}")


def heading(joints: Array, layout: SkeletonLayout, fps: float) -> Array:
    """(T, J, 3) with y up -> (T,) radians, continuous: the angle from +z towards +x that the person faces.

    The person's left is the sum of right-to-left hip and right-to-left shoulder, whose counter-rotations in walking
    nearly cancel; forward is left x up. A frame whose left and right are swapped by the pose estimator must not send
    the unwrapped angle round by a turn: angles are unwrapped about the direction of the smoothed left-right vector.
    Then a straight line is fitted about each frame, over 1.5 s, which follows a steady turn without lag.
    """
    hips = joint(joints, layout, "left hip") - joint(joints, layout, "right hip")
    shoulders = joint(joints, layout, "left shoulder") - joint(joints, layout, "right shoulder")
    left = hips + shoulders
    window = HEADING_SECONDS * fps
    guide = gaussian_filter1d(left, sigma=window / 4, axis=0, mode="nearest")
    rough = np.unwrap(_angle(guide))
    angle = rough + np.angle(np.exp(1j * (_angle(left) - rough)))
    odd = 2 * int(window / 2) + 1
    odd = min(odd, len(angle) - 1 + len(angle) % 2)
    if odd < 3:
        return np.full(len(angle), angle.mean())
    return np.asarray(savgol_filter(angle, odd, polyorder=1, mode="interp"))


def _angle(left: Array) -> Array:
    """(T, 3) left-right vectors -> (T,) heading; forward = left x up = (-left_z, ., left_x)."""
    return np.arctan2(-left[:, 2], left[:, 0])


def _to_vertical(spine: Array) -> Array:
    """(T, 3) upward vectors -> the (3, 3) smallest rotation that turns their mean direction to +y."""
    up = (spine / np.maximum(np.linalg.norm(spine, axis=1, keepdims=True), 1e-12)).mean(axis=0)
    norm = np.linalg.norm(up)
    if norm < 1e-9:
        return np.eye(3)
    ux, uy, uz = up / norm
    if uy < -0.999999:
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula for the axis up x y and the angle between them.
    cross = np.array([[0.0, -ux, 0.0], [ux, 0.0, uz], [0.0, -uz, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + uy))


def _face_forward(joints: Array, angle: Array) -> Array:
    """Turn each frame of (T, J, 3) about y by minus its heading (T,)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
    return np.stack([c * x - s * z, y, s * x + c * z], axis=-1)
