"""The sightings of one person in the frames of a clip, kept closely: 0.9 kB each, for hours of footage are many."""

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.people import JOINTS
from pipeline.values import Person, PoseTrack

_BOX, _IMAGE, _WORLD, _VISIBILITY, _COLOURS = (
    slice(0, 4),
    slice(4, 70),
    slice(70, 169),
    slice(169, 202),
    slice(202, 214),
)
_WIDTH = 214  # numbers of a row


class Sightings:
    """What was seen of one person, in time order; grows and shrinks while none of its arrays is in use."""

    def __init__(self) -> None:
        self._times, self._frames, self._rows = array("d"), array("q"), array("f")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: float, frame: int, person: Person, colours: np.ndarray | None) -> None:
        """One more. colours: (4, 3) of the clothes, in [0, 1]; None where they may be somebody else's."""
        shown = np.full((4, 3), np.nan) if colours is None else colours
        parts = (person.box, person.image, person.world, person.visibility, shown)
        self._rows.frombytes(np.concatenate([part.ravel() for part in parts]).astype(np.float32).tobytes())
        self._times.append(time)
        self._frames.append(frame)

    def leave_out(self, rows: np.ndarray) -> None:
        """Take these rows out, (T,) bool, in place: a copy of hours of footage would not be small. None of its arrays
        may be in use."""
        edges = np.flatnonzero(np.diff(rows, prepend=False, append=False)).tolist()
        for first, stop in zip(edges[-2::-2], edges[::-2], strict=True):  # the last stretch first
            del self._times[first:stop], self._frames[first:stop], self._rows[_WIDTH * first : _WIDTH * stop]

    def then(self, other: "Sightings", time: float) -> "Sightings":
        """These up to `time`, seconds, and from then on those of `other`."""
        joined, until, since = Sightings(), int((self.times < time).sum()), int((other.times < time).sum())
        joined._times = self._times[:until] + other._times[since:]
        joined._frames = self._frames[:until] + other._frames[since:]
        joined._rows = self._rows[: _WIDTH * until] + other._rows[_WIDTH * since :]
        return joined

    @property
    def start(self) -> float:
        """Seconds of the first."""
        return self._times[0]

    @property
    def end(self) -> float:
        """Seconds of the last."""
        return self._times[-1]

    @property
    def times(self) -> np.ndarray:
        """(T,) float64 seconds."""
        return np.frombuffer(self._times, np.float64)

    @property
    def frames(self) -> np.ndarray:
        """(T,) int64."""
        return np.frombuffer(self._frames, np.int64)

    @property
    def boxes(self) -> np.ndarray:
        """(T, 4) float32."""
        return self._table()[:, _BOX]

    @property
    def middles(self) -> np.ndarray:
        """(T, 2) float64 pixels: of shoulders, elbows, wrists, hips, knees and ankles."""
        image = self._table()[:, _IMAGE].reshape(len(self), 33, 2)
        return np.asarray(image[:, JOINTS].mean(axis=1, dtype=np.float64))

    @property
    def sizes(self) -> np.ndarray:
        """(T,) pixels: of each box what `motion.size_of` says."""
        return np.asarray(np.maximum((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1), 1.0))

    @property
    def usual_colours(self) -> np.ndarray | None:
        """(4, 3): medians over the frames that show all of the clothes; None where there is no such frame."""
        colours = self._table()[:, _COLOURS]
        seen = colours[np.isfinite(colours).all(axis=1)]
        return np.median(seen, axis=0).reshape(4, 3) if len(seen) else None

    def track(self, number: int, frame_size: tuple[int, int], source: str) -> PoseTrack:
        """All of it as a track, without a copy."""
        table, count = self._table(), len(self)
        return PoseTrack(
            number, self.times, self.frames, self.boxes,
            table[:, _IMAGE].reshape(count, 33, 2), table[:, _WORLD].reshape(count, 33, 3), table[:, _VISIBILITY],
            frame_size, source,
        )  # fmt: skip

    def _table(self) -> np.ndarray:
        return np.frombuffer(self._rows, np.float32).reshape(len(self), -1)


def together(spans: Sequence[tuple[float, float]]) -> Iterator[tuple[int, int]]:
    """The numbers of any two whose times, (start, end) in seconds, overlap: of thousands in hours of footage, few."""
    going_on: list[int] = []
    for number in sorted(range(len(spans)), key=lambda number: spans[number][0]):
        going_on = [other for other in going_on if spans[other][1] >= spans[number][0]]
        for other in going_on:
            yield other, number
        going_on.append(number)
