"""Three short training runs, one of each objective; as a script, what `torchrun` would start a process of."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from walking_figure import walk

from smsge import parallel
from smsge.clips import Clips
from smsge.config import EncoderConfig, PrototypeConfig, ReconstructionConfig
from smsge.encoder import SMSGE
from smsge.layouts import CASIA14
from smsge.prototypes import SupervisedPrototypes, UnsupervisedPrototypes
from smsge.reconstruction import SelfSupervision
from smsge.schedule import Schedule
from smsge.sequence import SkeletonSequence
from smsge.training import Progress, fit

SCHEDULE = Schedule(steps=8, batch=7, warmup=2, checkpoint_every=3, learning_rate=5e-4)
"""Shares of 4 and 3 clips, and at the end of an epoch of 36 clips one of 1 and none."""


def clips() -> Clips:
    sequences = [
        SkeletonSequence(walk(CASIA14, 24, seed=n).astype(np.float32), CASIA14, 15.0, identity=f"{n // 2}")
        for n in range(6)
    ]
    return Clips.of(sequences, 6, 4)


def run(kind: str, out: Path, resume: bool = False, progress: Progress | None = None) -> dict[str, torch.Tensor]:
    """Train one objective in `out / kind`; what it holds at the end.

    Adam makes steps of one size of gradients that are nothing but rounding, as those of a bias before a softmax. So
    the encoder is trained in float64, where both ways round alike, and frozen below the heads.
    """
    torch.manual_seed(0)
    train = clips()
    encoder = SMSGE(EncoderConfig(frames=6, hidden=8, heads=2, width=4))
    config = PrototypeConfig(width=8, k1=6, k2=3, eps=0.7, noise=0.01, scale=0.02, fine_tune=False)
    objective = {
        "reconstruction": lambda: SelfSupervision(encoder, ReconstructionConfig(subset_lengths=3)),
        "supervised": lambda: SupervisedPrototypes(encoder, train.identities, config),
        "unsupervised": lambda: UnsupervisedPrototypes(encoder, config),
    }[kind]()
    if kind == "reconstruction":
        frames = train.frames.astype(np.float64)
        objective, train = objective.double(), replace(train, frames=frames, truth=frames)
    fit(objective, train, train, SCHEDULE, out / kind, {"kind": kind}, resume=resume, progress=progress)
    return objective.state_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    for kind in sys.argv[2:]:
        state = run(kind, Path(sys.argv[1]), resume=True)
        torch.save(state, Path(sys.argv[1]) / f"{kind}.{parallel.rank()}.pt")
