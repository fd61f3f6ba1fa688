"""A skeleton over time: the one value that footage, datasets and generators all turn into."""

from dataclasses import dataclass, field, replace

import numpy as np

from smsge.layouts import SkeletonLayout


@dataclass(frozen=True)
class SkeletonSequence:
    """T skeletons of one person at a steady frame rate, in one layout.

    joints: (T, J, 3) float32, gaps filled. Canonical axes, x to the person's left, y up, z the way the person faces,
    unless who makes them says otherwise.
    segment: (T,) int64, which uninterrupted stretch a frame belongs to; no window crosses from one to the next.
    fps: frames a second. identity, session, view: who, which recording (clips of one session are never split
    between gallery and probe), which camera; empty where unknown.
    truth: (T, J, 3) float32, where the joints really were, in the same axes; None where nobody knows, as of all but
    generated walkers.
    """

    joints: np.ndarray
    layout: SkeletonLayout
    fps: float
    segment: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    identity: str = ""
    session: str = ""
    view: str = ""
    truth: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.joints.ndim != 3 or self.joints.shape[1:] != (self.layout.n_joints, 3):
            raise ValueError(f"{self.layout.name} has joints (T, {self.layout.n_joints}, 3), got {self.joints.shape}")
        if len(self.segment) == 0:
            object.__setattr__(self, "segment", np.zeros(len(self.joints), np.int64))
        if len(self.segment) != len(self.joints):
            raise ValueError(f"segment must have one entry a frame: {len(self.segment)} for {len(self.joints)} frames")
        if self.truth is not None and self.truth.shape != self.joints.shape:
            raise ValueError(f"truth must have the joints' shape {self.joints.shape}, has {self.truth.shape}")

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def duration(self) -> float:
        """Seconds of skeletons, gaps left out."""
        return len(self) / self.fps

    def stretches(self) -> list[np.ndarray]:
        """The uninterrupted stretches, (T_i, J, 3) each, in order of time."""
        return np.split(self.joints, np.flatnonzero(np.diff(self.segment)) + 1)

    def windows(self, length: int, stride: int) -> np.ndarray:
        """Cut into clips: (N, length, J, 3), within segments only; each segment's last full window is kept.

        N is 0 when every segment is shorter than `length`.
        """
        cut = []
        for stretch in self.stretches():
            last = len(stretch) - length
            starts = sorted({*range(0, last + 1, stride), last}) if last >= 0 else []
            cut += [stretch[first : first + length] for first in starts]
        if not cut:
            return np.zeros((0, length, self.layout.n_joints, 3), np.float32)
        return np.stack(cut).astype(np.float32)


def mirror(sequence: SkeletonSequence) -> SkeletonSequence:
    """The same walk seen in a mirror: left is right, and x is turned round; nothing is said of the truth."""
    layout = sequence.layout
    other = [layout.index[_other_side(name)] for name in layout.joints]
    flipped = sequence.joints[:, other] * np.array([-1.0, 1.0, 1.0], np.float32)
    return replace(sequence, joints=np.ascontiguousarray(flipped, np.float32), truth=None)


def _other_side(name: str) -> str:
    side, _, part = name.partition(" ")
    return {"left": f"right {part}", "right": f"left {part}"}.get(side, name)
