"""A walker as a set of tapered capsules (round cones) with paint: what the renderer draws."""

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.body import Body
from pipeline.synthetic.looks import Clothes, Colour, Looks
from pipeline.synthetic.walker import Motion

PATTERNS = ("plain", "stripes", "checks", "bars")
_SIDES = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True)
class Figure:
    """N round cones over T frames and how they are painted.

    start, end: (T, N, 3) world metres, of the axes. radii: (N, 2) at both ends. first, second: (N, 3) colours before
    and after `cut`, (N,) a share of the axis from its start. pattern: (N,) 0 plain, 1 stripes around, 2 checks, 3 bars
    along, of `period` metres in the colour `pattern_colour` (3,), before the cut only. head: (N,) whether it is part of
    the head, where the face is painted. waist: (N,) whether the top (colour, pattern) covers it down to `hem` metres
    below the hips, and its own colours begin there. trunk, face: (T, 3, 3) rotations from own axes (left, up, forwards)
    to the world; centre, face_centre: (T, 3) world metres: where patterns and faces are measured from. face_size:
    metres, (half width, half height, depth). skin, hair, scalp: (3,) colours, scalp is skin where there is no hair.
    """

    start: np.ndarray
    end: np.ndarray
    radii: np.ndarray
    first: np.ndarray
    second: np.ndarray
    cut: np.ndarray
    pattern: np.ndarray
    period: float
    pattern_colour: np.ndarray
    head: np.ndarray
    waist: np.ndarray
    hem: float
    top: np.ndarray
    trunk: np.ndarray
    centre: np.ndarray
    face: np.ndarray
    face_centre: np.ndarray
    face_size: tuple[float, float, float]
    skin: np.ndarray
    hair: np.ndarray
    scalp: np.ndarray


class _Builder:
    """Collects cones."""

    def __init__(self) -> None:
        self.rows: list[tuple[np.ndarray, np.ndarray, float, float, Colour, Colour, float, int, bool, bool]] = []

    def add(self, start: np.ndarray, end: np.ndarray, radius: float, radius_end: float, colour: Colour,
            second: Colour | None = None, cut: float = 2.0, pattern: int = 0, head: bool = False,
            waist: bool = False) -> None:  # fmt: skip
        self.rows.append((start, end, radius, radius_end, colour, second or colour, cut, pattern, head, waist))


def _mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return (1.0 - share) * a + share * b


def _off(rotation: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(rotation @ np.array([x, y, z]))


def build_figure(body: Body, motion: Motion, looks: Looks, clothes: Clothes) -> Figure:
    """The cones of a walker over a motion, dressed."""
    builder = _Builder()
    _trunk(builder, body, motion, looks, clothes)
    for side in _SIDES:
        _leg(builder, body, motion, looks, clothes, side)
        _arm(builder, body, motion, looks, clothes, side)
    _head(builder, body, motion, looks)
    start, end, r1, r2, first, second, cut, pattern, head, waist = zip(*builder.rows, strict=True)
    radii = np.stack([r1, r2], axis=-1)
    begin, finish = np.stack(start, axis=1), np.stack(end, axis=1)
    return Figure(
        start=begin, end=finish, radii=radii, first=np.array(first), second=np.array(second), cut=np.array(cut),
        pattern=np.array(pattern), period=clothes.period, pattern_colour=np.array(clothes.second), head=np.array(head),
        waist=np.array(waist), hem=clothes.hem, top=np.array(clothes.top),
        trunk=motion.rotations["trunk_rotation"], centre=motion.joints["pelvis"],
        face=motion.rotations["head_rotation"], face_centre=motion.joints["head centre"],
        face_size=(0.5 * body.head_width, 0.5 * body.head_height, 0.62 * body.head_width),
        skin=np.array(looks.skin), hair=np.array(looks.hair),
        scalp=np.array(looks.hair if looks.hair_length else looks.skin),
    )  # fmt: skip


def _trunk(out: _Builder, body: Body, motion: Motion, looks: Looks, clothes: Clothes) -> None:
    joints, trunk, pelvis = motion.joints, motion.rotations["trunk_rotation"], motion.rotations["pelvis_rotation"]
    hips, neck = joints["pelvis"], joints["neck"]
    loose, top, bottom = clothes.loose_top, clothes.top, clothes.bottom
    pattern = PATTERNS.index(clothes.pattern)
    width = body.hip_width / 2
    # Pelvis: hip to hip, and the seat behind it.
    left, right = hips + _off(pelvis, width * 0.8, 0.02, 0.0), hips + _off(pelvis, -width * 0.8, 0.02, 0.0)
    radius = body.pelvis_radius + clothes.loose_bottom * 0.5
    out.add(left, right, radius, radius, bottom, pattern=pattern, waist=True)
    for _, sign in _SIDES:
        seat = hips + _off(pelvis, sign * width * 0.75, -0.03, -0.045)
        out.add(
            seat,
            seat + _off(pelvis, 0.0, 0.06, 0.01),
            radius * 0.78,
            radius * 0.70,
            bottom,
            pattern=pattern,
            waist=True,
        )
        # Belly and chest: two columns, which make the trunk broader than deep.
        low = hips + _off(trunk, sign * width * 0.62, 0.05, 0.0)
        waist = hips + _off(trunk, sign * width * 0.55, body.trunk * 0.40, 0.006)
        chest = hips + _off(trunk, sign * body.shoulder_width * 0.215, body.trunk * 0.76, 0.004)
        out.add(
            low,
            waist,
            body.pelvis_radius * 0.93 + loose,
            body.waist_radius + loose,
            bottom,
            pattern=pattern,
            waist=True,
        )
        out.add(waist, chest, body.waist_radius + loose, body.chest_radius + loose, top, pattern=pattern)
        shoulder = joints["left shoulder" if sign > 0 else "right shoulder"]
        inner = _mix(neck, shoulder, 0.25) + _off(trunk, 0, 0.005, -0.01)
        outer = _mix(neck, shoulder, 0.9) + _off(trunk, 0, -0.012, 0)
        out.add(inner, outer, 0.062 + loose, 0.060 + loose, top, pattern=pattern)
        if body.sex == "female":
            breast = hips + _off(trunk, sign * body.shoulder_width * 0.2, body.trunk * 0.68, body.chest_radius * 0.62)
            out.add(breast, breast + _off(trunk, 0, 0.03, -0.02), 0.056 + loose, 0.045 + loose, top, pattern=pattern)
    belly = hips + _off(trunk, 0.0, body.trunk * 0.30, body.waist_radius * 0.30)
    out.add(
        belly,
        belly + _off(trunk, 0, body.trunk * 0.2, 0),
        body.waist_radius * 0.9 + loose,
        body.waist_radius * 0.8 + loose,
        top,
        pattern=pattern,
    )
    if clothes.skirt or clothes.hem > 0.06:
        reach = clothes.skirt or clothes.hem
        spread = 0.3 * reach if clothes.skirt else 0.05 * reach
        colour = clothes.bottom if clothes.skirt else top
        knees = _mix(joints["left knee"], joints["right knee"], 0.5)
        wide = radius + loose * 0.6
        for name, sign in _SIDES:
            # Cloth follows its own leg half of the way; the cone's round end reaches the hem.
            down = _mix(knees, joints[f"{name} knee"], 0.5) - hips
            fall = hips + down / np.linalg.norm(down, axis=1, keepdims=True) * max(reach - 0.07, 0.02)
            hip = hips + _off(pelvis, sign * width * 0.7, 0, 0)
            end = fall + _off(pelvis, sign * (width * 0.6 + spread * 0.25), 0.0, 0.0)
            out.add(hip, end, wide * 0.98, wide * 0.92, colour, pattern=0 if clothes.skirt else pattern)


def _leg(out: _Builder, body: Body, motion: Motion, looks: Looks, clothes: Clothes, side: tuple[str, float]) -> None:
    name, sign = side
    joints, foot = motion.joints, motion.rotations[f"{name}_foot"]
    hip, knee, ankle = (joints[f"{name} {joint}"] for joint in ("hip", "knee", "ankle"))
    upper = clothes.loose_bottom if clothes.leg > 0 else 0.0
    lower = clothes.loose_bottom if clothes.leg > 1.5 else 0.0
    cloth, skin = clothes.bottom, looks.skin
    knee_radius = 0.055 * body.stature / 1.7
    top = hip + _off(motion.rotations["pelvis_rotation"], sign * 0.004, -0.02, 0.0)
    colour = cloth if clothes.leg > 0 else skin
    pattern = PATTERNS.index(clothes.pattern)
    out.add(top, knee, body.thigh_radius + upper, knee_radius + upper, colour, skin, clothes.leg, pattern, waist=True)
    calf = _mix(knee, ankle, 0.32) - 0.018 * foot[:, :, 2]
    share = clothes.leg - 1.0
    out.add(
        knee,
        calf,
        knee_radius * 0.95 + lower,
        body.calf_radius + lower,
        cloth if share > 0 else skin,
        skin,
        share / 0.32 if 0 < share < 0.32 else 2.0,
    )
    tip = _mix(knee, ankle, 0.97)
    out.add(
        calf,
        tip,
        body.calf_radius + lower,
        0.036 + lower * 1.5,
        cloth if share > 0.32 else skin,
        skin,
        (share - 0.32) / 0.65,
    )
    heel, ball, toe = (joints[f"{name} {point}"] for point in ("heel", "ball", "toe"))
    up = foot[:, :, 1]
    shoe = clothes.shoes
    out.add(ankle - 0.012 * up, heel + 0.034 * up + 0.03 * foot[:, :, 2], 0.038, 0.036, shoe)
    out.add(heel + 0.036 * up + 0.03 * foot[:, :, 2], ball + 0.034 * up, 0.037, 0.039, shoe)
    out.add(ball + 0.034 * up, toe + 0.026 * up - 0.02 * foot[:, :, 2], 0.039, 0.027, shoe)


def _arm(out: _Builder, body: Body, motion: Motion, looks: Looks, clothes: Clothes, side: tuple[str, float]) -> None:
    name, _ = side
    joints = motion.joints
    shoulder, elbow, wrist = (joints[f"{name} {joint}"] for joint in ("shoulder", "elbow", "wrist"))
    knuckles, fingers, thumb = (joints[f"{name} {joint}"] for joint in ("knuckles", "fingers", "thumb"))
    loose, sleeve, skin = clothes.loose_top, clothes.sleeve, looks.skin
    pattern = PATTERNS.index(clothes.pattern)
    fore = loose if sleeve > 1.3 else 0.0
    broad, narrow = body.upper_arm_radius * 1.15 + loose, body.upper_arm_radius * 0.85 + loose * (sleeve > 0.6)
    out.add(shoulder, elbow, broad, narrow, clothes.top, skin, sleeve, pattern)
    if sleeve > 1:
        out.add(elbow, wrist, body.forearm_radius + fore, 0.027 + fore, clothes.top, skin, sleeve - 1.0, pattern)
    else:
        out.add(elbow, wrist, body.forearm_radius, 0.027, skin)
    out.add(wrist, knuckles, 0.026, 0.036, skin)
    out.add(knuckles, fingers, 0.033, 0.018, skin)
    out.add(_mix(wrist, knuckles, 0.4), thumb, 0.019, 0.012, skin)


def _head(out: _Builder, body: Body, motion: Motion, looks: Looks) -> None:
    joints, face = motion.joints, motion.rotations["head_rotation"]
    centre, base = joints["head centre"], joints["neck base"]
    skin, hair = looks.skin, looks.hair
    half, tall = body.head_width / 2, body.head_height / 2
    out.add(
        base + np.array([0.0, -0.03, 0.0]),
        centre + _off(face, 0, -0.25 * tall, -0.012),
        body.neck_radius,
        body.neck_radius * 0.93,
        skin,
    )
    # Skull: back to brow; face: brow to chin.
    top = hair if looks.hair_length else skin
    out.add(
        centre + _off(face, 0, tall - half * 1.02, -0.024),
        centre + _off(face, 0, tall - half * 1.08, 0.016),
        half * 1.03,
        half * 0.97,
        skin,
        head=True,
    )
    out.add(
        centre + _off(face, 0, 0.2 * tall, 0.026),
        centre + _off(face, 0, -tall + 0.036, 0.044),
        half * 0.86,
        half * 0.47,
        skin,
        head=True,
    )
    nose = joints["nose"]
    out.add(nose + _off(face, 0, 0.030, -0.024), nose + _off(face, 0, 0, -0.012), 0.008, 0.013, skin, head=True)
    for name in ("left ear", "right ear"):
        out.add(joints[name] + _off(face, 0, 0.018, 0), joints[name] + _off(face, 0, -0.016, 0), 0.015, 0.010, skin)
    if looks.hair_length:
        crown = half * (1.07 if looks.hair_length == 1 else 1.12)
        out.add(
            centre + _off(face, 0, tall - half * 0.92, -0.034),
            centre + _off(face, 0, tall - half * 0.80, -0.002),
            crown,
            crown * 0.88,
            hair,
        )
        out.add(
            centre + _off(face, 0, 0.25 * tall, -0.040),
            centre + _off(face, 0, -0.30 * tall, -0.036),
            crown * 0.92,
            half * 0.72,
            top,
        )
    if looks.hair_length >= 2:
        length = -1.2 if looks.hair_length == 2 else -1.75
        for sign in (1.0, -1.0):
            out.add(
                centre + _off(face, sign * half * 0.72, 0.3 * tall, -0.022),
                centre + _off(face, sign * half * 0.75, length * tall, -0.030),
                0.032,
                0.030,
                hair,
            )
        out.add(
            centre + _off(face, 0, 0, -0.05),
            centre + _off(face, 0, length * tall, -0.055),
            half * 0.8,
            half * 0.6,
            hair,
        )
