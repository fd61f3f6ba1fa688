"""Where people may be in a frame: windows cut around them, places worth a look, and what a found body must be like.

Knows pictures and `Person`s, no pose estimator. Sizes are in pixels of the frame, boxes and windows x0 y0 x1 y1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from pipeline.motion import size_of
from pipeline.values import Frame, Person

Window = tuple[int, int, int, int]

JOINTS = np.array([11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28])  # shoulders, elbows, wrists, hips, knees, ankles
TRUNK = np.array([11, 12, 23, 24])

SMALLEST = 24.0  # pixels: nobody smaller can be posed
ALIKE = 0.16  # mean distance of joints, in body heights, under which two poses are one body's


def window_around(centre: np.ndarray, side: float, width: int, height: int) -> Window:
    """The square of `side` around `centre`, clipped to the frame; never empty."""
    x0, y0 = (int(min(max(0.0, c - side / 2), limit - 2)) for c, limit in zip(centre, (width, height), strict=True))
    x1, y1 = (int(min(max(2.0, c + side / 2), limit)) for c, limit in zip(centre, (width, height), strict=True))
    return x0, y0, max(x1, x0 + 2), max(y1, y0 + 2)


def cut(rgb: np.ndarray, window: Window, hide: Iterable[Person] = ()) -> np.ndarray:
    """The picture in a window; the bodies in `hide` are painted out of a copy."""
    x0, y0, x1, y1 = window
    part = rgb[y0:y1, x0:x1]
    hidden = [person for person in hide if overlap(person.box, np.array(window)) > 0]
    if not hidden:
        return part
    part = part.copy()
    paint = [int(value) for value in part[:: max(1, len(part) // 16)].reshape(-1, 3).mean(axis=0)]
    for person in hidden:
        points = (person.image - (x0, y0)).astype(np.int32)
        breadth = max(3, int(0.12 * body_height(person)))
        outline = cv2.convexHull(points)
        cv2.fillPoly(part, [outline], paint)
        cv2.polylines(part, [outline], True, paint, breadth)
    return part


def moved(person: Person, dx: float, dy: float) -> Person:
    """The same body in a picture whose origin lies at (-dx, -dy)."""
    return replace(
        person,
        box=person.box + np.array([dx, dy, dx, dy], np.float32),
        image=person.image + np.array([dx, dy], np.float32),
    )


def body_height(person: Person) -> float:
    """The longer side of the box, in pixels: the height of an upright body whichever way the camera is turned."""
    return size_of(person.box)


def centre_of(person: Person) -> np.ndarray:
    """(2,) the middle of the trunk and of the box, which is steadier than either."""
    return np.asarray((person.image[TRUNK].mean(axis=0) + (person.box[:2] + person.box[2:]) / 2) / 2, np.float64)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The share of the smaller box that lies in the other."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return float(max(0.0, sides[0]) * max(0.0, sides[1]) / max(smaller, 1e-6))


def same_body(a: Person, b: Person) -> bool:
    """Whether two poses of one frame are of one body: their joints lie on each other."""
    apart = np.linalg.norm(a.image[JOINTS] - b.image[JOINTS], axis=1).mean()
    return bool(apart < ALIKE * min(body_height(a), body_height(b)))


def plausible(person: Person, width: int, height: int, min_confidence: float) -> bool:
    """Whether a pose can be a person's rather than one imagined in the background.

    Joints seen, most of them inside the frame, tall enough, a trunk of a body's proportion.
    """
    joints = person.image[JOINTS]
    inside = ((joints >= 0) & (joints < (width, height))).all(axis=1).mean()
    tall = body_height(person)
    trunk = float(np.linalg.norm(person.image[[11, 12]].mean(axis=0) - person.image[[23, 24]].mean(axis=0)))
    seen = float(person.visibility[JOINTS].mean())
    return bool(seen >= min_confidence and inside >= 0.6 and tall >= SMALLEST and 0.08 < trunk / tall < 0.7)


def tiles(width: int, height: int) -> list[Window]:
    """Overlapping squares over the frame, the largest first: in each a body is larger than in the whole frame."""
    short, found = min(width, height), []
    for share in (1.0, 0.6):
        side = int(short * share)
        if side < 96 and share < 1.0:
            continue
        columns, rows = (1 + -(-2 * (length - side) // side) for length in (width, height))
        for row in range(rows):
            for column in range(columns):
                x = (width - side) * column // max(1, columns - 1)
                y = (height - side) * row // max(1, rows - 1)
                found.append((x, y, x + side, y + side))
    return found if len(found) > 1 else []


class Movement:
    """What has moved against the picture before, as boxes; nothing while the camera itself moves."""

    SPACING = 0.09  # seconds between the pictures compared
    SIDE = 192  # pixels, of the small picture

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._time = -np.inf
        self.boxes: list[np.ndarray] = []

    def update(self, frame: Frame, explained: Sequence[np.ndarray]) -> None:
        """Look at the next frame; `boxes` (4,) then tells what moved outside the boxes `explained`, largest first."""
        if frame.time - self._time < self.SPACING:
            return
        height, width = frame.rgb.shape[:2]
        scale = min(1.0, self.SIDE / max(width, height))
        # Every fourth pixel or so first: averaging the whole of a large picture costs more than it tells.
        skip = max(1, int(0.5 / scale))
        thinned = np.ascontiguousarray(frame.rgb[::skip, ::skip, 1])
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.GaussianBlur(cv2.resize(thinned, size, interpolation=cv2.INTER_AREA), (3, 3), 0)
        before, self._before, self._time = self._before, small, frame.time
        self.boxes = []
        if before is None or before.shape != small.shape:
            return
        change = cv2.absdiff(small, before)
        mask = (change > max(10.0, 4.0 * float(np.median(change)))).astype(np.uint8)
        if mask.mean() > 0.3:
            return
        for box in explained:
            x0, y0, x1, y1 = np.maximum(box * scale, 0).astype(int)
            mask[y0 : y1 + 1, x0 : x1 + 1] = 0
        mask = cv2.dilate(mask, np.ones((7, 7), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable") + 1
        for x, y, w, h, area in stats[order]:
            if max(w, h) / scale >= SMALLEST and area >= 60:
                self.boxes.append(np.array([x, y, x + w, y + h], np.float64) / scale)


class Search:
    """Chooses the window in which to look for people who are not followed yet, by frames and times alone.

    Movement that no followed person explains comes first, then tile after tile. While people are followed, looks are
    rare enough to cost a few hundredths of the whole; while nobody is, every frame can be looked at.
    """

    MOVEMENT_FRAMES = 10  # at least so many frames between two looks at movement
    TILE_FRAMES = 20  # and so many between two looks at tiles
    REST = 1.0  # seconds for which a place where nobody was found is not looked at because of movement

    def __init__(self) -> None:
        self.movement = Movement()
        self._tiles: list[Window] = []
        self._size = (0, 0)
        self._next = 0
        self._looked = self._tiled = -1000
        self._resting: list[tuple[float, np.ndarray]] = []

    def window(self, frame: Frame, followed: Sequence[np.ndarray]) -> Window | None:
        """Where to look in this frame, given the boxes of the people followed; None for nowhere."""
        height, width = frame.rgb.shape[:2]
        if self._size != (width, height):
            self._size, self._tiles, self._next = (width, height), tiles(width, height), 0
        self.movement.update(frame, followed)
        self._resting = [(until, box) for until, box in self._resting if until > frame.time]
        if not followed and frame.index % 2 == 0:
            return 0, 0, width, height
        if not followed or frame.index - self._looked >= self.MOVEMENT_FRAMES:
            for box in self.movement.boxes:
                if not any(overlap(box, rest) > 0.3 for _, rest in self._resting):
                    self._looked = frame.index
                    self._resting.append((frame.time + self.REST, box))
                    side = max(96.0, 1.7 * max(box[2] - box[0], box[3] - box[1]))
                    return window_around((box[:2] + box[2:]) / 2, side, width, height)
        if self._tiles and (not followed or frame.index - self._tiled >= self.TILE_FRAMES):
            self._tiled = frame.index
            self._next += 1
            return self._tiles[(self._next - 1) % len(self._tiles)]
        return None if followed else (0, 0, width, height)
