"""From a body, a style and a path to joints in the world, at any times.

World axes: y up from the ground at 0, x and z on it, metres, right-handed. A person's own axes: x to their left, y up,
z forwards.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.synthetic.body import Body
from pipeline.synthetic.gait import Style
from pipeline.synthetic.legs import CYCLE, SIDES, plant_foot, swing_legs, walk_cycle
from pipeline.synthetic.path import Path
from pipeline.synthetic.rotation import about, orthonormal
from pipeline.synthetic.upper import raise_trunk

_RATE = 100.0  # Hz of the motion before it is sampled


@dataclass(frozen=True)
class Motion:
    """A walk. joints: name to (T, 3) world metres. rotations: pelvis_rotation, trunk_rotation, head_rotation, left_foot
    and right_foot to (T, 3, 3), from the part's own axes (left, up, forwards) to the world. phase: (T,) of the left
    leg, in cycles. distance: (T,) metres along the path. times: (T,) seconds."""

    times: np.ndarray
    phase: np.ndarray
    distance: np.ndarray
    joints: dict[str, np.ndarray]
    rotations: dict[str, np.ndarray]


def walk(body: Body, style: Style, path: Path, times: np.ndarray, *, start: float = 0.0, phase: float = 0.0,
         generator: np.random.Generator | None = None) -> Motion:  # fmt: skip
    """The walk along `path` at (T,) increasing `times` in seconds. start: metres along the path at time 0; phase: of
    the left leg then, in cycles; generator: where the small unevenness from step to step comes from, None for none."""
    fine = np.arange(0.0, times[-1] + 2.0 / _RATE, 1.0 / _RATE)
    cycle = walk_cycle(body, style)
    rate = np.full(len(fine), style.cadence / 120.0)
    wander = np.zeros((4, len(fine)))
    if generator is not None:
        noise = gaussian_filter1d(generator.normal(size=(4, len(fine))), 0.35 * _RATE, axis=1)
        wander = noise * np.sqrt(2 * np.sqrt(np.pi) * 0.35 * _RATE)
        rate = rate * (1.0 + 0.015 * wander[0])
    left_phase = phase + np.concatenate([[0.0], np.cumsum(rate[:-1]) / _RATE])
    progress = _periodic(cycle.progress, left_phase)
    distance = start + cycle.stride * (left_phase - phase) + progress - progress[0]
    ground, heading = path.at(distance), path.heading(distance)
    joints = swing_legs(body, style, left_phase, heading)
    # The pelvis moves over the foot that stands.
    sideways = 0.2 * style.step_width * np.cos(2 * np.pi * (left_phase - 0.3))
    root = np.stack([ground[:, 0], _periodic(cycle.height, left_phase), ground[:, 1]], axis=-1)
    root += about(1, heading)[:, :, 0] * sideways[:, None]
    for name in list(joints):
        if joints[name].ndim == 2:
            joints[name] = joints[name] + root
    joints["pelvis"] = root
    for side, name in enumerate(SIDES):
        plant_foot(body, style, joints, side, name, np.mod(left_phase + 0.5 * side, 1.0))
    # Eyes turn into a bend before the feet do.
    ahead = path.heading(distance + 0.5, 0.6) - heading
    gaze = heading + 0.7 * (ahead - 2 * np.pi * np.round(ahead / (2 * np.pi)))
    raise_trunk(body, style, joints, left_phase, heading, gaze, wander)
    sampled = {
        name: np.stack([np.interp(times, fine, part) for part in value.reshape(len(fine), -1).T], axis=-1)
        for name, value in joints.items()
    }
    rotations = {name: orthonormal(value.reshape(-1, 3, 3)) for name, value in sampled.items() if value.shape[1] == 9}
    points = {name: value for name, value in sampled.items() if value.shape[1] == 3}
    return Motion(times, np.interp(times, fine, left_phase), np.interp(times, fine, distance), points, rotations)


def _periodic(values: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """(T,) of a quantity known at CYCLE even phases, at (T,) phases in cycles."""
    return np.asarray(np.interp(np.mod(phase, 1.0) * CYCLE, np.arange(CYCLE + 1), np.append(values, values[0])))
