"""People in pictures: windows cut around them, how two of them lie to each other, and what a found body must be like.

Knows pictures and `Person`s, no pose estimator. Sizes are in pixels of the frame, boxes and windows x0 y0 x1 y1.
"""

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np

from pipeline.motion import size_of
from pipeline.values import Person

Window = tuple[int, int, int, int]

JOINTS = np.array([11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28])  # shoulders, elbows, wrists, hips, knees, ankles
TRUNK = np.array([11, 12, 23, 24])
LIMBS = np.array([(11, 13), (12, 14), (13, 15), (14, 16), (23, 25), (24, 26), (25, 27), (26, 28)])

HEAD, FEET = np.array([0, 7, 8]), np.array([27, 28])
OUTLINE = np.array([(11, 13, 15, 19), (12, 14, 16, 20), (23, 25, 27, 31), (24, 26, 28, 32)])  # arms and legs
THIN, FLESH = 0.05, 0.05  # body heights: of a limb that is drawn, and around it up to where the body may reach
MASK = 160  # pixels, the longer side of the small picture in which is told what is whose

SMALLEST = 24.0  # pixels: nobody smaller can be posed
LONGEST_LIMB = 0.45  # body heights: thighs and shins measure a quarter
ALIKE = 0.16  # mean distance of joints, in body heights, under which two poses are one body's


def window_around(centre: np.ndarray, side: float, width: int, height: int) -> Window:
    """The square of `side` around `centre`, clipped to the frame; never empty."""
    x0, y0 = (int(min(max(0.0, c - side / 2), limit - 2)) for c, limit in zip(centre, (width, height), strict=True))
    x1, y1 = (int(min(max(2.0, c + side / 2), limit)) for c, limit in zip(centre, (width, height), strict=True))
    return x0, y0, max(x1, x0 + 2), max(y1, y0 + 2)


def cut(rgb: np.ndarray, window: Window, hide: Iterable[Person] = (), own: Person | None = None) -> np.ndarray:
    """The picture in a window; the bodies in `hide` are painted out of a copy.

    own: whose window it is. Of two bodies that touch, each keeps what is nearer to its own bones, and where they cross,
    the one that stands nearer to the camera does.
    """
    x0, y0, x1, y1 = window
    part = rgb[y0:y1, x0:x1]
    hidden = [person for person in hide if overlap(person.box, np.array(window)) > 0]
    if not hidden:
        return part
    size = np.maximum(np.ceil(np.array(part.shape[:2]) * min(1.0, MASK / max(part.shape[:2]))).astype(int), 1)
    scale = np.array([size[1] / part.shape[1], size[0] / part.shape[0]])
    painted, mine = np.zeros(size, bool), np.inf if own is None else _away(own, window, scale, size)
    for person in hidden:
        theirs = _away(person, window, scale, size)
        painted |= (theirs < mine) & (theirs <= FLESH * body_height(person) * scale.mean())
        if own is None or _feet(person) > _feet(own):
            painted |= theirs == 0
    part = part.copy()
    paint = part[:: max(1, len(part) // 16)].reshape(-1, 3).mean(axis=0)
    part[cv2.resize(painted.astype(np.uint8), part.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0] = paint
    return part


def _away(person: Person, window: Window, scale: np.ndarray, size: np.ndarray) -> np.ndarray:
    """`size` distances in pixels of a picture smaller by `scale` from the body, drawn as thin as it surely is."""
    points = ((person.image - window[:2]) * scale).astype(np.int32)
    tall = body_height(person) * float(scale.mean())
    empty = np.full(size, 255, np.uint8)
    cv2.polylines(empty, points[OUTLINE], False, 0, max(1, round(THIN * tall)))
    cv2.fillConvexPoly(empty, cv2.convexHull(points[TRUNK]), 0)
    cv2.circle(empty, points[HEAD].mean(axis=0).astype(int).tolist(), max(1, round(1.3 * THIN * tall)), 0, -1)
    return np.asarray(cv2.distanceTransform(empty, cv2.DIST_L2, 3))


def _feet(person: Person) -> float:
    """How far down in the picture somebody stands: of people on one floor, the lower one is nearer."""
    return float(person.image[FEET, 1].max())


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


def shared(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0)
    both = float(sides[0] * sides[1])
    return both / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both, 1e-6)


def same_body(a: Person, b: Person) -> bool:
    """Whether two poses of one frame are of one body: their joints lie on each other."""
    apart = np.linalg.norm(a.image[JOINTS] - b.image[JOINTS], axis=1).mean()
    return bool(apart < ALIKE * min(body_height(a), body_height(b)))


def plausible(person: Person, width: int, height: int, min_confidence: float) -> bool:
    """Whether a pose can be a person's rather than one imagined in the background.

    Joints seen, most of them inside the frame, tall enough, trunk and limbs of a body's proportions.
    """
    joints = person.image[JOINTS]
    inside = ((joints >= 0) & (joints < (width, height))).all(axis=1).mean()
    tall = body_height(person)
    trunk = float(np.linalg.norm(person.image[[11, 12]].mean(axis=0) - person.image[[23, 24]].mean(axis=0)))
    seen = float(person.visibility[JOINTS].mean())
    limbs = float(np.linalg.norm(np.diff(person.image[LIMBS], axis=1), axis=-1).max())
    proportioned = 0.08 < trunk / tall < 0.7 and limbs < LONGEST_LIMB * tall
    return bool(seen >= min_confidence and inside >= 0.6 and tall >= SMALLEST and proportioned)
