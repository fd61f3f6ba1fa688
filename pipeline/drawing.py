"""People drawn on a picture: skeleton, box and label, readable whatever the size of the footage."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]
"""Red, green, blue, 0-255."""

PALETTE: tuple[Colour, ...] = (
    (255, 176, 0),
    (86, 180, 233),
    (0, 190, 130),
    (240, 110, 170),
    (240, 228, 66),
    (160, 120, 255),
    (255, 110, 60),
    (120, 220, 90),
)
"""Colours told apart by most eyes, on grass, asphalt and indoors."""

UNKNOWN: Colour = (190, 190, 190)
"""The colour of people without a name."""

CONNECTIONS: tuple[tuple[int, int], ...] = (
    *((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10)),  # face
    *((11, 12), (11, 23), (12, 24), (23, 24)),  # torso
    *((11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19)),  # left arm
    *((12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20)),  # right arm
    *((23, 25), (25, 27), (27, 29), (29, 31), (27, 31)),  # left leg
    *((24, 26), (26, 28), (28, 30), (30, 32), (28, 32)),  # right leg
)
"""Pairs of MediaPipe's 33 landmarks that a line joins."""

SEEN = 0.3
"""Visibility below which a landmark is a guess and is not drawn."""


@dataclass(frozen=True)
class Drawn:
    """One person to draw. box: (4,) pixels; image: (33, 2) pixels; visibility: (33,); text: beside the box."""

    box: np.ndarray
    image: np.ndarray
    visibility: np.ndarray
    text: str
    colour: Colour


def colour_of(track: int) -> Colour:
    """The colour of a track number, the same in every picture."""
    return PALETTE[(track - 1) % len(PALETTE)]


def enlargement(width: int, height: int, short_side: int = 480) -> int:
    """By which whole number footage is enlarged so that lines and labels are readable; 1 from 480 pixels up."""
    return max(1, -(-short_side // min(width, height)))


def draw(rgb: np.ndarray, people: Iterable[Drawn], scale: int = 1) -> np.ndarray:
    """A new picture, `scale` times as large, with the people on it.

    rgb: (H, W, 3) uint8. Returns (scale * H, scale * W, 3) uint8, each side cut to an even number as video needs it.
    """
    height, width = rgb.shape[0] * scale, rgb.shape[1] * scale
    canvas = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC) if scale > 1 else rgb.copy()
    canvas = np.ascontiguousarray(canvas[: max(2, height - height % 2), : max(2, width - width % 2)])
    unit = max(1.0, min(canvas.shape[:2]) / 480)
    people = list(people)
    for person in people:
        _skeleton(canvas, person, scale, unit)
    for person in people:
        _box(canvas, person, scale, unit)
    return canvas


def _skeleton(canvas: np.ndarray, person: Drawn, scale: int, unit: float) -> None:
    # Someone far away in large footage gets finer lines, or the skeleton would be a blot.
    tall = float(person.box[3] - person.box[1]) * scale
    thick = max(1, round(min(2 * unit, tall / 60)))
    points = np.round((person.image + 0.5) * scale).astype(int)
    seen = person.visibility >= SEEN
    lines = [(points[a].tolist(), points[b].tolist()) for a, b in CONNECTIONS if seen[a] and seen[b]]
    for colour, width in (((20, 20, 20), thick + 2), (person.colour, thick)):
        for start, end in lines:
            cv2.line(canvas, start, end, colour, width, cv2.LINE_AA)
    for point in points[seen].tolist():
        cv2.circle(canvas, point, thick + 1, (255, 255, 255), -1, cv2.LINE_AA)


def _box(canvas: np.ndarray, person: Drawn, scale: int, unit: float) -> None:
    margin = 0.04 * float(person.box[3] - person.box[1])
    left, top, right, bottom = np.round((person.box + margin * np.array([-1, -1, 1, 1])) * scale).astype(int).tolist()
    height, width = canvas.shape[:2]
    left, top, right, bottom = max(left, 1), max(top, 1), min(right, width - 2), min(bottom, height - 2)
    cv2.rectangle(canvas, (left, top), (right, bottom), (20, 20, 20), round(2 * unit) + 2)
    cv2.rectangle(canvas, (left, top), (right, bottom), person.colour, round(2 * unit))
    if person.text:
        label(canvas, person.text, (left, top), person.colour, round(17 * unit))


def label(canvas: np.ndarray, text: str, corner: tuple[int, int], colour: Colour, size: int) -> None:
    """Write `text` on a plate of `colour` in `canvas` itself.

    corner: where the plate's lower left corner should be; it is moved until all of the plate is in the picture, and
    the writing is made smaller where the picture is narrower than the text. size: pixels. Any alphabet that OpenCV's
    own font has (Latin, Greek, Cyrillic and some more); other letters come out as question marks.
    """
    face = cv2.FontFace("sans")
    height, width = canvas.shape[:2]
    wide = _text_width(text, face, size)
    while wide > width - size // 2 and size > 8:
        size -= 1
        wide = _text_width(text, face, size)
    pad = max(2, size // 4)
    tall = size + 2 * pad
    x = max(0, min(corner[0], width - wide - 2 * pad))
    y = min(max(corner[1], tall), height)
    cv2.rectangle(canvas, (x, y - tall), (x + wide + 2 * pad, y), colour, -1)
    ink = (20, 20, 20) if sum(colour) > 300 else (255, 255, 255)
    cv2.putText(canvas, text, (x + pad, y - pad - size // 6), ink, face, size, weight=600)


def _text_width(text: str, face: cv2.FontFace, size: int) -> int:
    box = cv2.getTextSize((1 << 14, 4 * size), text, (0, 2 * size), face, size, weight=600)
    return int(box[0] + box[2])
