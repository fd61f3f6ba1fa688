"""How a walk's speed goes with time: where it slows down to a stand and goes on.

Who stops shortens the steps over the last two and sets the swinging foot beside the other one; who starts is at full
speed after about two. Both are done in phase of the gait cycle rather than in time, so that a stand always falls where
both feet are on the ground. Cadence and step length go down together, as they do with speed (Grieve and Gear, "The
relationships between length of stride, step frequency, time of swing and speed of walking for children and adults",
Ergonomics 1966); that the cadence goes down to about a half is an assumption.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.rotation import smooth_step

_RAMP = 1.1
"""Cycles from a stand to the full step."""
_BOTH_FEET = 0.06
"""Phase at which one foot has just landed and the other one has not left."""
_SLOWEST = 0.5
"""Share of the cadence just before a stand."""
_STEP = 0.005


@dataclass(frozen=True)
class Pace:
    """Stands in a walk. start: seconds that the walker stands before setting out, None for who walks already. stands:
    (after how many seconds, for how many), in order; each begins where the feet next come to it, and after the one
    before has been walked off, so a little later."""

    start: float | None = None
    stands: tuple[tuple[float, float], ...] = ()


def first_phase(pace: Pace, phase: float) -> float:
    """The phase in cycles at which a walk begins that would begin at `phase`: who stands does so on both feet."""
    return _on_both_feet(phase) if pace.start is not None else phase


def keep_pace(pace: Pace, even: np.ndarray, cadence: float) -> tuple[np.ndarray, np.ndarray]:
    """(T,) phase in cycles, and (T,) share of a walker's movement, 0 in a stand to 1, at the times at which an even
    walk is at the increasing phases `even` (T,). cadence: steps a minute."""
    cycles = cadence / 120.0
    first = even[0]
    halts = [] if pace.start is None else [(first, pace.start * cycles)]
    delay = sum(held for _, held in halts)
    for time, seconds in pace.stands:
        earliest = halts[-1][0] + 2 * _RAMP if halts else first + _RAMP
        halts.append((_on_both_feet(max(first + time * cycles - delay, earliest)), seconds * cycles))
        delay += halts[-1][1]
    phase = np.arange(first, even[-1] + 2 * _STEP, _STEP)
    where = np.array([halt for halt, _ in halts])
    phase = np.sort(np.concatenate([phase, where, where]))
    swing = _swing(phase, where)
    # An even walk's phases are a clock: it runs on while a slow walk's do not.
    rate = _SLOWEST + (1.0 - _SLOWEST) * swing
    clock = first + np.concatenate([[0.0], np.cumsum(2 * np.diff(phase) / (rate[1:] + rate[:-1]))])
    for halt, held in halts:
        clock[np.searchsorted(phase, halt) + 1 :] += held
    kept = np.interp(even, clock, phase)
    return kept, _swing(kept, where)


def _on_both_feet(phase: float) -> float:
    """The first phase not before `phase` with both feet on the ground."""
    return float(np.ceil(2 * (phase - _BOTH_FEET)) / 2 + _BOTH_FEET)


def _swing(phase: np.ndarray, halts: np.ndarray) -> np.ndarray:
    if len(halts) == 0:
        return np.ones_like(phase)
    return smooth_step(np.abs(phase[:, None] - halts).min(axis=1) / _RAMP)
