"""Where a person will be next: a constant-velocity Kalman filter in seconds, so that any frame rate will do.

The state is the middle of the trunk and the size of the person, with their velocities. The trunk is steadier than the
middle of the box, which moves with every swing of an arm. The size is the box's longer side, which is the body's height
in pixels even where a camera lies on its side. All noise is in sizes, so that distance from the camera does not matter.
"""

import numpy as np

ACCELERATION = 1.5  # sizes / s^1.5: a walker who turns round within a second
POSITION_NOISE = 0.05  # sizes, of a measured trunk
SIZE_NOISE = 0.08  # sizes: the box goes up and down with the steps
START_SPEED = 1.5  # sizes / s, how fast a newcomer may move


def size_of(box: np.ndarray) -> float:
    """The longer side of a box (4,) in pixels, 1 at the least."""
    return max(float(np.max(box[2:] - box[:2])), 1.0)


class BoxMotion:
    """One person's trunk centre, size and their velocities in pixels and seconds."""

    def __init__(self, time: float, trunk: np.ndarray, box: np.ndarray) -> None:
        """time: seconds; trunk: (2,) pixels; box: (4,) x0 y0 x1 y1 pixels."""
        size = size_of(box)
        self.time = time
        self._mean = np.array([*trunk, size, 0.0, 0.0, 0.0])
        position = np.array([POSITION_NOISE, POSITION_NOISE, SIZE_NOISE]) * size
        speed = np.array([START_SPEED, START_SPEED, 0.3]) * size
        self._covariance = np.diag(np.concatenate([position, speed]) ** 2)

    def _at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance at `time`: x' = A x, P' = A P A^T + Q with white-noise acceleration."""
        dt = max(time - self.time, 0.0)
        step = np.eye(6)
        step[:3, 3:] = dt * np.eye(3)
        power = (ACCELERATION * self._mean[2]) ** 2 * np.array([1.0, 1.0, 0.05])
        noise = np.zeros((6, 6))
        noise[:3, :3] = np.diag(power * dt**3 / 3)
        noise[:3, 3:] = noise[3:, :3] = np.diag(power * dt**2 / 2)
        noise[3:, 3:] = np.diag(power * dt)
        return step @ self._mean, step @ self._covariance @ step.T + noise

    def _measurement(self) -> np.ndarray:
        return np.diag((np.array([POSITION_NOISE, POSITION_NOISE, SIZE_NOISE]) * self._mean[2]) ** 2)

    def distance(self, time: float, trunk: np.ndarray, size: float) -> float:
        """Squared Mahalanobis distance of a measurement from what is expected at `time` (3 degrees of freedom)."""
        mean, covariance = self._at(time)
        off = np.array([*trunk, size]) - mean[:3]
        return float(off @ np.linalg.solve(covariance[:3, :3] + self._measurement(), off))

    def update(self, time: float, trunk: np.ndarray, box: np.ndarray) -> None:
        """Take in a measurement at `time`."""
        size = size_of(box)
        mean, covariance = self._at(time)
        gain = np.linalg.solve(covariance[:3, :3] + self._measurement(), covariance[:3]).T
        self._mean = mean + gain @ (np.array([*trunk, size]) - mean[:3])
        self._mean[2] = max(self._mean[2], 1.0)
        self._covariance = covariance - gain @ covariance[:3]
        self.time = time
