"""A stick figure that walks, in each layout: enough of a person to test what works on skeletons."""

import numpy as np
from numpy.typing import NDArray

from smsge.layouts import SkeletonLayout

_POSITIONS = {
    "head": (0, 1.65, 0.04), "neck": (0, 1.45, 0), "shoulder centre": (0, 1.45, 0), "spine shoulder": (0, 1.4, 0),
    "spine": (0, 1.1, 0), "spine mid": (0, 1.1, 0), "hip centre": (0, 0.95, 0), "spine base": (0, 0.95, 0),
    "shoulder": (0.2, 1.4, 0), "elbow": (0.24, 1.12, -0.02), "wrist": (0.25, 0.88, 0.04), "hand": (0.25, 0.8, 0.06),
    "hand tip": (0.25, 0.74, 0.07), "thumb": (0.22, 0.8, 0.1),
    "hip": (0.1, 0.92, 0), "knee": (0.1, 0.5, 0.02), "ankle": (0.1, 0.09, 0), "foot": (0.1, 0.02, 0.14),
}  # fmt: skip
_SWING = {"elbow": -0.12, "wrist": -0.22, "hand": -0.25, "hand tip": -0.26, "thumb": -0.25,
          "knee": 0.16, "ankle": 0.3, "foot": 0.3}  # fmt: skip


def walk(
    layout: SkeletonLayout, frames: int = 90, fps: float = 15.0, size: float = 1.0, seed: int = 0
) -> NDArray[np.float64]:
    """(T, J, 3) metres, walking on the spot and facing +z with x to the left: canonical but for scale and root.

    size stretches the legs, seed draws a body and a gait.
    """
    rng = np.random.default_rng(seed)
    swing, cadence = rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.1)
    phase = 2 * np.pi * cadence * np.arange(frames) / fps
    joints = np.zeros((frames, layout.n_joints, 3))
    for name, number in layout.index.items():
        side, _, rest = name.partition(" ")
        part = rest if side in ("left", "right") else name
        x, y, z = _POSITIONS[part]
        sign = {"left": 1.0, "right": -1.0}.get(side, 0.0)
        joints[:, number] = (sign * x, y * size, z)
        joints[:, number, 2] += sign * swing * _SWING.get(part, 0.0) * np.sin(phase)
    joints[..., 1] += 0.02 * np.cos(2 * phase)[:, None]
    return np.asarray(joints + rng.normal(0, 0.01, joints.shape[1:]))


def turned(joints: NDArray[np.floating], angle: float | NDArray[np.floating]) -> NDArray[np.float64]:
    """Turned about the vertical by `angle` radians (one, or one a frame), from +z towards +x."""
    c, s = np.broadcast_to(np.cos(angle), len(joints)), np.broadcast_to(np.sin(angle), len(joints))
    x, y, z = np.moveaxis(np.asarray(joints, np.float64), -1, 0)
    return np.stack([c[:, None] * x + s[:, None] * z, y, -s[:, None] * x + c[:, None] * z], axis=-1)
