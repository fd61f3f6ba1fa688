"""An encoder so small that it is made in no time, with its calibration, and walks to embed."""

from pathlib import Path

import numpy as np
import torch

from pipeline.embed import VERSION, describe
from pipeline.walks import Walks
from smsge.checkpoint import Checkpoint, save_checkpoint
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.fusion import fit_standard
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence


def walk(seed: int, frames: int = 40) -> SkeletonSequence:
    generator = np.random.default_rng(seed)
    still = generator.normal(size=(1, 14, 3))
    return SkeletonSequence((still + 0.1 * generator.normal(size=(frames, 14, 3))).astype(np.float32), CASIA14, 15.0)


def as_they_are(walks: list[SkeletonSequence]) -> Walks:
    """Walks that no lift changes."""
    return Walks(walks, walks)


def save_tiny(path: Path) -> Path:
    """Write the encoder, which reads 8 frames, to `path`."""
    torch.manual_seed(0)
    model = SMSGE(EncoderConfig(frames=8, hidden=4)).eval()
    walks = as_they_are([walk(seed) for seed in range(12)])
    names = [str(seed // 2) for seed in range(12)]
    raw = describe(Checkpoint(model, {}, {}, "0" * 64), walks)
    tensors = {
        key: torch.from_numpy(value)
        for part, vectors in raw.items()
        for key, value in fit_standard(vectors, names, 0.5, 8).tensors(part).items()
    }
    metadata = {
        "weights": {"encoder": 0.25, "statistics": 0.5, "statistics_seen": 0.25},
        "threshold": 0.4,
        "canonical": 1,
        "descriptors": VERSION,
        "fps": 15.0,
    }
    save_checkpoint(path, model, tensors, metadata)
    return path
