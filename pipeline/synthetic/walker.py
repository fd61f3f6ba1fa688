"""From a body, a style and a path to joints in the world, at any times.

World axes: y up from the ground at 0, x and z on it, metres, right-handed. A person's own axes: x to their left, y up,
z forwards.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from pipeline.synthetic.body import Body
from pipeline.synthetic.gait import Style
from pipeline.synthetic.ground import Ground
from pipeline.synthetic.legs import (
    CYCLE,
    REACH,
    SIDES,
    foot_shift,
    plant_foot,
    reach_foot,
    swing_legs,
    walk_cycle,
)
from pipeline.synthetic.pace import Pace, first_phase, keep_pace
from pipeline.synthetic.path import Path
from pipeline.synthetic.rotation import about, orthonormal, smooth_step
from pipeline.synthetic.upper import raise_trunk

_RATE = 100.0  # Hz of the motion before it is sampled
_SWINGS = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of a walker's movement whose cycles are worked out
_LEAN = 0.5  # of the ground's climb
_GIVE = 0.008  # metres that a foot may be off the ground in a stance, as shoes give
_LATE = 0.030  # metres more at the landing, which comes a little later then


@dataclass(frozen=True)
class Motion:
    """A walk. joints: name to (T, 3) world metres. rotations: pelvis_rotation, trunk_rotation, head_rotation, left_foot
    and right_foot to (T, 3, 3), from the part's own axes (left, up, forwards) to the world. phase: (T,) of the left
    leg, in cycles. distance: (T,) metres along the path. times: (T,) seconds. rise: (T,) metres, or one for all, of the
    ground below the pelvis above that of the origin."""

    times: np.ndarray
    phase: np.ndarray
    distance: np.ndarray
    joints: dict[str, np.ndarray]
    rotations: dict[str, np.ndarray]
    rise: np.ndarray | float = 0.0


def walk(body: Body, style: Style, path: Path, times: np.ndarray, *, start: float = 0.0, phase: float = 0.0,
         generator: np.random.Generator | None = None, pace: Pace | None = None,
         ground: Ground | None = None) -> Motion:  # fmt: skip
    """The walk along `path` at (T,) increasing `times` in seconds. start: metres along the path at time 0; phase: of
    the left leg then, in cycles; generator: where the small unevenness from step to step comes from, None for none.
    pace: where it comes to a stand, None for nowhere; ground: what it goes over, None for level ground, the path being
    what is seen of it from straight above."""
    fine = np.arange(0.0, times[-1] + 2.0 / _RATE, 1.0 / _RATE)
    rate = np.full(len(fine), style.cadence / 120.0)
    wander = np.zeros((4, len(fine)))
    if generator is not None:
        noise = gaussian_filter1d(generator.normal(size=(4, len(fine))), 0.35 * _RATE, axis=1)
        wander = noise * np.sqrt(2 * np.sqrt(np.pi) * 0.35 * _RATE)
        rate = rate * (1.0 + 0.015 * wander[0])
    if pace is not None:
        phase = first_phase(pace, phase)
    left_phase = phase + np.concatenate([[0.0], np.cumsum(rate[:-1]) / _RATE])
    swing: np.ndarray | float = 1.0
    if pace is None:
        cycle = walk_cycle(body, style)
        progress = _periodic(cycle.progress, left_phase)
        distance = start + cycle.stride * (left_phase - phase) + progress - progress[0]
        height = _periodic(cycle.height, left_phase)
    else:
        left_phase, swing = keep_pace(pace, left_phase, style.cadence)
        advance, height = _advance(body, style, left_phase, swing)
        distance = start + advance
    place, heading = path.at(distance), path.heading(distance)
    joints = swing_legs(body, style, left_phase, heading, swing)
    # The pelvis moves over the foot that stands.
    sideways = 0.2 * style.step_width * np.cos(2 * np.pi * (left_phase - 0.3)) * swing
    root = np.stack([place[:, 0], height, place[:, 1]], axis=-1)
    root += about(1, heading)[:, :, 0] * sideways[:, None]
    for name in list(joints):
        if joints[name].ndim == 2:
            joints[name] = joints[name] + root
    joints["pelvis"] = root
    lean: np.ndarray | float = 0.0
    if pace is None and ground is None:
        for side, name in enumerate(SIDES):
            plant_foot(body, style, joints, side, name, np.mod(left_phase + 0.5 * side, 1.0))
    else:
        ground = ground or Ground()
        _tread(body, style, joints, left_phase, swing, ground)
        # Trunk and pelvis lean forwards uphill and back downhill: Leroux, Fung and Barbeau, "Postural adaptation to
        # walking on inclined surfaces", Gait and Posture 2002. By which share of the slope is an assumption.
        lean = _LEAN * ground.climb(heading)
    # Eyes turn into a bend before the feet do.
    ahead = path.heading(distance + 0.5, 0.6) - heading
    gaze = heading + 0.7 * (ahead - 2 * np.pi * np.round(ahead / (2 * np.pi)))
    raise_trunk(body, style, joints, left_phase, heading, gaze, wander, swing, lean)
    sampled = {
        name: np.stack([np.interp(times, fine, part) for part in value.reshape(len(fine), -1).T], axis=-1)
        for name, value in joints.items()
    }
    rotations = {name: orthonormal(value.reshape(-1, 3, 3)) for name, value in sampled.items() if value.shape[1] == 9}
    points = {name: value for name, value in sampled.items() if value.shape[1] == 3}
    rise = 0.0 if ground is None else ground.height(points["pelvis"])
    return Motion(times, np.interp(times, fine, left_phase), np.interp(times, fine, distance), points, rotations, rise)


def _periodic(values: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """(T,) of a quantity known at CYCLE even phases, at (T,) phases in cycles."""
    return np.asarray(np.interp(np.mod(phase, 1.0) * CYCLE, np.arange(CYCLE + 1), np.append(values, values[0])))


def _advance(body: Body, style: Style, phase: np.ndarray, swing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,) metres walked since the first phase and (T,) of the pelvis above the ground, where the steps are of the
    (T,) shares `swing`: between the cycles of the shares on either side."""
    cycles = [walk_cycle(body, style, share) for share in _SWINGS]
    stride = np.interp(swing, _SWINGS, [cycle.stride for cycle in cycles])
    even = np.concatenate([[0.0], np.cumsum(0.5 * (stride[1:] + stride[:-1]) * np.diff(phase))])
    uneven, height = np.zeros_like(phase), np.zeros_like(phase)
    for number, cycle in enumerate(cycles):
        weight = np.interp(swing, _SWINGS, np.eye(len(_SWINGS))[number])
        uneven += weight * _periodic(cycle.progress, phase)
        height += weight * _periodic(cycle.height, phase)
    return even + uneven - uneven[0], height


def _tread(body: Body, style: Style, joints: dict[str, np.ndarray], phase: np.ndarray, swing: np.ndarray | float,
           ground: Ground) -> None:  # fmt: skip
    """Puts the feet of `joints` on the ground, in place; the pelvis sinks where a leg would not reach down to it."""
    feet = {}
    lowering = np.zeros_like(phase)
    rise = ground.height(joints["pelvis"])
    for side, name in enumerate(SIDES):
        own = np.mod(phase + 0.5 * side, 1.0)
        shift = foot_shift(style, joints, name, own, swing)
        ankle = joints[f"{name} ankle"] + (0.0 if shift is None else shift)
        feet[name] = ground.lay(ankle)
        joints[f"{name}_foot"] = ground.tilt @ joints[f"{name}_foot"]
        hip = joints[f"{name} hip"]
        aside = np.sum((feet[name] - hip)[:, [0, 2]] ** 2, axis=1)
        reach = (REACH * (body.thigh + body.shank)) ** 2
        drop = hip[:, 1] + rise - feet[name][:, 1] - np.sqrt(np.maximum(reach - aside, 0.0))
        drop -= _GIVE + _LATE * (1.0 - smooth_step(own / 0.12))
        lowering = np.maximum(lowering, np.where(own < style.stance, drop, 0.0))
    # The widest lowering around a time, evened out, is nowhere less than what is needed.
    lowering = gaussian_filter1d(maximum_filter1d(lowering, 33, mode="nearest"), 8.0, mode="nearest", truncate=2.0)
    move = np.stack([np.zeros_like(rise), rise - lowering, np.zeros_like(rise)], axis=-1)
    for name in ("pelvis", *(f"{name} hip" for name in SIDES)):
        joints[name] = joints[name] + move
    for name in SIDES:
        joints[f"{name} ankle"] = feet[name]
        reach_foot(body, joints, name)
