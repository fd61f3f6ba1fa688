"""Somebody who is followed from frame to frame: where they are expected, and the window in which they are posed."""

import numpy as np

from pipeline.both_sides import Follower
from pipeline.people import JOINTS, Window, body_height, centre_of, moved, window_around
from pipeline.values import Person

ROOM = 2.0  # side of a window, in body heights
STEP = 0.1  # by how much an edge of a window may move from frame to frame, in body heights
LOST = 0.5  # seconds out of sight after which a person is no longer followed
STILL, STILL_SECONDS = 0.04, 1.0  # body heights moved within so many seconds: standing
STANDING_SPACING = 0.2  # seconds between two looks at somebody who stands


class Followed:
    """Somebody who is followed: where they were, how they move, and their own landmarker."""

    def __init__(self, follower: Follower, person: Person, window: Window, time: float) -> None:
        self.follower = follower
        self.person = person
        self._window = np.array(window, np.float64)
        self.centre, self.height = centre_of(person), body_height(person)
        self.speed = np.zeros(2)
        self.seen = self.posed = time
        self.hits = 0
        self.missed = False
        self._anchor, self._anchored = person.image[JOINTS], time

    def expected(self, time: float) -> np.ndarray:
        """(2,) where their middle should be, in pixels."""
        return np.asarray(self.centre + self.speed * min(time - self.seen, LOST))

    def window(self, time: float, width: int, height: int) -> Window:
        """Where to pose them: from the window in which they were found, by small steps, to one that goes with them.

        The landmarker expects the body where it was in the picture before, so a leap would make it lose the body.
        """
        room = ROOM * self.height * (1.0 + min(time - self.seen, LOST))
        aim = np.array(window_around(self.expected(time), room, width, height), np.float64)
        step = np.inf if self.missed else STEP * self.height
        self._window += np.clip(aim - self._window, -step, step)
        x0, y0, x1, y1 = (round(float(edge)) for edge in self._window)
        return x0, y0, x1, y1

    def shifted(self, time: float) -> Person:
        """The body last seen, where it is expected to be."""
        return moved(self.person, *(self.expected(time) - self.centre))

    def box(self, time: float) -> np.ndarray:
        """Where they are taken to be, with a margin for what moves with them."""
        shift = self.expected(time) - self.centre
        margin = 0.1 * self.height
        return np.asarray(self.person.box + np.tile(shift, 2) + np.array([-margin, -margin, margin, margin]))

    def due(self, time: float) -> bool:
        """Whether to pose them now: who stands is looked at now and then."""
        standing = time - self._anchored >= STILL_SECONDS
        return not standing or time - self.posed >= STANDING_SPACING - 1e-6

    def surprise(self, person: Person, time: float) -> float:
        """How far from where they were expected, in body heights."""
        return float(np.linalg.norm(centre_of(person) - self.expected(time))) / self.height

    def found(self, person: Person, time: float) -> None:
        """They were posed there now."""
        centre, passed = centre_of(person), time - self.seen
        if self.hits and passed > 0:
            self.speed = 0.6 * self.speed + 0.4 * (centre - self.centre) / passed
        self.height = body_height(person) if not self.hits else 0.8 * self.height + 0.2 * body_height(person)
        self.person, self.centre, self.seen, self.missed = person, centre, time, False
        self.hits += 1
        if np.linalg.norm(person.image[JOINTS] - self._anchor, axis=1).max() > STILL * self.height:
            self._anchor, self._anchored = person.image[JOINTS], time

    def agrees(self, person: Person) -> bool:
        """Whether a newcomer's first pose as somebody followed is what the scout saw."""
        return self.surprise(person, self.seen) < 0.3 and 0.5 < body_height(person) / self.height < 2.0
