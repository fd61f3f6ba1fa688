"""Pelvis and legs: from joint angles to a cycle of walking, and feet that stay where they are put down.

The speed is what the legs give: over one cycle on the spot, the foot on the ground moves backwards, and the body is
carried forwards by as much. What remains (bends of the path, style) is taken up by moving each foot so that it rests on
its place while it is on the ground, the knee following by inverse kinematics.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.synthetic.body import Body
from pipeline.synthetic.gait import Style, curve, mean_angle
from pipeline.synthetic.rotation import about, smooth_step, turn

SIDES = ("left", "right")
CYCLE = 200
"""Samples of one cycle."""
REACH = 0.9985
"""Share of its segments that a leg's length comes to at most."""


def sign_of(side: int) -> float:
    return 1.0 if side == 0 else -1.0


def swing_legs(body: Body, style: Style, phase: np.ndarray, heading: np.ndarray,
               swing: np.ndarray | float = 1.0) -> dict[str, np.ndarray]:  # fmt: skip
    """Pelvis and legs with the pelvis at the origin: joints (T, 3) and rotations (T, 3, 3) by name.
    swing: (T,) share of a walker's movement, from 0 standing still to 1 walking."""
    ones = np.ones_like(phase)
    facing = about(1, heading)
    # The pelvis turns forwards with the leg that lands, and sinks on the side of the leg that swings.
    rotation = -style.pelvis_rotation * np.cos(2 * np.pi * (phase - 0.02)) * swing
    lowering = style.pelvis_list * np.sin(2 * np.pi * (phase - 0.02)) * swing
    pelvis = facing @ about(1, rotation) @ about(2, lowering) @ about(0, style.pelvis_tilt * ones)
    result = {"pelvis_rotation": pelvis}
    level = facing @ about(1, rotation) @ about(2, lowering)
    for side, name in enumerate(SIDES):
        own = np.mod(phase + 0.5 * side, 1.0)
        scale = style.hip_scale * (1.0 + sign_of(side) * style.leg_asymmetry)
        thigh_angle = mean_angle("hip") + style.hip_offset + scale * curve(style, "hip", side, own)
        bend = mean_angle("knee") + style.knee_offset + style.knee_scale * curve(style, "knee", side, own)
        bend = np.where(bend < 0.12, 0.12 * np.exp((bend - 0.12) / 0.12), bend)  # knees stop short of straight
        dorsal = mean_angle("ankle") + style.ankle_scale * curve(style, "ankle", side, own)
        # Who stands has knees nearly straight, ankles below the hips and flat feet.
        standing = max(style.knee_offset, 0.0) + 0.05
        thigh_angle = swing * thigh_angle + (1.0 - swing) * 0.5 * standing
        bend = swing * bend + (1.0 - swing) * standing
        dorsal = swing * dorsal + (1.0 - swing) * 0.5 * standing
        # The sole lies flat from foot-flat to heel-off, whatever this person's knees do.
        pitch = thigh_angle - bend + dorsal
        off_ground = 1.0 - smooth_step((own - 0.04) / 0.10) * (1.0 - smooth_step((own - 0.34) / 0.16))
        pitch = pitch * off_ground
        hip = turn(level, (sign_of(side) * body.hip_width / 2, 0.0, 0.0))
        reach = 0.97 * (body.thigh + body.shank)
        out = sign_of(side) * np.arctan2((style.step_width - body.hip_width) / 2, reach)
        leg_facing = facing @ about(2, out * ones) @ about(1, sign_of(side) * 0.5 * style.toe_out * ones)
        knee = hip + turn(leg_facing @ about(0, -thigh_angle), (0.0, -body.thigh, 0.0))
        ankle = knee + turn(leg_facing @ about(0, bend - thigh_angle), (0.0, -body.shank, 0.0))
        foot = facing @ about(1, sign_of(side) * style.toe_out * ones) @ about(0, -pitch)
        result |= {f"{name} hip": hip, f"{name} knee": knee, f"{name} ankle": ankle, f"{name}_foot": foot}
        result |= foot_points(body, name, ankle, foot)
    return result


def foot_points(body: Body, name: str, ankle: np.ndarray, foot: np.ndarray) -> dict[str, np.ndarray]:
    """Heel, ball and toe of a foot, on its sole."""
    down = -body.ankle_height
    return {
        f"{name} heel": ankle + turn(foot, (0.0, down, -0.22 * body.foot)),
        f"{name} ball": ankle + turn(foot, (0.0, down, 0.48 * body.foot)),
        f"{name} toe": ankle + turn(foot, (0.0, down, 0.74 * body.foot)),
    }


def _contact(own: np.ndarray) -> np.ndarray:
    """(T,) how much the foot rests on its ball (1) rather than on its heel (0)."""
    return smooth_step((own - 0.08) / 0.2)


@dataclass(frozen=True)
class Cycle:
    """What one cycle on the spot gives. stride: metres forwards. progress, height: (CYCLE,) at even phases: metres
    beyond even progress, and of the pelvis above the ground."""

    stride: float
    progress: np.ndarray
    height: np.ndarray


def walk_cycle(body: Body, style: Style, swing: float = 1.0) -> Cycle:
    """The stride and the rise and fall that follow from a body and its joint curves. swing: as in `swing_legs`."""
    phase = np.arange(CYCLE) / CYCLE
    legs = swing_legs(body, style, phase, np.zeros(CYCLE), swing)
    advance, weights = np.zeros(CYCLE), np.zeros(CYCLE)
    lows = []
    for side, name in enumerate(SIDES):
        own = np.mod(phase + 0.5 * side, 1.0)
        on_ball = _contact(own)
        backward = np.zeros(CYCLE)
        for point, share in (("heel", 1.0 - on_ball), ("ball", on_ball)):
            z = legs[f"{name} {point}"][:, 2]
            backward -= share * (np.roll(z, -1) - np.roll(z, 1)) / 2
        grounded = smooth_step((own - 0.02) / 0.08) * (1.0 - smooth_step((own - style.stance + 0.12) / 0.10))
        advance += grounded * backward
        weights += grounded
        lows.append(np.minimum(legs[f"{name} heel"][:, 1], legs[f"{name} ball"][:, 1]))
    speed = np.fft.rfft(advance / np.maximum(weights, 1e-3))
    speed[5:] = 0.0
    speed[1:] *= 0.7  # the trunk's inertia evens the pace out
    stride = float(speed[0].real)
    uneven = np.fft.irfft(speed, CYCLE) - stride / CYCLE
    progress = np.cumsum(uneven)
    height = np.fft.rfft(-np.minimum(*lows))
    height[5:] = 0.0
    height[1:] *= 0.85 * style.bob
    return Cycle(stride, progress - progress.mean(), np.fft.irfft(height, CYCLE) - 0.004)


def walking_speed(body: Body, style: Style) -> float:
    """Metres a second that this body walks in this style."""
    return walk_cycle(body, style).stride * style.cadence / 120.0


def plant_foot(body: Body, style: Style, joints: dict[str, np.ndarray], side: int, name: str, own: np.ndarray) -> None:
    """Moves a leg of `joints`, in place, so that its foot neither slides nor sinks while it is on the ground."""
    shift = foot_shift(style, joints, name, own)
    if shift is not None:
        joints[f"{name} ankle"] = joints[f"{name} ankle"] + shift
        reach_foot(body, joints, name)


def foot_shift(style: Style, joints: dict[str, np.ndarray], name: str, own: np.ndarray,
               swing: np.ndarray | float = 1.0) -> np.ndarray | None:  # fmt: skip
    """(T, 3) metres that take a foot of `joints` to where it neither slides nor sinks, None when it is never down.
    own: (T,) phase of that leg; swing: as in `swing_legs`; a foot that somebody stands on is below them then."""
    on_ball = _contact(own)[:, None]
    heel, ball, toe = (joints[f"{name} {point}"] for point in ("heel", "ball", "toe"))
    velocity = (1 - on_ball) * np.gradient(heel, axis=0) + on_ball * np.gradient(ball, axis=0)
    lowest = np.minimum(np.minimum(heel[:, 1], ball[:, 1]), toe[:, 1] + 0.03)
    grounded = own < style.stance
    shift = np.full((len(own), 3), np.nan)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], grounded.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        moved = -np.cumsum(velocity[first:last], axis=0)
        settled = np.abs(own - 0.28) + 4.0 * swing
        moved -= moved[int(np.argmin(settled[first:last]))]
        moved[:, 1] = -lowest[first:last]
        shift[first:last] = moved
    known = np.flatnonzero(~np.isnan(shift[:, 0]))
    if len(known) == 0:
        return None
    missing = np.flatnonzero(np.isnan(shift[:, 0]))
    after = np.clip(np.searchsorted(known, missing), 0, len(known) - 1)
    before = np.clip(np.searchsorted(known, missing) - 1, 0, len(known) - 1)
    gap = np.maximum(known[after] - known[before], 1)
    share = smooth_step((missing - known[before]) / gap)[:, None]
    shift[missing] = (1 - share) * shift[known[before]] + share * shift[known[after]]
    shift[missing, 1] = np.maximum(shift[missing, 1], 0.008 - lowest[missing])
    return np.asarray(gaussian_filter1d(shift, 1.0, axis=0, mode="nearest"))


def reach_foot(body: Body, joints: dict[str, np.ndarray], name: str) -> None:
    """Bends a knee of `joints`, in place, so that the leg goes from its hip to its ankle; where that is out of reach
    the foot is lifted towards the hip."""
    hip, ankle = joints[f"{name} hip"], joints[f"{name} ankle"]
    forward = joints[f"{name}_foot"][:, :, 2]
    knee, ankle = _bend(hip, ankle, body.thigh, body.shank, forward)
    joints |= {f"{name} knee": knee, f"{name} ankle": ankle}
    joints |= foot_points(body, name, ankle, joints[f"{name}_foot"])


def _bend(
    root: np.ndarray, end: np.ndarray, upper: float, lower: float, forward: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two-segment inverse kinematics: the middle joint, bent towards `forward`, and the end that can be reached."""
    line = end - root
    length = np.linalg.norm(line, axis=1, keepdims=True)
    direction = line / length
    reach = np.minimum(length, REACH * (upper + lower))
    along = (reach**2 + upper**2 - lower**2) / (2 * reach)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    bend = forward - (forward * direction).sum(1, keepdims=True) * direction
    bend /= np.linalg.norm(bend, axis=1, keepdims=True)
    return root + along * direction + aside * bend, root + reach * direction
