"""A camera that stands still: pinhole, no distortion."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and looks.

    azimuth: radians, 0 stands on the +z side (it sees the face of who walks towards +z), a quarter turn on the +x side.
    distance: metres on the ground from `target` (x, z) to below the camera. height: metres. aim: height of the point
    above `target` that is in the middle of the picture. focal: in pixels. width, height_px: of the picture.
    """

    azimuth: float
    distance: float
    height: float
    focal: float
    width: int
    height_px: int
    aim: float = 0.9
    target: tuple[float, float] = (0.0, 0.0)

    @property
    def place(self) -> np.ndarray:
        """(3,) world metres of the camera."""
        x, z = self.target
        return np.array(
            [x + self.distance * np.sin(self.azimuth), self.height, z + self.distance * np.cos(self.azimuth)]
        )

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) from world to camera axes: rows are right, down and away, as world vectors."""
        away = np.array([self.target[0], self.aim, self.target[1]]) - self.place
        away /= np.linalg.norm(away)
        right = np.cross(away, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(away, right), away])

    def to_camera(self, world: np.ndarray) -> np.ndarray:
        """(..., 3) world metres to camera axes: x right, y down, z away from the camera."""
        return np.asarray((world - self.place) @ self.rotation.T)

    def project(self, world: np.ndarray) -> np.ndarray:
        """(..., 3) world metres to (..., 2) pixels; the middle of the first pixel is (0.5, 0.5)."""
        seen = self.to_camera(world)
        centre = np.array([self.width / 2, self.height_px / 2])
        return np.asarray(seen[..., :2] / np.maximum(seen[..., 2:], 1e-6) * self.focal + centre)

    def rays(self) -> np.ndarray:
        """(height_px, width, 3) unit world directions through the middles of the pixels."""
        u = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        v = (np.arange(self.height_px) + 0.5 - self.height_px / 2) / self.focal
        grid = np.stack([*np.meshgrid(u, v), np.ones((self.height_px, self.width))], axis=-1)
        grid = grid @ self.rotation
        return np.asarray(grid / np.linalg.norm(grid, axis=-1, keepdims=True))
