"""The clips of a training set: one copy of every frame, where each clip begins, and whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    labels: (M,) int64, whose clip it is, a place in `identities`, which are sorted. walks: (M,) int64, the number of
    the walk it was cut from: of a person's session, or of the sequence where sessions are not known. truth: (N, J, 3),
    where the joints of `frames` really were, as far as that is known, and `frames` itself where it is not.
    """

    frames: NDArray[np.float32]
    starts: NDArray[np.int64]
    length: int
    labels: NDArray[np.int64]
    walks: NDArray[np.int64]
    identities: tuple[str, ...]
    truth: NDArray[np.float32]

    @staticmethod
    def of(sequences: Sequence[SkeletonSequence], length: int, stride: int | Sequence[int]) -> "Clips":
        """Clips every `stride` frames, the same of all sequences or one each, and each stretch's last; none crosses a
        gap. DatasetError if there are none."""
        starts, offset = [], 0
        strides = [stride] * len(sequences) if isinstance(stride, int) else stride
        for sequence, every_so_often in zip(sequences, strides, strict=True):
            # `windows` knows the rules of cutting: let it cut the frames' own numbers.
            numbers = np.zeros_like(sequence.joints, dtype=np.float64)
            numbers[:] = np.arange(len(sequence))[:, None, None]
            index = SkeletonSequence(numbers, sequence.layout, sequence.fps, sequence.segment)
            starts.append(index.windows(length, every_so_often)[:, 0, 0, 0].astype(np.int64) + offset)
            offset += len(sequence)
        every = np.concatenate(starts) if starts else np.zeros(0, np.int64)
        if len(every) == 0:
            raise DatasetError(f"no walk is as long as one clip of {length} frames: take fewer frames or a higher fps")
        sequence_of = np.repeat(np.arange(len(sequences)), [len(own) for own in starts])
        identities = tuple(sorted({sequence.identity for sequence in sequences}))
        places = {identity: place for place, identity in enumerate(identities)}
        labels = np.array([places[sequence.identity] for sequence in sequences], np.int64)
        names = [(s.identity, s.session) if s.session else number for number, s in enumerate(sequences)]
        numbered = {name: number for number, name in enumerate(dict.fromkeys(names))}
        walks = np.array([numbered[name] for name in names], np.int64)
        frames = np.concatenate([s.joints for s in sequences]).astype(np.float32)
        known = [s.joints if s.truth is None else s.truth for s in sequences]
        truth = frames if all(s.truth is None for s in sequences) else np.concatenate(known).astype(np.float32)
        return Clips(frames, every, length, labels[sequence_of], walks[sequence_of], identities, truth)

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "Clips":
        """The clips numbered (or marked) `which`, of the same identities and walks."""
        return replace(self, starts=self.starts[which], labels=self.labels[which], walks=self.walks[which])

    def thinned(self, most: int) -> "Clips":
        """At most `most` of the clips, evenly spread over all walks."""
        if len(self) <= most:
            return self
        return self.only(np.linspace(0, len(self) - 1, most).round().astype(np.int64))

    def held_out(self, share: float, seed: int) -> tuple["Clips", "Clips | None"]:
        """(training clips, validation clips): `share` of the walks drawn by `seed`, whole, so that no clip of one walk
        is on both sides, and never a person's only walk. None where the share comes to no walk."""
        walks, first = np.unique(self.walks, return_index=True)
        owners = self.labels[first]
        drawn: list[int] = []
        left = np.bincount(owners)
        for place in np.random.default_rng(seed).permutation(len(walks)):
            if len(drawn) < round(share * len(walks)) and left[owners[place]] > 1:
                left[owners[place]] -= 1
                drawn.append(int(walks[place]))
        if not drawn:
            return self, None
        held = np.isin(self.walks, drawn)
        return self.only(~held), self.only(held)

    def seen(self) -> Tensor:
        """(N, J, 3): every frame that is in a clip, once."""
        return torch.from_numpy(self.frames[np.unique(self.starts[:, None] + np.arange(self.length))])

    def take(self, which: NDArray[np.int64]) -> Tensor:
        """(B, f, J, 3) of the clips numbered `which` (B,)."""
        return self._cut(self.frames, which)

    def really(self, which: NDArray[np.int64]) -> Tensor:
        """(B, f, J, 3), where the joints of these clips really were."""
        return self._cut(self.truth, which)

    def _cut(self, frames: NDArray[np.float32], which: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(frames[self.starts[which][:, None] + np.arange(self.length)])
