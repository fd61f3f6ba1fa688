"""Where the people of a clip are in each of its frames, those between two sightings included: what is drawn.

A frame may not have been posed, or a body been covered for a moment: for so long people go on in a straight line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.settings import NormalizeSettings
from pipeline.values import PoseTrack

BRIDGED = NormalizeSettings.max_gap
"""Seconds between two sightings of a person who is in the frames between them too."""


@dataclass(frozen=True)
class Placed:
    """A person in a frame: row `at` of the track, or `share` of the way from there to the next row."""

    track: PoseTrack
    at: int
    share: float = 0.0

    def value(self, name: str) -> np.ndarray:
        """What the track's array of that name is here."""
        rows: np.ndarray = getattr(self.track, name)
        if not self.share:
            return np.asarray(rows[self.at])
        return np.asarray((1 - self.share) * rows[self.at] + self.share * rows[self.at + 1])


def placed_by_frame(tracks: Sequence[PoseTrack]) -> dict[int, list[Placed]]:
    """Who is in each frame, by its number."""
    placed: dict[int, list[Placed]] = {}
    for track in tracks:
        for at, index in enumerate(track.frames.tolist()):
            placed.setdefault(index, []).append(Placed(track, at))
        for at, (index, following) in enumerate(pairwise(track.frames.tolist())):
            if track.times[at + 1] - track.times[at] <= BRIDGED:
                for between in range(index + 1, following):
                    placed.setdefault(between, []).append(Placed(track, at, (between - index) / (following - index)))
    return placed
