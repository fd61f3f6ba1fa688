"""What moves in front of a camera that stands still: background subtraction on a small picture.

A camera that moves makes everything move and tells nothing: where most parts of the picture that have any detail change
from one picture to the next, the background is forgotten and no region is given.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.people import SMALLEST, overlap
from pipeline.values import Frame

SPACING = 0.09  # seconds between the pictures compared
SIDE = 320  # pixels, of the small picture
AREA = 80  # pixels of the small picture, after growing: less is noise
PIECE = 0.5  # heights of somebody explained: what is smaller and touches them is their foot or shadow
MEMORY = 300  # pictures in which what stands still becomes background
CELLS = (8, 6)  # parts of the picture that are asked whether they changed
DETAIL, CHANGED = 2.0, 6.0  # mean grey levels in a cell


class Movement:
    """Follows the background of one video; `boxes` are the regions that are not background, largest first."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._time = -np.inf
        self._background = _background()
        self.boxes: list[np.ndarray] = []

    def update(self, frame: Frame, explained: Sequence[np.ndarray]) -> None:
        """Look at the next frame; `boxes` (4,) then tells what moves outside the boxes `explained`, in pixels."""
        if frame.time - self._time < SPACING:
            return
        self.boxes = []
        height, width = frame.rgb.shape[:2]
        scale = min(1.0, SIDE / max(width, height))
        small = _small(frame.rgb, scale)
        before, self._before, self._time = self._before, small, frame.time
        if before is not None and (before.shape != small.shape or _camera_moved(before, small)):
            self._background = _background()
        mask = (self._background.apply(small) > 0).astype(np.uint8)
        if before is None or mask.mean() > 0.3:  # the light changed, or the background is not known yet
            return
        for box in explained:
            x0, y0, x1, y1 = np.maximum(box * scale, 0).astype(int)
            mask[y0 : y1 + 1, x0 : x1 + 1] = 0
        mask = cv2.dilate(mask, np.ones((9, 5), np.uint8))  # bodies are tall: their pieces lie above each other
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable") + 1
        for x, y, w, h, area in stats[order]:
            box = np.array([x, y, x + w, y + h], np.float64) / scale
            if max(w, h) / scale >= SMALLEST and area >= AREA and not any(_piece_of(box, body) for body in explained):
                self.boxes.append(box)


def _piece_of(box: np.ndarray, body: np.ndarray) -> bool:
    small = float(max(box[2:] - box[:2])) < PIECE * float(max(body[2:] - body[:2]))
    return small and overlap(box, body) > 0


def _background() -> cv2.BackgroundSubtractorMOG2:
    return cv2.createBackgroundSubtractorMOG2(history=MEMORY, varThreshold=25, detectShadows=False)


def _small(rgb: np.ndarray, scale: float) -> np.ndarray:
    """The green of a picture, smaller and a little blurred."""
    height, width = rgb.shape[:2]
    # Every second or fourth pixel first: averaging the whole of a large picture costs more than it tells.
    skip = max(1, int(0.5 / scale))
    thinned = np.ascontiguousarray(rgb[::skip, ::skip, 1])
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.GaussianBlur(cv2.resize(thinned, size, interpolation=cv2.INTER_AREA), (3, 3), 0))


def _camera_moved(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether most cells with detail in them changed; people who walk change those that they walk through."""
    detail = cv2.resize(cv2.absdiff(before, cv2.blur(before, (9, 9))), CELLS, interpolation=cv2.INTER_AREA)
    change = cv2.resize(cv2.absdiff(before, after), CELLS, interpolation=cv2.INTER_AREA)
    telling = detail >= DETAIL
    return bool(telling.any() and (change[telling] >= CHANGED).mean() > 0.5)
