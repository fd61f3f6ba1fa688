"""People who pass each other and come out with each other's number, set right once both tracks are known as a whole.

While one covers the other the tracker cannot always tell who is who. What it then gets wrong is plain to see looking
back: two who walked towards each other have each turned round at the moment at which they met, and each goes on as the
other would have. Two people who really meet and turn back take longer over it than they take to pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.sightings import Sightings, together

Array = NDArray[np.floating]

MET = 0.5
"""Sizes between the middles of two who meet, at the most."""

PASSING = 1.0
"""Seconds for which two meet who pass, at the most: who is together for longer may part in any way."""

BEFORE_AND_AFTER = 0.8
"""Seconds before they met and after that tell how each of them moves."""

FEWEST = 3
"""Sightings that tell how somebody moves."""

TURNED = 0.5
"""Sizes a second by which both have changed how they move, at the least."""

LIKELIER = 0.5
"""What is left of that change, at the most, once they have changed places."""


@dataclass(frozen=True)
class _Way:
    """Where somebody was: times (T,) seconds, middles (T, 2) pixels, sizes (T,) pixels."""

    times: Array
    middles: Array
    sizes: Array

    @classmethod
    def of(cls, seen: Sightings) -> "_Way":
        return cls(seen.times, seen.middles, seen.sizes)

    def between(self, start: float, stop: float) -> "_Way":
        """What was seen from `start` to `stop`, both included."""
        first, last = np.searchsorted(self.times, start, "left"), np.searchsorted(self.times, stop, "right")
        return _Way(self.times[first:last], self.middles[first:last], self.sizes[first:last])

    def at(self, times: Array) -> tuple[Array, Array]:
        """Middles (N, 2) and sizes (N,) at other times, on straight lines."""
        x, y, sizes = (np.interp(times, self.times, column) for column in (*self.middles.T, self.sizes))
        return np.stack([x, y], axis=1), sizes


def uncrossed(tracks: Sequence[Sightings]) -> list[Sightings]:
    """The tracks of one clip in the same order, those who came out of an encounter as each other exchanged from
    then on."""
    mended, ways = list(tracks), [_Way.of(seen) for seen in tracks]
    holder = list(range(len(tracks)))  # where the sightings of each are by now
    for start, stop, *pair in sorted(_meetings(ways)):
        i, j = (holder[number] for number in pair)
        time = _exchanged(ways[i], ways[j], start, stop)
        if time is not None:
            mended[i], mended[j] = mended[i].then(mended[j], time), mended[j].then(mended[i], time)
            ways[i], ways[j] = _Way.of(mended[i]), _Way.of(mended[j])
            holder[pair[0]], holder[pair[1]] = j, i
    return mended


def _meetings(ways: Sequence[_Way]) -> Iterator[tuple[float, float, int, int]]:
    """(start, stop, i, j): when two meet, in seconds, each time that they do and may have passed."""
    for i, j in together([(float(way.times[0]), float(way.times[-1])) for way in ways]):
        times, near = _near(ways[i], ways[j])
        for run in _runs(near):
            if times[run[-1]] - times[run[0]] <= PASSING:
                yield float(times[run[0]]), float(times[run[-1]]), i, j


def _near(one: _Way, other: _Way) -> tuple[Array, NDArray[np.bool_]]:
    """While both are there: (T,) seconds, and whether they meet then."""
    start, stop = max(one.times[0], other.times[0]), min(one.times[-1], other.times[-1])
    times = np.union1d(*(way.between(start, stop).times for way in (one, other)))
    (here, size), (there, other_size) = one.at(times), other.at(times)
    return times, np.asarray(np.hypot(*(here - there).T) < MET * (size + other_size) / 2)


def _runs(wanted: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The numbers of those wanted, a stretch at a time."""
    numbers = np.flatnonzero(wanted)
    return [run for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(run)]


def _exchanged(one: _Way, other: _Way, start: float, stop: float) -> float | None:
    """From when on two who met from `start` to `stop` have each other's sightings; None where each has their own."""
    pair = (one, other)
    before = _motions(pair, start - BEFORE_AND_AFTER, start, start)
    after = _motions(pair, stop, stop + BEFORE_AND_AFTER, stop)
    if before is None or after is None:
        return None
    size = float(np.mean([way.at(np.array([start, stop]))[1] for way in pair]))
    came, went = before[:, 1] / size, after[:, 1] / size
    changed, left = np.linalg.norm(went - came, axis=1), np.linalg.norm(went[::-1] - came, axis=1)
    if changed.min() < TURNED or left.sum() > LIKELIER * changed.sum():
        return None
    met = [way.between(start, stop) for way in pair]
    lines = [_line(way.times, start, stop, before[:, 0], after[::-1, 0]) for way in met]

    def off(time: float) -> float:
        """How far both are from their lines across the encounter, if they change places at this time."""
        on = [np.where((way.times < time)[:, None], line[k], line[1 - k])
              for k, (way, line) in enumerate(zip(met, lines, strict=True))]  # fmt: skip
        return sum(float(np.linalg.norm(way.middles - line, axis=1).sum()) for way, line in zip(met, on, strict=True))

    after_all = np.nextafter(stop, np.inf)
    return float(min([*np.union1d(met[0].times, met[1].times), after_all], key=off))


def _line(times: Array, start: float, stop: float, begun: Array, ended: Array) -> Array:
    """(2, T, 2): where two are on straight lines from `begun` to `ended` (2, 2)."""
    share = ((times - start) / max(stop - start, 1e-9))[:, None]
    return (1 - share) * begun[:, None] + share * ended[:, None]


def _motions(pair: tuple[_Way, _Way], start: float, stop: float, time: float) -> Array | None:
    """(2, 2, 2): of both, where they are at `time` and how fast they move, in pixels and seconds, by a straight line
    through what was seen of them from `start` to `stop`; None where that is too little."""
    seen = [way.between(start, stop) for way in pair]
    if min(len(way.times) for way in seen) < FEWEST:
        return None
    return np.array([np.polyfit(way.times - time, way.middles, 1)[::-1] for way in seen])
