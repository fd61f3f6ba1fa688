"""Small people are posed twice, as they are and in the mirror, and the mean is taken.

A pose estimator makes different mistakes of a picture and of its mirror image, so their mean errs a little less than
either. The second look takes as long as the first: only those have it of whom the first sees little.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import Protocol

import numpy as np

from pipeline.people import body_height, same_body
from pipeline.values import Person

MIRRORED_LANDMARKS = np.array(
    [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(side + place for place in range(11, 33, 2) for side in (1, 0))]
)
"""Each of MediaPipe's 33 landmarks -> the one of the other side."""


class Follower(Protocol):
    """What poses one body in a picture and follows it from call to call."""

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None: ...

    def close(self) -> None: ...


class BothSides:
    """A `Follower` of followers that `make` opens: one for the picture and, as soon as somebody is smaller than
    `below` pixels (`people.body_height`), one for its mirror image."""

    def __init__(self, make: Callable[[], Follower], below: float) -> None:
        self._make, self._below = make, below
        self._open = ExitStack()
        self._plain = self._opened()
        self._mirror: Follower | None = None
        self._holds = False  # the mirror's follower, somebody

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        """The body in a picture (H, W, 3) uint8 taken at `time` seconds, in pixels of that picture."""
        person = self._plain(rgb, time)
        small = person is not None and body_height(person) < self._below
        # Where nobody is, whoever is held in the mirror must be let go of, and nobody else be found there: what is seen
        # of the next body would depend on it.
        if not (small or (person is None and self._holds)):
            return person
        self._mirror = self._mirror or self._opened()
        seen = self._mirror(rgb[:, ::-1], time)
        self._holds = seen is not None
        if person is None or seen is None:
            return person
        other = mirrored(seen, rgb.shape[1])
        return mean(person, other) if same_body(person, other) else person

    def close(self) -> None:
        """Free the models; safe to call twice."""
        self._open.close()

    def _opened(self) -> Follower:
        follower = self._make()
        self._open.callback(follower.close)
        return follower


def mirrored(person: Person, width: int) -> Person:
    """The body that the mirror image of a picture so wide shows, as it is in the picture."""
    image, world = person.image[MIRRORED_LANDMARKS], person.world[MIRRORED_LANDMARKS]
    x0, y0, x1, y1 = person.box
    return replace(
        person,
        box=np.array([width - x1, y0, width - x0, y1], np.float32),
        image=image * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32),
        world=world * np.array([-1, 1, 1], np.float32),
        visibility=person.visibility[MIRRORED_LANDMARKS],
    )


def mean(one: Person, other: Person) -> Person:
    """Halfway between two poses of one body."""
    names = [field.name for field in fields(Person)]
    return Person(**{name: (getattr(one, name) + getattr(other, name)) / 2 for name in names})
