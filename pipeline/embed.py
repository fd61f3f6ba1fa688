"""Skeletons -> templates: what the encoder and what plain statistics say of a track, standardised and joined."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import smsge
from pipeline.errors import CheckpointError, ConfigError
from pipeline.lift import Lift
from pipeline.names import printable, reason_of
from pipeline.normalize import VERSION as SKELETONS
from pipeline.settings import EncoderSettings, NormalizeSettings
from pipeline.thresholds import Thresholds
from pipeline.walks import Walks
from smsge.checkpoint import Checkpoint, load_checkpoint
from smsge.descriptors import joint_statistics_of, over_windows, posture_statistics_of, stride_swing
from smsge.fusion import Standard, fuse
from smsge.layouts import CASIA14
from smsge.methods import embed_walks
from smsge.sequence import SkeletonSequence, mirror

VERSION = 4
"""Of what `describe` gives, which goes up with every change to its numbers: standards fit one version of them."""

WEIGHTS = Path(smsge.__file__).resolve().parent / "weights"
"""Where the encoders that ship lie: NAME.safetensors."""


class TrackEmbedder:
    """One track -> one unit vector; what `pipeline.templates.Embedder` asks for.

    A checkpoint holds the encoder, the lift of its skeletons, if any, a `Standard` for each descriptor it joins (of
    those that `describe` gives) and, in its metadata, their `weights`, the calibrated `threshold` and, in files that
    are not too old for them, `thresholds`.
    """

    def __init__(self, checkpoint: Checkpoint, name: str, device: str = "cpu", batch: int = 64) -> None:
        self.fingerprint = checkpoint.fingerprint
        self.metadata = checkpoint.metadata
        self.model = checkpoint.model.to(device).eval()
        self._checkpoint, self._batch = checkpoint, batch
        made = checkpoint.metadata.get("normalize", SKELETONS)
        if made != SKELETONS:
            raise CheckpointError(
                f"{name}: was calibrated on skeletons of version {printable(str(made)[:20])}, here they are of version"
                f" {SKELETONS}: train and calibrate it again, or use one that ships"
            )
        try:
            weights = {str(key): float(value) for key, value in checkpoint.metadata["weights"].items()}
            arrays = {key: tensor.numpy() for key, tensor in checkpoint.tensors.items()}
            self.lift = lift_of(checkpoint)
            self.standards = {part: Standard.from_tensors(part, arrays) for part in weights}
            self.threshold = float(checkpoint.metadata["threshold"])
            self.fps = NormalizeSettings(fps=float(checkpoint.metadata["fps"])).fps  # windows are as long as it says
            told = checkpoint.metadata.get("thresholds")
            self.thresholds = Thresholds.single(self.threshold) if told is None else Thresholds.from_json(told)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise _no_calibration(name, error) from error
        described = checkpoint.metadata.get("descriptors", 1)
        if described != VERSION:
            raise CheckpointError(
                f"{name}: was calibrated on descriptors of version {printable(str(described)[:20])}, here they are of"
                f" version {VERSION}: calibrate it again, or use one that ships"
            )
        self.weights = weights
        self.name = f"{name} ({' + '.join(weights)})"
        self.frames = checkpoint.model.config.frames
        self.dim = sum(standard.project.shape[1] for standard in self.standards.values())

    def embed(self, sequences: list[SkeletonSequence]) -> NDArray[np.float32]:
        """N skeletons as seen (`pipeline.normalize.as_seen`) -> (N, D) float32 of unit length.

        Raises ValueError where one is of another layout or frame rate, or has no full window; CheckpointError where
        the encoder's numbers are such that it makes no vector of a track.
        """
        if not sequences:
            return np.zeros((0, self.dim), np.float32)
        layout = self.model.config.layout
        for sequence in sequences:
            if sequence.layout.name != layout or sequence.fps != self.fps:
                have = f"skeletons of {sequence.layout.name} at {sequence.fps:g} a second"
                raise ValueError(f"{have}, {layout} at {self.fps:g} are needed")
            if not len(sequence.windows(self.frames, self.frames)):
                raise ValueError(f"a track of {len(sequence)} frames holds no uninterrupted window of {self.frames}")
        with np.errstate(all="ignore"):  # what is no number is refused as such
            vectors = self.join(self.describe(self._walks(sequences)))
        if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3).all():  # nor is it where it is no number
            raise CheckpointError(f"{self.name}: makes no unit vector of a track; get the encoder again")
        return vectors

    def _walks(self, seen: Sequence[SkeletonSequence]) -> Walks:
        try:
            return Walks.of(seen, self.lift)
        except ValueError as error:
            told = f"{self.name}: makes no skeleton of a track ({reason_of(error)}); get the encoder again"
            raise CheckpointError(told) from error

    def describe(self, walks: Walks) -> dict[str, NDArray[np.floating]]:
        """The raw descriptors of N tracks, {part: (N, D_part)}; see `describe`."""
        return describe(self._checkpoint, walks, self._batch)

    def join(self, raw: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float32]:
        """Raw descriptors {part: (N, D_part)} -> (N, D) of unit length."""
        return fuse([self.standards[part](raw[part]) for part in self.weights], list(self.weights.values()))


def lift_of(checkpoint: Checkpoint) -> Lift:
    """What the encoder's skeletons have to go through first. Raises KeyError and ValueError as `Lift.from_tensors`."""
    return Lift.from_tensors({key: tensor.numpy() for key, tensor in checkpoint.tensors.items()})


def describe(checkpoint: Checkpoint, walks: Walks, batch: int = 64) -> dict[str, NDArray[np.floating]]:
    """The raw descriptors of N tracks: encoder (N, D), what `embed_walks` says of lifted ones, averaged with what it
    says of their mirror images, which evens out from which side a walk was seen; statistics (N, S), what
    `walk_statistics` says of lifted ones; statistics_seen (N, S), the same of those as given.

    The lift was learned from rendered people, and what it gets wrong of others, nobody knows; skeletons as given have
    faults of another kind. So both are heard.

    Raises DatasetError where a track has no full window.
    """
    encoder = [embed_walks(checkpoint, part, batch=batch) for part in (walks.lifted, [*map(mirror, walks.lifted)])]
    return {
        "encoder": np.mean(encoder, axis=0),
        "statistics": np.stack([walk_statistics(walk) for walk in walks.lifted]),
        "statistics_seen": np.stack([walk_statistics(walk) for walk in walks.given]),
    }


def walk_statistics(walk: SkeletonSequence) -> NDArray[np.floating]:
    """(S,): one after the other the posture and the joint statistics over windows of two seconds, and how the joints
    swing with the stride. These are one descriptor, so that its discriminants know how the three go together: apart,
    they told less.

    Joint statistics are averaged with those of the mirror image. Posture and swing are not: how left and right differ
    tells people apart in them.
    """
    posture = over_windows(posture_statistics_of, walk)
    joints = [over_windows(joint_statistics_of, side) for side in (walk, mirror(walk))]
    return np.concatenate([posture, np.mean(joints, axis=0), stride_swing(walk)])


def load_embedder(settings: EncoderSettings | None = None) -> TrackEmbedder:
    """The embedder that `settings` names: a file in smsge/weights without its ending, or a path.

    Raises CheckpointError (no such weights, damaged, without calibration) and ConfigError (a device that is not there).
    """
    settings = settings or EncoderSettings()
    path = find_weights(settings.weights)
    embedder = TrackEmbedder(load_checkpoint(path), path.stem, pick_device(settings.device), settings.batch)
    _try_out(embedder, path.stem)
    return embedder


def _try_out(embedder: TrackEmbedder, name: str) -> None:
    """Embed one made-up track, so that a file whose parts do not fit together is told before any footage is read."""
    generator = np.random.default_rng(0)
    joints = generator.normal(size=(1, CASIA14.n_joints, 3)) + 0.1 * generator.normal(
        size=(embedder.frames, CASIA14.n_joints, 3)
    )
    try:
        embedder.embed([SkeletonSequence(joints.astype(np.float32), CASIA14, embedder.fps)])
    except (KeyError, ValueError, RuntimeError) as error:
        raise _no_calibration(name, error) from error


def _no_calibration(name: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{name}: has no usable calibration ({reason_of(error)}); make one with `python -m pipeline.calibrate`"
    )


def find_weights(wanted: str) -> Path:
    """A file in smsge/weights by its name without ending, or a path. Raises CheckpointError where there is neither."""
    path = WEIGHTS / f"{wanted}.safetensors"
    if not wanted.isidentifier() or not path.exists():
        path = Path(wanted)
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))) or "none"
        raise CheckpointError(f"encoder.weights: {wanted} is neither a file nor an encoder here ({there})")
    return path


def pick_device(wanted: str) -> str:
    """auto, cpu or cuda (cuda:1, …) -> what torch shall use. Raises ConfigError for cuda where there is none."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and int(wanted.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise ConfigError(f"encoder.device: {wanted} is not available here; use cpu or auto")
    return wanted
