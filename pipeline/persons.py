"""Whether the tracks of one clip are one person: somebody who leaves the picture and comes back is tracked anew.

Two tracks can belong to one person only if they never overlap in time. That is not enough: one man may walk out as
another walks in. Somebody who comes back comes from where they went: the same side of the picture, or, where the
track broke in the middle of it, about the same place. Anybody else is somebody else.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.values import PoseTrack

EDGE = 0.15
"""Share of the picture's width in which a track that ends or begins counts as leaving or entering by that side."""

RETURN_SECONDS = 20.0
"""Who stays away longer than this is taken for somebody else."""

WALK = 3.0
"""Body heights that a person may move in a second while no track sees them inside the picture."""


def are_one_person(tracks: Sequence[PoseTrack]) -> bool:
    """Whether all tracks of a clip may be one person, who each time came back to where they had gone.

    In doubt no: a person split in two can be merged later, two people under one name cannot be told apart again.
    """
    ordered = sorted(tracks, key=lambda track: track.start)
    return all(could_return(before, after) for before, after in pairwise(ordered))


def could_return(before: PoseTrack, after: PoseTrack) -> bool:
    """Whether `after` may be the person of `before`, come back: by the side they left, or near where they were lost."""
    away = after.start - before.end
    if not 0 <= away <= RETURN_SECONDS:
        return False
    left, entered = _side(before, -1), _side(after, 0)
    if left or entered:
        return left == entered
    last, first = before.boxes[-1], after.boxes[0]
    height = max(last[3] - last[1], first[3] - first[1], 1.0)
    moved = np.linalg.norm((last[:2] + last[2:] - first[:2] - first[2:]) / 2) / height
    return bool(moved <= 0.5 + WALK * away)


def _side(track: PoseTrack, frame: int) -> str:
    """The side of the picture at which a track's frame lies: left, right, or empty for inside."""
    x0, _, x1, _ = track.boxes[frame] / track.frame_size[0]
    if x0 <= 0.02 or (x0 + x1) / 2 <= EDGE:
        return "left"
    return "right" if x1 >= 0.98 or (x0 + x1) / 2 >= 1 - EDGE else ""
