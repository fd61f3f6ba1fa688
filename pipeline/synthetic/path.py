"""Where a walker goes on the ground: a smooth curve given by its arc length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d


@dataclass(frozen=True)
class Path:
    """A curve on the ground. points: (N, 2) metres, x and z, evenly spaced along it; `closed` curves are walked round
    and round, open ones go straight on beyond their ends."""

    points: np.ndarray
    closed: bool

    @property
    def length(self) -> float:
        """Metres from the first point to the last, and back to the first for a closed path."""
        ring = np.vstack([self.points, self.points[:1]]) if self.closed else self.points
        return float(np.linalg.norm(np.diff(ring, axis=0), axis=1).sum())

    def at(self, distance: np.ndarray) -> np.ndarray:
        """(T, 2) places at the (T,) distances in metres along the path."""
        ring = np.vstack([self.points, self.points[:1]]) if self.closed else self.points
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
        where = np.mod(distance, along[-1]) if self.closed else np.clip(distance, 0.0, along[-1])
        place = np.stack([np.interp(where, along, ring[:, axis]) for axis in (0, 1)], axis=-1)
        if not self.closed:
            first, last = _unit(ring[1] - ring[0]), _unit(ring[-1] - ring[-2])
            place += np.minimum(distance, 0.0)[:, None] * first + np.maximum(distance - along[-1], 0.0)[:, None] * last
        return np.asarray(place)

    def heading(self, distance: np.ndarray, window: float = 0.35) -> np.ndarray:
        """(T,) headings in radians, unwrapped, 0 towards +z and a quarter turn towards +x; the direction between the
        places half a `window` in metres before and after."""
        step = self.at(distance + window / 2) - self.at(distance - window / 2)
        return np.unwrap(np.arctan2(step[:, 0], step[:, 1]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def _even(points: np.ndarray, closed: bool, spacing: float = 0.03) -> Path:
    ring = np.vstack([points, points[:1]]) if closed else points
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    count = max(2, round(along[-1] / spacing))
    where = np.linspace(0.0, along[-1], count + 1)[: count if closed else None]
    return Path(np.stack([np.interp(where, along, ring[:, axis]) for axis in (0, 1)], axis=-1), closed)


def loop(perimeter: float, aspect: float = 1.5, turn: float = 0.0, clockwise: bool = False,
         centre: tuple[float, float] = (0.0, 0.0)) -> Path:  # fmt: skip
    """A closed oval (a superellipse, so that its sides are fairly straight). perimeter: metres; aspect: long axis over
    short; turn: radians by which the long axis is turned from +x; the walk starts at one end of the long axis."""
    angle = np.linspace(0.0, 2 * np.pi, 400, endpoint=False)
    if clockwise:
        angle = -angle
    power = 2.0 / 2.4
    x = aspect * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    z = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    points = np.stack([x * np.cos(turn) + z * np.sin(turn), -x * np.sin(turn) + z * np.cos(turn)], axis=-1)
    length = np.linalg.norm(np.diff(np.vstack([points, points[:1]]), axis=0), axis=1).sum()
    return _even(points * (perimeter / length) + np.asarray(centre), closed=True)


def straight(start: tuple[float, float], heading: float, length: float) -> Path:
    """A straight line of `length` metres from `start` in the direction `heading` (radians, 0 towards +z)."""
    direction = np.array([np.sin(heading), np.cos(heading)])
    return _even(np.stack([np.asarray(start), np.asarray(start) + length * direction]), closed=False)


_EASING = 0.8
"""Metres over which a bend comes and goes."""


def bends(start: tuple[float, float], heading: float, parts: Sequence[tuple[float, float]]) -> Path:
    """An open path from `start` in the direction `heading` (radians, 0 towards +z). parts: (metres, radians), of which
    each goes on for so long and turns by so much, evenly, to the left where positive: [(3, 0)] is a line,
    [(6, 1)] a gentle arc, [(2, 0), (3, pi), (2, 0)] a way back, [(4, 1), (4, -1)] an S."""
    spacing = 0.03
    lengths, turns = (np.array([part[i] for part in parts]) for i in (0, 1))
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, round(along[-1] / spacing))
    where = (np.arange(count) + 0.5) * along[-1] / count
    headings = np.interp(where, along, np.concatenate([[0.0], np.cumsum(turns)]))
    # Bends come and go over a length, as nobody's curvature jumps.
    headings = heading + uniform_filter1d(headings, max(1, round(_EASING / spacing)), mode="nearest")
    steps = np.stack([np.sin(headings), np.cos(headings)], axis=-1) * along[-1] / count
    return Path(np.asarray(start) + np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), closed=False)


def to_and_fro(length: float, radius: float, heading: float, left: bool = True,
               centre: tuple[float, float] = (0.0, 0.0)) -> Path:  # fmt: skip
    """A closed path that goes `length` metres straight in the direction `heading` (radians), turns round on half a
    circle of `radius` metres, comes back, and turns round again; the walk starts in the middle of the way there.
    left: which way it turns, both times."""
    angle = np.linspace(0.0, np.pi, 60)
    end = length / 2 + radius * np.sin(angle)
    ahead = np.concatenate([[0.0], end, -end])
    aside = radius * np.concatenate([[-1.0], -np.cos(angle), np.cos(angle)]) * (1.0 if left else -1.0)
    forward, to_left = np.array([np.sin(heading), np.cos(heading)]), np.array([np.cos(heading), -np.sin(heading)])
    return _even(ahead[:, None] * forward + aside[:, None] * to_left + np.asarray(centre), closed=True)
