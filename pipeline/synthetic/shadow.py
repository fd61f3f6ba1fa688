"""The soft shadow of a figure on the ground: drawn on a small map of the ground, blurred, and laid into the picture."""

import cv2
import numpy as np

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.figure import Figure

_CELL = 0.025  # metres a pixel of the map
_SIDE = 144


def shade_ground(picture: np.ndarray, ground: np.ndarray, figure: Figure, frame: int, camera: Camera,
                 key: tuple[float, float, float], strength: float) -> None:  # fmt: skip
    """Darkens `picture` (H, W, 3) float32 in place, where `ground` (H, W) bool is seen, by the shadow of one frame."""
    toward = np.asarray(key)
    start, end = figure.start[frame], figure.end[frame]
    fall = toward[[0, 2]] / max(toward[1], 0.2)
    first, last = start[:, [0, 2]] - start[:, 1:2] * fall, end[:, [0, 2]] - end[:, 1:2] * fall
    centre = (first.mean(0) + last.mean(0)) / 2
    middle = _SIDE / 2
    sharp = np.zeros((_SIDE, _SIDE), np.uint8)
    soft = np.zeros((_SIDE, _SIDE), np.uint8)
    for a, b, radius in zip(
        (first - centre) / _CELL + middle, (last - centre) / _CELL + middle, figure.radii.mean(1), strict=True
    ):
        ends = tuple(int(v) for v in np.round(a)), tuple(int(v) for v in np.round(b))
        cv2.line(sharp, *ends, 255, max(1, round(2 * radius / _CELL)))
    for name in figure.start[frame][figure.start[frame][:, 1] < 0.16]:
        spot = (name[[0, 2]] - centre) / _CELL + middle
        cv2.circle(soft, tuple(int(v) for v in np.round(spot)), 7, 255, -1)
    dark = strength * cv2.GaussianBlur(sharp, (0, 0), 2.2).astype(np.float32) / 255
    dark = np.maximum(dark, 0.5 * cv2.GaussianBlur(soft, (0, 0), 2.5).astype(np.float32) / 255)
    # Ground to picture: two coordinates on the ground and one give a homography.
    rotation, place = camera.rotation, camera.place
    to_pixels = np.array([[camera.focal, 0, camera.width / 2], [0, camera.focal, camera.height_px / 2], [0, 0, 1]])
    corner = centre - middle * _CELL
    columns = np.stack([
        rotation @ np.array([_CELL, 0, 0]), rotation @ np.array([0, 0, _CELL]),
        rotation @ (np.array([corner[0], 0.0, corner[1]]) - place),
    ], axis=-1)  # fmt: skip
    homography = to_pixels @ columns
    corners = homography @ np.array([[0, _SIDE, 0, _SIDE], [0, 0, _SIDE, _SIDE], [1, 1, 1, 1]])
    if corners[2].min() < 0.2:
        return
    pixels = corners[:2] / corners[2]
    low = np.clip(np.floor(pixels.min(1)), 0, [camera.width, camera.height_px]).astype(int)
    high = np.clip(np.ceil(pixels.max(1)) + 1, 0, [camera.width, camera.height_px]).astype(int)
    if (high <= low).any():
        return
    shift = np.array([[1, 0, -low[0] - 0.5], [0, 1, -low[1] - 0.5], [0, 0, 1]])
    warped = cv2.warpPerspective(dark, shift @ homography, tuple(int(v) for v in high - low), flags=cv2.INTER_LINEAR)
    area = slice(low[1], high[1]), slice(low[0], high[0])
    picture[area] *= (1.0 - warped * ground[area])[..., None]
