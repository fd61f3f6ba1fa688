"""The values that flow from footage to tracks. Each is frozen; arrays are never written to once made."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Progress = Callable[[str, float, float | None], None]
"""`progress(what, done, total)`: told how far a long task is; `total` is None where nobody can know it."""


def silent(what: str, done: float, total: float | None) -> None:
    """The `Progress` that shows nothing."""


@dataclass(frozen=True)
class Frame:
    """One decoded picture.

    rgb: (H, W, 3) uint8, upright (rotation applied). time: seconds from the first frame.
    index: 0, 1, 2 … in decoding order; those of frames that were left out are missing.
    """

    rgb: np.ndarray
    time: float
    index: int


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    box: (4,) float32, x0 y0 x1 y1 in pixels of the frame, around all landmarks.
    image: (33, 2) float32, MediaPipe's landmarks in pixels of the frame.
    world: (33, 3) float32, metres, MediaPipe's axes as they come: x to the right of the image, y DOWN, z away from
    the camera, origin between the hips.
    visibility: (33,) float32 in [0, 1].
    """

    box: np.ndarray
    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray


@dataclass(frozen=True)
class PoseTrack:
    """One person through one video, at the T frames in which they were seen (gaps show in `times`).

    id: 1, 2, 3 … in order of first appearance. times: (T,) float64 seconds, increasing. frames: (T,) int64 frame
    indices. boxes (T, 4), image (T, 33, 2), world (T, 33, 3), visibility (T, 33): float32, as in `Person`.
    frame_size: (width, height) in pixels. source: what the user gave, for messages.
    """

    id: int
    times: np.ndarray
    frames: np.ndarray
    boxes: np.ndarray
    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    frame_size: tuple[int, int]
    source: str

    def __len__(self) -> int:
        return len(self.times)

    @property
    def start(self) -> float:
        """Seconds at which the person is first seen."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """Seconds at which the person is last seen."""
        return float(self.times[-1])
