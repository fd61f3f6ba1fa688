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

_NOISE = np.array([POSITION_NOISE, POSITION_NOISE, SIZE_NOISE])
_POWER = ACCELERATION**2 * np.array([1.0, 1.0, 0.05])


def size_of(box: np.ndarray) -> float:
    """The longer side of a box (4,) in pixels, 1 at the least."""
    return max(float(np.max(box[2:] - box[:2])), 1.0)


class BoxMotion:
    """One person's trunk centre and size, and their velocities, in pixels and seconds.

    No noise is shared by the three, so each is a filter of its own, with a place, a speed and how uncertain both are.
    """

    def __init__(self, time: float, trunk: np.ndarray, box: np.ndarray) -> None:
        """time: seconds; trunk: (2,) pixels; box: (4,) x0 y0 x1 y1 pixels."""
        size = size_of(box)
        self.time = time
        self._place, self._speed = np.array([*trunk, size]), np.zeros(3)
        start = np.array([START_SPEED, START_SPEED, 0.3]) * size
        self._spread = np.array([self._noise(), np.zeros(3), start**2])

    def _noise(self) -> np.ndarray:
        """(3,) variances of a measurement."""
        return np.asarray((_NOISE * self._place[2]) ** 2)

    def _at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Places (3,) and spread (3, 3) at `time`: variances of the places, covariances, variances of the speeds.

        x' = A x, P' = A P A^T + Q with white-noise acceleration.
        """
        dt = max(time - self.time, 0.0)
        place, both, speed = self._spread
        power = _POWER * self._place[2] ** 2
        spread = place + dt * (2 * both + dt * speed), both + dt * speed, speed
        return self._place + dt * self._speed, np.array(spread) + np.outer((dt**3 / 3, dt**2 / 2, dt), power)

    def distance(self, time: float, trunk: np.ndarray, size: float) -> float:
        """Squared Mahalanobis distance of a measurement from what is expected at `time` (3 degrees of freedom)."""
        place, spread = self._at(time)
        off = np.array([*trunk, size]) - place
        return float((off**2 / (spread[0] + self._noise())).sum())

    def update(self, time: float, trunk: np.ndarray, box: np.ndarray) -> None:
        """Take in a measurement at `time`."""
        place, spread = self._at(time)
        gain = spread[:2] / (spread[0] + self._noise())
        off = np.array([*trunk, size_of(box)]) - place
        self._place, self._speed = place + gain[0] * off, self._speed + gain[1] * off
        self._place[2] = max(self._place[2], 1.0)
        self._spread = spread - np.array([gain[0] * spread[0], gain[0] * spread[1], gain[1] * spread[1]])
        self.time = time
