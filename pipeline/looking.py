"""Where to look for people who are not followed yet: proposals, each a square of the frame in which somebody may be.

Proposals come from what moves before a fixed camera and from overlapping tiles of the frame at several scales, or from
a person detector where the user has one. A look costs about as much as following one person for one frame, so looks are
paid for: each second earns looks for everybody who is followed, a look that finds nobody spends one, and one
that finds somebody is free. So one person followed costs a look or so in a second, and in a crowd there are many looks.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.movement import Movement
from pipeline.people import Window, overlap, window_around
from pipeline.values import Frame

Detector = Callable[[np.ndarray], list[np.ndarray]]
"""A picture (H, W, 3) uint8 to the boxes (4,) of the people in it, x0 y0 x1 y1 in pixels, the surest first."""

EARNED = 1.25  # looks that a second of footage earns for each person followed
SAVED = 3.0  # looks that can be saved up, and the most in one frame
KEPT = 1.0  # looks that tiles leave for what moves
REST = 1.0  # seconds for which a place where nobody was found is not looked at because of movement
SMALLEST_TILE = 200  # pixels
LEAST_WINDOW = 96.0  # pixels: in a smaller picture there is too little to see


def tiles(width: int, height: int) -> list[Window]:
    """Overlapping squares over the frame, the largest first: in each a body is larger than in the whole frame.

    Each kind of tile is 0.6 of the one before, so that a body fills a good part of some tile at any distance.
    """
    found: list[Window] = []
    side = min(width, height)
    while side >= SMALLEST_TILE or not found:
        columns, rows = (1 + -(-2 * (length - side) // side) for length in (width, height))
        for row in range(rows):
            for column in range(columns):
                x = (width - side) * column // max(1, columns - 1)
                y = (height - side) * row // max(1, rows - 1)
                found.append((x, y, x + side, y + side))
        side = int(0.6 * side)
    return found if len(found) > 1 else []


class Search:
    """Chooses the windows of one video in which to look, by frames and times alone.

    seconds: from the beginning of one round of the tiles, or one use of the detector, to the next at the earliest.
    """

    def __init__(self, seconds: float, detector: Detector | None = None) -> None:
        self._seconds, self._detector = seconds, detector
        self._movement = Movement()
        self._tiles: list[Window] = []
        self._size = (0, 0)
        self._next = 0
        self._begun = self._time = -np.inf
        self._whole = False
        self._saved = SAVED
        self._resting: list[tuple[float, np.ndarray]] = []

    def windows(self, frame: Frame, followed: Sequence[np.ndarray]) -> Iterator[Window]:
        """Where to look in this frame, given the boxes of the people followed; say `found` before taking the next."""
        height, width = frame.rgb.shape[:2]
        if self._detector is not None:
            yield from self._detected(self._detector, frame, followed)
            return
        if self._size != (width, height):
            self._size, self._tiles, self._next = (width, height), tiles(width, height), 0
        self._movement.update(frame, followed)
        self._whole = not self._whole
        self._resting = [(until, box) for until, box in self._resting if until > frame.time]
        earned = EARNED * len(followed) * min(max(frame.time - self._time, 0.0), 1.0)
        self._time = frame.time
        self._saved = min(SAVED, self._saved + earned) if followed else max(1.0, self._saved)
        proposals = self._proposed(frame, alone=not followed)
        for _ in range(int(SAVED)):
            # What is proposed counts as looked at, so nothing may be proposed that cannot be paid for.
            window = next(proposals, None) if self._saved >= 1 else None
            if window is None:
                return
            self._saved -= 1
            yield window

    def found(self) -> None:
        """The look at the last window found somebody new."""
        self._saved = min(SAVED, self._saved + 1)

    def _proposed(self, frame: Frame, alone: bool) -> Iterator[Window]:
        height, width = frame.rgb.shape[:2]
        if alone and self._whole:
            yield 0, 0, width, height
        for box in self._movement.boxes:
            if not any(overlap(box, rest) > 0.3 for _, rest in self._resting):
                self._resting.append((frame.time + REST, box))
                yield _around(box, 1.7, width, height)
        if self._next >= len(self._tiles) and frame.time - self._begun >= self._seconds:
            self._next = 0
        if self._next < len(self._tiles) and (alone or self._saved >= 1 + KEPT):
            self._begun = frame.time if self._next == 0 else self._begun
            self._next += 1
            yield self._tiles[self._next - 1]
        if alone:
            yield 0, 0, width, height

    def _detected(self, detector: Detector, frame: Frame, followed: Sequence[np.ndarray]) -> Iterator[Window]:
        if frame.time - self._begun < self._seconds:
            return
        self._begun = frame.time
        height, width = frame.rgb.shape[:2]
        for box in detector(frame.rgb):
            if not any(overlap(box, known) > 0.6 for known in followed):
                yield _around(box, 1.5, width, height)


def _around(box: np.ndarray, room: float, width: int, height: int) -> Window:
    side = max(LEAST_WINDOW, room * max(box[2] - box[0], box[3] - box[1]))
    return window_around((box[:2] + box[2:]) / 2, side, width, height)
