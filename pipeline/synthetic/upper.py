"""Trunk, arms and head above a walking pelvis."""

import numpy as np

from pipeline.synthetic.body import Body
from pipeline.synthetic.gait import Style, curve, mean_angle
from pipeline.synthetic.legs import SIDES, sign_of
from pipeline.synthetic.rotation import about, turn


def raise_trunk(body: Body, style: Style, joints: dict[str, np.ndarray], phase: np.ndarray, heading: np.ndarray,
           gaze: np.ndarray, wander: np.ndarray, swing: np.ndarray | float = 1.0,
           lean: np.ndarray | float = 0.0) -> None:  # fmt: skip
    """Adds trunk, arms and head to `joints`, in place. swing: (T,) share of a walker's movement, from 0 standing still
    to 1 walking; lean: (T,) radians forwards beyond the style's."""
    ones = np.ones_like(phase)
    leaning = style.trunk_lean + lean
    twist = style.trunk_twist * np.cos(2 * np.pi * (phase - 0.04)) * swing
    sway = style.trunk_side - style.trunk_sway * np.cos(2 * np.pi * (phase - 0.27)) * swing + 0.004 * wander[1]
    nod = 0.012 * np.cos(4 * np.pi * (phase - 0.05)) * swing
    trunk = about(1, heading + twist) @ about(2, -sway) @ about(0, (leaning + nod))
    middle = joints["pelvis"] + turn(trunk, (0.0, body.trunk, 0.0))
    joints |= {"trunk_rotation": trunk, "neck": middle}
    for side, name in enumerate(SIDES):
        sign = sign_of(side)
        own = phase + 0.5 * side
        lift = -style.shoulder_drop + 0.02 + sign * style.shoulder_slope
        shoulder = middle + turn(trunk, (sign * body.shoulder_width / 2, lift, style.shoulder_forward))
        arm = style.arm_scale * (1.0 + sign * style.arm_asymmetry)
        angle = (
            style.arm_offset
            + mean_angle("shoulder")
            + arm * curve(style, "shoulder", side, own) * swing
            + 0.02 * wander[2 + side]
        )
        carriage = style.elbow_carriage + sign * style.elbow_asymmetry
        bend = carriage + style.elbow_scale * (0.4 + 0.6 * arm) * curve(style, "elbow", side, own) * swing
        bend = np.where(bend < 0.1, 0.1 * np.exp((bend - 0.1) / 0.1), bend)
        upper = trunk @ about(2, sign * style.arm_out * ones) @ about(0, -angle - leaning)
        lower = upper @ about(1, -sign * style.arm_inward * ones) @ about(0, -bend)
        elbow = shoulder + turn(upper, (0.0, -body.upper_arm, 0.0))
        wrist = elbow + turn(lower, (0.0, -body.forearm, 0.0))
        knuckles = wrist + turn(lower, (-sign * 0.01, -0.55 * body.hand, 0.012))
        joints |= {
            f"{name} shoulder": shoulder, f"{name} elbow": elbow, f"{name} wrist": wrist, f"{name} knuckles": knuckles,
            f"{name} fingers": knuckles + turn(lower, (-sign * 0.012, -0.38 * body.hand, 0.03)),
            f"{name} thumb": wrist + turn(lower, (-sign * 0.012, -0.35 * body.hand, 0.045)),
        }  # fmt: skip
    face = about(1, gaze + 0.3 * twist) @ about(0, style.head_pitch - 0.5 * nod)
    base = middle + turn(trunk, (0.0, body.neck * 0.35, -0.012))
    neck = about(1, heading) @ about(0, leaning + style.head_forward * ones)
    centre = base + turn(neck, (0.0, 0.75 * body.neck + 0.5 * body.head_height, 0.0))
    depth, width = 0.62 * body.head_width, 0.5 * body.head_width
    joints |= {"head_rotation": face, "neck base": base, "head centre": centre}
    joints["nose"] = centre + turn(face, (0.0, -0.13 * body.head_height, depth + 0.012))
    for side, name in enumerate(SIDES):
        joints[f"{name} ear"] = centre + turn(face, (sign_of(side) * width, -0.10 * body.head_height, -0.005))
        joints[f"{name} eye"] = centre + turn(face, (sign_of(side) * 0.032, 0.02 * body.head_height, depth - 0.012))
    joints["head"] = (joints["nose"] + joints["left ear"] + joints["right ear"]) / 3
