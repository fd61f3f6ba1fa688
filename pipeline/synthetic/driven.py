"""A walk recorded by a depth sensor -> the body and the motion of a walker who can be rendered.

So real proportions and a real gait arrive as a camera and the pose estimator see them. What a sensor of 20 joints does
not measure (girths, face, fingers) is drawn at random once a person. The sensor followed its subject, so the path is
not known: it is taken to be straight, at the speed at which the foot on the ground stays
where it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.synthetic.body import Body, draw_body
from pipeline.synthetic.legs import SIDES, foot_points, sign_of
from pipeline.synthetic.looks import Clothes, Looks
from pipeline.synthetic.rotation import about, orthonormal, turn
from pipeline.synthetic.walker import Motion
from smsge.canonical import in_form
from smsge.layouts import KINECT20

SMOOTH = 0.05
"""Seconds, deviation of the low-pass: a Kinect's joints jitter by a centimetre or two."""

_SPREAD = 0.12  # seconds over which the speed is evened out


@dataclass(frozen=True)
class Recorded:
    """One person of a scene who moves as was recorded. motion_of: the whole recording, times from 0; heading: radians
    by which it is turned; middle: (x, z) metres where half of the walk lies."""

    body: Body
    looks: Looks
    clothes: Clothes
    recording: Motion
    heading: float = 0.0
    middle: tuple[float, float] = (0.0, 0.0)

    def motion(self, times: np.ndarray) -> Motion:
        """The recording at (T,) seconds, turned and moved to where it is in the scene."""
        own = self.recording
        at = np.clip(times, 0.0, own.times[-1])
        around = about(1, np.array(self.heading))
        half = _at(own.joints["pelvis"], own.times, np.array([own.times[-1] / 2]))[0] * (1.0, 0.0, 1.0)
        move = np.array([self.middle[0], 0.0, self.middle[1]]) - around @ half
        joints = {name: _at(value, own.times, at) @ around.T + move for name, value in own.joints.items()}
        rotations = {
            name: around @ orthonormal(_at(value.reshape(-1, 9), own.times, at).reshape(-1, 3, 3))
            for name, value in own.rotations.items()
        }
        return Motion(times, np.interp(at, own.times, own.phase), np.interp(at, own.times, own.distance), joints,
                      rotations)  # fmt: skip


def _at(values: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(wanted, times, column) for column in values.T], axis=-1)


_PARENTS = {1: 0, 2: 1, 3: 2, **{child: child - 1 for child in (5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19)},
            4: 2, 8: 2, 12: 0, 16: 0}  # fmt: skip
"""Of the joints of kinect20, whose sides are 4 apart."""
_PAIRED = {4: 8, 5: 9, 6: 10, 7: 11, 12: 16, 13: 17, 14: 18, 15: 19}


def one_body(walks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Walks (T, 20, 3) metres of one person -> the same, with the same bones in every frame of every walk.

    A sensor of 2010 sees arms and legs grow and shrink by a tenth as somebody turns; people do not. Each bone keeps its
    direction and gets its median length over all walks, the mean of both sides where there are two.
    """
    every = np.concatenate(walks)
    length = {child: float(np.median(np.linalg.norm(every[:, child] - every[:, parent], axis=1)))
              for child, parent in _PARENTS.items()}  # fmt: skip
    for left, right in _PAIRED.items():
        length[left] = length[right] = (length[left] + length[right]) / 2
    found = []
    for walk in walks:
        even = walk.copy()
        for child in sorted(_PARENTS):
            parent = _PARENTS[child]
            bone = walk[:, child] - walk[:, parent]
            size = np.maximum(np.linalg.norm(bone, axis=1, keepdims=True), 1e-6)
            even[:, child] = even[:, parent] + bone / size * length[child]
        found.append(even)
    return found


def measured_body(joints: np.ndarray, generator: np.random.Generator) -> Body:
    """The body of (T, 20, 3) metres of a kinect20 skeleton: lengths as measured, the rest drawn for such a stature."""
    at = KINECT20.index

    def length(a: str, b: str) -> float:
        return float(np.median(np.linalg.norm(joints[:, at[a]] - joints[:, at[b]], axis=1)))

    def both(a: str, b: str) -> float:
        return (length(f"left {a}", f"left {b}") + length(f"right {a}", f"right {b}")) / 2

    hips = joints[:, [at["left hip"], at["right hip"]]].mean(axis=1)
    neck = joints[:, [at["left shoulder"], at["right shoulder"]]].mean(axis=1)
    trunk = float(np.median(np.linalg.norm(neck - hips, axis=1)))
    drawn = draw_body(generator)
    thigh, shank = both("hip", "knee"), both("knee", "ankle")
    top = float(np.median(np.linalg.norm(joints[:, at["head"]] - neck, axis=1)))
    stature = thigh + shank + drawn.ankle_height + trunk + top + drawn.head_height / 2
    size = stature / drawn.stature
    grown = {
        name: getattr(drawn, name) * size
        for name in ("foot", "ankle_height", "hand", "head_height", "head_width", "chest_radius", "waist_radius",
                     "pelvis_radius", "thigh_radius", "calf_radius", "upper_arm_radius", "forearm_radius",
                     "neck_radius", "neck")
    }  # fmt: skip
    return replace(
        drawn, stature=stature, thigh=thigh, shank=shank, trunk=trunk, hip_width=length("left hip", "right hip"),
        shoulder_width=length("left shoulder", "right shoulder"), upper_arm=both("shoulder", "elbow"),
        forearm=both("elbow", "wrist"), **grown,
    )  # fmt: skip


def recorded_motion(joints: np.ndarray, fps: float, body: Body, head_pitch: float = 0.07) -> Motion:
    """The motion of (T, 20, 3) metres of a kinect20 skeleton at `fps`, walking towards +z from the origin.

    head_pitch: radians by which the head, whose turning is not measured, looks down. Raises ValueError as
    `smsge.canonical.canonicalize`.
    """
    smooth = gaussian_filter1d(joints, SMOOTH * fps, axis=0, mode="nearest")
    own = in_form(smooth, KINECT20, fps, "metric").astype(np.float64)
    at = KINECT20.index
    points = {name: own[:, number] for name, number in at.items()}
    ankles = np.stack([points[f"{side} ankle"] for side in SIDES])
    ground = np.percentile(ankles[..., 1].min(axis=0), 20) - body.ankle_height
    move = np.zeros((len(own), 3))
    move[:, 1] = -ground
    move[:, 2] = _progress(ankles, fps)
    points = {name: value + move for name, value in points.items()}
    out = {f"{side} {part}": points[f"{side} {part}"] for side in SIDES
           for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}  # fmt: skip
    out["pelvis"] = (out["left hip"] + out["right hip"]) / 2
    out["neck"] = (out["left shoulder"] + out["right shoulder"]) / 2
    pelvis = _frame(out["left hip"] - out["right hip"], points["spine"] - out["pelvis"])
    trunk = _frame(out["left shoulder"] - out["right shoulder"], out["neck"] - out["pelvis"])
    rotations = {"pelvis_rotation": pelvis, "trunk_rotation": trunk}
    for number, side in enumerate(SIDES):
        forward = points[f"{side} foot"] - out[f"{side} ankle"]
        foot = _sole(forward, out[f"{side} ankle"][:, 1] - body.ankle_height)
        rotations[f"{side}_foot"] = foot
        out |= foot_points(body, side, out[f"{side} ankle"], foot)
        _hand(out, body, side, points[f"{side} hand"], sign_of(number))
    _head(out, rotations, body, points["head"], head_pitch)
    times = np.arange(len(own)) / fps
    swing = out["left ankle"][:, 2] - out["right ankle"][:, 2]
    phase = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(swing))) / max(4 * float(np.ptp(swing)), 1e-3)])
    return Motion(times, phase, move[:, 2] - move[0, 2], out, rotations)


def _progress(ankles: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres forwards: in the body's own axes the foot on the ground goes back as fast as the body goes on, and of
    both ankles (2, T, 3) it is the one that goes back faster. Evened out over a moment."""
    back = (-np.gradient(ankles[..., 2], axis=1)).max(axis=0)
    return np.cumsum(np.maximum(gaussian_filter1d(back, _SPREAD * fps, mode="nearest"), 0.0))


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations whose columns are left, up and forwards, from (T, 3) rough directions."""
    y = up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-9)
    x = left - (left * y).sum(axis=1, keepdims=True) * y
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _sole(forward: np.ndarray, height: np.ndarray) -> np.ndarray:
    """(T, 3, 3) of a foot: turned as measured; flat where the ankle is near the ground, pitched where it is high."""
    level = forward * (1.0, 0.0, 1.0)
    level /= np.maximum(np.linalg.norm(level, axis=1, keepdims=True), 1e-6)
    yaw = np.arctan2(level[:, 0], level[:, 2])
    pitch = np.clip(height - 0.01, 0.0, 0.16) / 0.16 * 1.0
    return np.asarray(about(1, np.clip(yaw, -0.6, 0.6)) @ about(0, pitch))


def _hand(out: dict[str, np.ndarray], body: Body, side: str, hand: np.ndarray, sign: float) -> None:
    wrist, elbow = out[f"{side} wrist"], out[f"{side} elbow"]
    along = (wrist - elbow) + (hand - wrist)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    aside = np.array([-sign, 0.0, 0.6])
    out[f"{side} knuckles"] = wrist + 0.55 * body.hand * along
    out[f"{side} fingers"] = wrist + 0.93 * body.hand * along + 0.012 * aside
    out[f"{side} thumb"] = wrist + 0.35 * body.hand * along + 0.035 * aside


def _head(out: dict[str, np.ndarray], rotations: dict[str, np.ndarray], body: Body, head: np.ndarray,
          pitch: float) -> None:  # fmt: skip
    """Face and neck about a sensor's head joint; the head looks where the trunk goes."""
    ones = np.ones(len(head))
    face = about(0, pitch * ones)
    depth, width = 0.62 * body.head_width, 0.5 * body.head_width
    out["neck base"] = out["neck"] + turn(rotations["trunk_rotation"], (0.0, 0.35 * body.neck, -0.012))
    out["head centre"] = head
    out["nose"] = head + turn(face, (0.0, -0.13 * body.head_height, depth + 0.012))
    for number, side in enumerate(SIDES):
        out[f"{side} ear"] = head + turn(face, (sign_of(number) * width, -0.10 * body.head_height, -0.005))
        out[f"{side} eye"] = head + turn(face, (sign_of(number) * 0.032, 0.02 * body.head_height, depth - 0.012))
    out["head"] = (out["nose"] + out["left ear"] + out["right ear"]) / 3
    rotations["head_rotation"] = face
