"""The ground a walker is on: a plane that may climb, and a walk on the level laid onto it."""

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.rotation import about


@dataclass(frozen=True)
class Ground:
    """A plane through the origin. slope: radians; uphill: the heading in which it climbs, radians, 0 towards +z and a
    quarter turn towards +x."""

    slope: float = 0.0
    uphill: float = 0.0

    def height(self, points: np.ndarray) -> np.ndarray:
        """(T,) metres of the ground below or above the (T, 3) points."""
        along = points[:, 0] * np.sin(self.uphill) + points[:, 2] * np.cos(self.uphill)
        return np.asarray(np.tan(self.slope) * along)

    @property
    def tilt(self) -> np.ndarray:
        """(3, 3) the smallest rotation that takes up to the plane's normal."""
        turned = about(1, np.array(self.uphill))
        return np.asarray(turned @ about(0, np.array(-self.slope)) @ turned.T)

    def lay(self, points: np.ndarray) -> np.ndarray:
        """(T, 3) points over level ground -> (T, 3) as far over this one, each turned about the place below it."""
        lifted = points * np.array([1.0, 0.0, 1.0])
        lifted[:, 1] = self.height(points)
        return np.asarray(lifted + points[:, 1:2] * self.tilt[:, 1])

    def climb(self, heading: np.ndarray) -> np.ndarray:
        """(T,) radians that the ground climbs in the (T,) headings."""
        return np.asarray(np.arctan(np.tan(self.slope) * np.cos(heading - self.uphill)))
