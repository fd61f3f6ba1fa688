"""Sightings in which a track lies beside its person, taken out once the whole of the track is known.

Where two bodies cover each other, the pose of one may slip onto the other, or onto both, and be back a few frames
later. While that happens nobody can tell, but nobody walks like that either: for a moment the body is far off the line
between where it was before and where it is after.
"""

import numpy as np

from pipeline.sightings import Sightings

LONGEST = 3
"""Sightings in a row that may have slipped; more are somebody who went another way."""

REACH = 0.5
"""Seconds between the sightings around them, at the most: over a longer time people do turn back."""

OFF = 0.1
"""How far the middle of the body lies off that line at the least, in sizes of its box."""

PACE, SWAY = 1.0, 0.03
"""Sizes a second, and sizes, that the sightings around them lie apart at the most. Who walks does not move faster, and
what lies beside a jump is no farther than `OFF` from the line across it then, which is no slip."""


def leave_out_slips(seen: Sightings) -> None:
    """Take out, in place, those that lie beside the person."""
    seen.leave_out(_slipped(seen.times, seen.middles, seen.sizes))


def _slipped(times: np.ndarray, middles: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(T,) bool."""
    slipped = np.zeros(len(times), bool)
    while True:
        rows = np.flatnonzero(~slipped)
        runs = [run for length in range(1, LONGEST + 1) for run in _off(times, middles, sizes, rows, length)]
        if not runs:
            return slipped
        # Farthest off first, and of runs that touch each other no other: what lies beside a slip seems off as well.
        taken = np.zeros(len(rows) + 2, bool)
        for _, start, length in sorted(runs, reverse=True):
            if not taken[start : start + length + 2].any():
                taken[start + 1 : start + length + 1] = True
                slipped[rows[start + 1 : start + length + 1]] = True


def _off(
    times: np.ndarray, middles: np.ndarray, sizes: np.ndarray, rows: np.ndarray, length: int
) -> list[tuple[float, int, int]]:
    """(how far off, start, length) of the runs that slipped: each is `length` of `rows`, after the one at `start`."""
    if len(rows) < length + 2:
        return []
    before, after = rows[: -length - 1], rows[length + 1 :]
    gap, moved = times[after] - times[before], middles[after] - middles[before]
    off = np.full(len(before), np.inf)
    for k in range(1, length + 1):
        run = rows[k : k - length - 1]
        line = middles[before] + ((times[run] - times[before]) / gap)[:, None] * moved
        off = np.minimum(off, np.linalg.norm(middles[run] - line, axis=1) / sizes[before])
    steady = np.linalg.norm(moved, axis=1) / sizes[before] <= PACE * gap + SWAY
    starts = np.flatnonzero((off > OFF) & steady & (gap <= REACH))
    return [(float(off[start]), int(start), length) for start in starts]
