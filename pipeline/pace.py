"""Which frames of footage are used: every n-th, or as few as leave enough of them in a second.

By the times of the frames, not by the rate that a file declares: rates vary within a clip, and some are wrong.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

ENOUGH = 15.0
"""Frames a second: the encoder sees no more, and most of what it learned from was filmed so."""

LONGEST = 1.1 / ENOUGH
"""Seconds between two frames, at the most, where there are any between them: a little more than their share, for
29.97 frames a second, and for times that are rounded or late."""

T = TypeVar("T")


def paced(frames: Iterable[tuple[T, float]], stride: int | None) -> Iterator[tuple[T, float, int]]:
    """The (frame, seconds) to be used of all those of one source in order, with their numbers 0, 1, 2 …

    stride: every so many; None for as few as leave `ENOUGH` a second: each second of 30, each fourth of 60, all of 25.
    For that a frame waits for the one that follows: it is left out if that one still comes soon enough. The first and
    the last are used.
    """
    if stride is not None:
        yield from ((frame, time, number) for number, (frame, time) in enumerate(frames) if number % stride == 0)
        return
    waiting: tuple[T, float, int] | None = None
    used = 0.0
    for number, (frame, time) in enumerate(frames):
        if waiting is not None and time - used > LONGEST:
            yield waiting
            used, waiting = waiting[1], None
        if number == 0:
            yield frame, time, number
            used = time
        else:
            waiting = frame, time, number
    if waiting is not None:
        yield waiting
