"""Whether the tracks of one clip are one person: somebody who leaves the picture and comes back is tracked anew.

Two tracks can belong to one person only if they never overlap in time. That is not enough: one man may walk out as
another walks in. Somebody who comes back comes from about where they went, be it the side of the picture by which they
left or the place where the track broke. Anybody else is somebody else. Where the clothes are known too, they must be
of the same colours, and nobody else may have gone there dressed alike: then the two are one track.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.values import PoseTrack

RETURN_SECONDS = 20.0
"""Who stays away longer than this is taken for somebody else."""

REACH = 1 / 3
"""Share of the picture's width between where a track ends and where the same person's next one begins, at the most:
people are followed only once most of the body is in view, some way in from the edge."""

DRESSED = 0.04
"""Mean difference of the clothes' colours, of full scale, up to which two tracks are dressed alike. On grey footage 160
pixels wide, nine in ten pairs of one person's tracks lie below it, and one in ten of two people's."""


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


def rejoined(tracks: Sequence[PoseTrack], colours: Sequence[np.ndarray | None]) -> list[PoseTrack]:
    """The tracks of a clip, those of somebody who went and came back made one, with the gap in it; numbered anew.

    colours: (4, 3) in [0, 1] of each track's clothes, None where unknown: who has none is not rejoined.
    """
    order = sorted(range(len(tracks)), key=lambda number: tracks[number].start)
    starts = [tracks[number].start for number in order]
    afters: dict[int, list[int]] = {number: [] for number in order}
    befores: dict[int, list[int]] = {number: [] for number in order}
    for i in order:
        gone = tracks[i].end
        for j in order[bisect_left(starts, gone) : bisect_right(starts, gone + RETURN_SECONDS)]:
            if j != i and could_return(tracks[i], tracks[j]) and _dressed_alike(colours[i], colours[j]):
                afters[i].append(j)
                befores[j].append(i)

    def is_next(i: int, j: int) -> bool:
        """Whether j is the first to come of those who may be i, i the last to go of those who may be j, and nobody who
        was there at the same time as either may be it as well."""
        comers, goers = ([tracks[k] for k in found if k not in (i, j)] for found in (afters[i], befores[j]))
        return all(tracks[j].end < one.start for one in comers) and all(one.end < tracks[i].start for one in goers)

    following = {i: j for i in order for j in afters[i] if is_next(i, j)}
    come_back, chains = set(following.values()), []
    for first in order:
        if first not in come_back:
            chain = [first]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            chains.append([tracks[number] for number in chain])
    chains.sort(key=lambda chain: (chain[0].start, chain[0].id))
    return [_one_track(number, chain) for number, chain in enumerate(chains, start=1)]


def _dressed_alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is not None and other is not None and float(np.abs(one - other).mean()) <= DRESSED


def _one_track(number: int, chain: Sequence[PoseTrack]) -> PoseTrack:
    if len(chain) == 1:
        return replace(chain[0], id=number)

    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(track, name) for track in chain])

    return replace(
        chain[0], id=number, times=all_of("times"), frames=all_of("frames"), boxes=all_of("boxes"),
        image=all_of("image"), world=all_of("world"), visibility=all_of("visibility"),
    )  # fmt: skip
