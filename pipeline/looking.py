"""Where to look for people who are not followed yet: proposals, each a square of the frame in which somebody may be.

Proposals come from what moves before a fixed camera and from overlapping tiles of the frame at several scales, or from
a person detector where the user has one. A look costs about as much as following one person for one frame, so looks are
paid for: each second earns looks for everybody who is followed, a look that finds nobody spends one, one that finds
somebody is free, and who turns out to be somebody pays for more: where there is one there may be others. So one person
followed costs a look or so in a second, and a crowd is looked through until the looks find nobody.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.movement import Movement
from pipeline.people import Window, overlap, shared, window_around
from pipeline.values import Frame

Detector = Callable[[np.ndarray], list[np.ndarray]]
"""A picture (H, W, 3) uint8 to the boxes (4,) of the people in it, x0 y0 x1 y1 in pixels, the surest first."""

EARNED = 1.25  # looks that a second of footage earns for each person followed
WELCOME = 2.0  # looks that somebody who is there indeed pays for
SAVED = 3.0  # looks that can be saved up, and the most in one frame
KEPT = 1.0  # looks that tiles leave for what moves
REST = 0.3  # seconds for which what moves is not looked at again; twice as long each time that it is still there
SAME = 0.4  # intersection over union of two boxes above which the same moves; who walks in grows, who walks on leaves
FILLED = 0.4  # of a tile's side that a body takes up where it is found best
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
        self._left: list[Window] = []  # of this round
        self._begun = self._time = -np.inf
        self._whole = False
        self._saved = SAVED
        self._looked: list[tuple[float, float, np.ndarray]] = []  # at what moved: when, for how long it rests, its box

    def windows(self, frame: Frame, followed: Sequence[np.ndarray]) -> Iterator[Window]:
        """Where to look in this frame, given the boxes of the people followed; say `found` before taking the next."""
        height, width = frame.rgb.shape[:2]
        if self._detector is not None:
            yield from self._detected(self._detector, frame, followed)
            return
        if self._size != (width, height):
            self._size, self._tiles = (width, height), tiles(width, height)
            self._left = list(self._tiles)
        self._movement.update(frame, followed)
        self._whole = not self._whole
        self._looked = [look for look in self._looked if frame.time < look[0] + 2 * look[1]]
        earned = EARNED * len(followed) * min(max(frame.time - self._time, 0.0), 1.0)
        self._time = frame.time
        self._saved = min(SAVED, self._saved + earned) if followed else max(1.0, self._saved)
        proposals = self._proposed(frame, followed)
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

    def confirmed(self) -> None:
        """Somebody whom a look had found is there indeed."""
        self._saved = min(SAVED, self._saved + WELCOME)

    def _proposed(self, frame: Frame, followed: Sequence[np.ndarray]) -> Iterator[Window]:
        height, width = frame.rgb.shape[:2]
        alone = not followed
        if alone and self._whole:
            yield 0, 0, width, height
        for box in self._movement.boxes:
            if self._is_rested(box, frame.time):
                yield _around(box, 1.7, width, height)
        if not self._left and frame.time - self._begun >= self._seconds:
            self._left = list(self._tiles)
        if self._left and (alone or self._saved >= 1 + KEPT):
            self._begun = frame.time if len(self._left) == len(self._tiles) else self._begun
            yield self._next_tile(followed)
        if alone and not self._whole:
            yield 0, 0, width, height

    def _is_rested(self, box: np.ndarray, time: float) -> bool:
        """Whether to look at what moves in the box now, which is then noted."""
        again = next((look for look in self._looked if shared(box, look[2]) > SAME), None)
        if again is not None and time < again[0] + again[1]:
            return False
        rest = REST if again is None else 2 * again[1]
        self._looked = [look for look in self._looked if look is not again] + [(time, rest, box)]
        return True

    def _next_tile(self, followed: Sequence[np.ndarray]) -> Window:
        """Of the tiles left, one of the kind in which a body as tall as those followed fills a good part."""
        if followed:
            side = float(np.median([max(box[2:] - box[:2]) for box in followed])) / FILLED
            best = min(self._left, key=lambda tile: abs(np.log((tile[2] - tile[0]) / side)))
        else:
            best = self._left[0]
        self._left.remove(best)
        return best

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
