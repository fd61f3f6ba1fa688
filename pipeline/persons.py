"""Whether the tracks of one clip are one person: somebody who leaves the picture and comes back is tracked anew.

Two tracks can belong to one person only if they never overlap in time. That is not enough: one man may walk out as
another walks in. Somebody who comes back comes from about where they went, be it the side of the picture by which they
left or the place where the track broke. Anybody else is somebody else.
"""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.values import PoseTrack

RETURN_SECONDS = 20.0
"""Who stays away longer than this is taken for somebody else."""

REACH = 1 / 3
"""Share of the picture's width between where a track ends and where the same person's next one begins, at the most:
people are followed only once most of the body is in view, some way in from the edge."""


def are_one_person(tracks: Sequence[PoseTrack]) -> bool:
    """Whether all tracks of a clip may be one person, who each time came back to where they had gone.

    In doubt no: a person split in two can be merged later, two people under one name cannot be told apart again.
    """
    ordered = sorted(tracks, key=lambda track: track.start)
    return all(could_return(before, after) for before, after in pairwise(ordered))


def could_return(before: PoseTrack, after: PoseTrack) -> bool:
    """Whether `after` may be the person of `before`, come back to where they were last seen."""
    gone, come = (box[0] + box[2] for box in (before.boxes[-1], after.boxes[0]))
    away = after.start - before.end
    return bool(0 <= away <= RETURN_SECONDS and abs(come - gone) / 2 <= REACH * before.frame_size[0])
