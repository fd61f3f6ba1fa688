"""Skeletons -> templates: the encoder's view of a track and its posture statistics, standardised and joined."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import CheckpointError, ConfigError
from pipeline.settings import EncoderSettings
from smsge.checkpoint import Checkpoint, load_checkpoint
from smsge.descriptors import posture_statistics
from smsge.encoder import SMSGE
from smsge.fusion import Standard, fuse
from smsge.sequence import SkeletonSequence

WEIGHTS = Path(__file__).resolve().parent.parent / "smsge" / "weights"
"""Where the encoders that ship lie: NAME.safetensors."""

STRIDE = 0.25
"""Windows of f frames begin every f * STRIDE frames: enough overlap that where a stride begins does not matter."""


class TrackEmbedder:
    """One track -> one unit vector; what `pipeline.templates.Embedder` asks for.

    A checkpoint holds the encoder, a `Standard` for each descriptor it joins ("encoder", "posture") and, in its
    metadata, their `weights` and the calibrated `threshold`.
    """

    def __init__(self, checkpoint: Checkpoint, name: str, device: str = "cpu", batch: int = 64) -> None:
        self.fingerprint = checkpoint.fingerprint
        self.metadata = checkpoint.metadata
        self.model = checkpoint.model.to(device).eval()
        self._device, self._batch = device, batch
        try:
            weights = {str(key): float(value) for key, value in checkpoint.metadata["weights"].items()}
            arrays = {key: tensor.numpy() for key, tensor in checkpoint.tensors.items()}
            self.standards = {part: Standard.from_tensors(part, arrays) for part in weights}
            self.threshold = float(checkpoint.metadata["threshold"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{name}: has no usable calibration ({error}); make one with `python -m pipeline.calibrate`"
            ) from error
        self.weights = weights
        self.frames = checkpoint.model.config.frames
        self.name = f"{name} ({' + '.join(weights)})"
        self.frames = checkpoint.model.config.frames
        self.dim = sum(standard.project.shape[1] for standard in self.standards.values())

    def embed(self, sequences: list[SkeletonSequence]) -> NDArray[np.float32]:
        """N skeletons -> (N, D) float32 of unit length. Raises ValueError where one has no full window."""
        if not sequences:
            return np.zeros((0, self.dim), np.float32)
        raw = describe(self.model, sequences, self._device, self._batch)
        return self.join(raw)

    def join(self, raw: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float32]:
        """Raw descriptors {part: (N, D_part)} -> (N, D) of unit length."""
        return fuse([self.standards[part](raw[part]) for part in self.weights], list(self.weights.values()))


def describe(
    model: SMSGE, sequences: Sequence[SkeletonSequence], device: str = "cpu", batch: int = 64
) -> dict[str, NDArray[np.floating]]:
    """The raw descriptors of N tracks: encoder (N, S * D_h), the mean over windows and prefixes, and posture (N, P)."""
    return {
        "encoder": encode(model, sequences, device, batch),
        "posture": np.stack([posture_statistics(sequence) for sequence in sequences]),
    }


def encode(
    model: SMSGE, sequences: Sequence[SkeletonSequence], device: str = "cpu", batch: int = 64
) -> NDArray[np.float32]:
    """(N, S * D_h): for each track the mean over its windows of the mean over prefixes of F_k (SM-SGE, section 5).

    Windows of all tracks share batches. Raises ValueError where a track has no window of the encoder's length.
    """
    frames = model.config.frames
    windows = [sequence.windows(frames, max(1, round(frames * STRIDE))) for sequence in sequences]
    short = [len(sequence) for sequence, cut in zip(sequences, windows, strict=True) if len(cut) == 0]
    if short:
        raise ValueError(f"a track of {short[0]} frames holds no uninterrupted window of {frames}")
    stacked = torch.from_numpy(np.concatenate(windows))
    with torch.inference_mode():
        batches = torch.split(stacked, batch)
        states = torch.cat([model.embed(clips.to(device)).float().cpu() for clips in batches]).numpy()
    edges = np.cumsum([len(cut) for cut in windows])[:-1]
    return np.stack([part.mean(axis=0) for part in np.split(states, edges)])


def load_embedder(settings: EncoderSettings | None = None) -> TrackEmbedder:
    """The embedder that `settings` names: a file in smsge/weights without its ending, or a path.

    Raises CheckpointError (no such weights, damaged, without calibration) and ConfigError (a device that is not there).
    """
    settings = settings or EncoderSettings()
    path = WEIGHTS / f"{settings.weights}.safetensors"
    if not settings.weights.isidentifier() or not path.exists():
        path = Path(settings.weights)
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))) or "none"
        raise CheckpointError(f"encoder.weights: {settings.weights} is neither a file nor an encoder here ({there})")
    return TrackEmbedder(load_checkpoint(path), path.stem, pick_device(settings.device), settings.batch)


def pick_device(wanted: str) -> str:
    """auto, cpu or cuda (cuda:1, …) -> what torch shall use. Raises ConfigError for cuda where there is none."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and not (wanted.startswith("cuda") and torch.cuda.is_available()):
        raise ConfigError(f"encoder.device: {wanted} is not available here; use cpu or auto")
    return wanted
