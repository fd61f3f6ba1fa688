"""Tracks as encoders and statistics read them: the skeletons that the pose estimator gives, and the same lifted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.lift import Lift
from pipeline.normalize import made_canonical
from smsge.sequence import SkeletonSequence


@dataclass(frozen=True)
class Walks:
    """N tracks in one order, all canonical. given: as the pose estimator has them. lifted: with an encoder's lift."""

    given: Sequence[SkeletonSequence]
    lifted: Sequence[SkeletonSequence]

    @classmethod
    def of(cls, seen: Sequence[SkeletonSequence], lift: Lift) -> "Walks":
        """From skeletons as the camera saw them (`pipeline.normalize.as_seen`).

        Raises ValueError where the lift makes no skeletons of them.
        """
        return cls(*([made_canonical(one, way) for one in seen] for way in (Lift(), lift)))

    def __len__(self) -> int:
        return len(self.lifted)

    @property
    def people(self) -> NDArray[np.str_]:
        """(N,) whose they are."""
        return np.array([sequence.identity for sequence in self.lifted])

    @property
    def clips(self) -> NDArray[np.str_]:
        """(N,) of which clip they are."""
        return np.array([sequence.session for sequence in self.lifted])

    def only(self, rows: Iterable[int]) -> "Walks":
        """Those of these numbers, in that order."""
        rows = list(rows)
        return Walks(*([part[row] for row in rows] for part in (self.given, self.lifted)))
