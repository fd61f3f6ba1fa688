"""The clips of a training set: one copy of every frame, and where each clip begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smsge.errors import DatasetError
from smsge.sequence import SkeletonSequence


@dataclass(frozen=True)
class Clips:
    """All clips of f frames of a set of walks, overlapping ones sharing memory.

    frames: (N, J, 3) float32, every walk end to end; starts: (M,) int64, each clip's first frame; length: f.
    """

    frames: NDArray[np.float32]
    starts: NDArray[np.int64]
    length: int

    @staticmethod
    def of(sequences: Sequence[SkeletonSequence], length: int, stride: int) -> "Clips":
        """Clips every `stride` frames, and each stretch's last; none crosses a gap. DatasetError if there are none."""
        starts, offset = [], 0
        for sequence in sequences:
            # `windows` knows the rules of cutting: let it cut the frames' own numbers.
            numbers = np.zeros_like(sequence.joints, dtype=np.float64)
            numbers[:] = np.arange(len(sequence))[:, None, None]
            index = SkeletonSequence(numbers, sequence.layout, sequence.fps, sequence.segment)
            starts.append(index.windows(length, stride)[:, 0, 0, 0].astype(np.int64) + offset)
            offset += len(sequence)
        every = np.concatenate(starts) if starts else np.zeros(0, np.int64)
        if len(every) == 0:
            raise DatasetError(f"no walk is as long as one clip of {length} frames: take fewer frames or a higher fps")
        return Clips(np.concatenate([s.joints for s in sequences]).astype(np.float32), every, length)

    def __len__(self) -> int:
        return len(self.starts)

    def thinned(self, most: int) -> "Clips":
        """At most `most` of the clips, evenly spread over all walks."""
        if len(self) <= most:
            return self
        return Clips(
            self.frames, self.starts[np.linspace(0, len(self) - 1, most).round().astype(np.int64)], self.length
        )

    def take(self, which: NDArray[np.int64]) -> Tensor:
        """(B, f, J, 3) of the clips numbered `which` (B,)."""
        return torch.from_numpy(self.frames[self.starts[which][:, None] + np.arange(self.length)])
