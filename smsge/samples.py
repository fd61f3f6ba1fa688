"""What an evaluation compares: clips, each for itself, or whole tracks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smsge.clips import Clips
from smsge.errors import DatasetError
from smsge.layouts import SkeletonLayout
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]
Level = Literal["clip", "track"]

_BLOCK = 4096


@dataclass(frozen=True)
class Samples:
    """N things to be described, one vector each.

    walks: the sequences they come from. walk: (N,) int64, the number of its own walk. clips: M clips of f frames, what
    an encoder sees of them. owner: (M,) int64, the sample that each clip is part of.
    level: clip (each clip is a sample; none overlap) or track (each walk is one; all its clips are part of it).
    """

    level: Level
    walks: tuple[SkeletonSequence, ...]
    walk: NDArray[np.int64]
    clips: Clips
    owner: NDArray[np.int64]

    @staticmethod
    def of(sequences: Sequence[SkeletonSequence], level: Level, frames: int, stride: int) -> "Samples":
        """Clips of `frames` frames: one after the other at clip level, every `stride` frames at track level.

        Raises DatasetError if there is no clip, and at track level if any walk is shorter than one, naming the walk.
        """
        if level == "clip":
            clips = Clips.of(sequences, frames, frames)
            # `Clips.of` keeps the end of every stretch; where that overlaps the clip before, it goes.
            clips = clips.only(np.diff(clips.starts, prepend=-frames) >= frames)
            return Samples(level, tuple(sequences), _cut_from(sequences, clips), clips, np.arange(len(clips)))
        for walk in sequences:
            if len(walk.windows(frames, frames)) == 0:
                name = walk.session or walk.identity
                raise DatasetError(f"walk {name}: {len(walk)} frames, {frames} are needed for one clip (without a gap)")
        # Each sequence is a sample of its own, though several may be of one session, as the tracks of one clip are.
        clips = Clips.of(sequences, frames, stride)
        return Samples(level, tuple(sequences), np.arange(len(sequences)), clips, _cut_from(sequences, clips))

    def __len__(self) -> int:
        return len(self.walk)

    @property
    def layout(self) -> SkeletonLayout:
        """The layout that all walks share."""
        return self.walks[0].layout

    @property
    def identities(self) -> NDArray[np.str_]:
        """(N,)"""
        return np.array([walk.identity for walk in self.walks], np.str_)[self.walk]

    @property
    def sessions(self) -> NDArray[np.str_]:
        """(N,)"""
        return np.array([walk.session for walk in self.walks], np.str_)[self.walk]

    def thinned(self, most: int) -> "Samples":
        """At most `most` of the samples, evenly spread over all walks."""
        if len(self) <= most:
            return self
        kept = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        parts = np.isin(self.owner, kept)
        owner = np.searchsorted(kept, self.owner[parts])
        return replace(self, walk=self.walk[kept], clips=self.clips.only(parts), owner=owner)

    def blocks(self) -> Iterator[Array]:
        """The joints of all samples in order, (n, T, J, 3) at a time: many clips of f frames, or one whole walk."""
        if self.level == "clip":
            for first in range(0, len(self), _BLOCK):
                yield self.clips.take(np.arange(first, min(first + _BLOCK, len(self)))).numpy()
        else:
            for number in self.walk:
                yield self.walks[number].joints[None]

    def mean_of_clips(self, vectors: Array) -> Array:
        """Vectors of the clips (M, D) -> of the samples (N, D), the mean of each one's clips."""
        if self.level == "clip":
            return vectors
        total = np.zeros((len(self), vectors.shape[1]), vectors.dtype)
        np.add.at(total, self.owner, vectors)
        return np.asarray(total / np.bincount(self.owner, minlength=len(self))[:, None].astype(vectors.dtype))


def _cut_from(sequences: Sequence[SkeletonSequence], clips: Clips) -> NDArray[np.int64]:
    """(M,) the number of the sequence that each clip was cut from; several may be of one walk."""
    ends = np.cumsum([len(sequence) for sequence in sequences])
    return np.asarray(np.searchsorted(ends, clips.starts, side="right"))
