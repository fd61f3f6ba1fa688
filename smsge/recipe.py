"""A training run from its configuration: dataset -> clips -> objective -> `fit` -> an encoder's file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smsge import canonical, parallel
from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.clips import Clips
from smsge.config import TrainConfig, parse_people
from smsge.datasets.kgbd import read_kgbd
from smsge.encoder import SMSGE
from smsge.errors import ConfigError
from smsge.methods import encoder_reading
from smsge.protocols import Reading, splits
from smsge.prototypes import HEAD, Prototypes, SupervisedPrototypes, UnsupervisedPrototypes
from smsge.reconstruction import SelfSupervision
from smsge.sequence import SkeletonSequence
from smsge.training import COLUMNS, Progress, Run, fit

WEIGHTS = "encoder.safetensors"
_NOT_THE_RUN = ("data", "out", "device", "threads", "schedule")


Parts = tuple[Clips, Clips | None, float]
"""Clips to train on, clips of the validation loss or None, skeletons a second."""


def train_from_config(
    config: TrainConfig, resume: bool = False, progress: Progress | None = None, parts: Parts | None = None
) -> Path:
    """Train an SM-SGE encoder, by reconstruction or with a prototype head; returns the path of its weights.

    parts: the clips, where they are not read from the dataset that `config` names.

    In `config.out`: `state.pt` (all that is trained, optimiser, step, settings), `curve.csv`, `curve.png`, and
    `encoder.safetensors`, the encoder alone or with its head, of the checkpoint with the lowest validation loss; all
    are whole at any moment.

    Raises DatasetError, CheckpointError or ConfigError.
    """
    device = _device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if progress is not None and parallel.rank() == 0:
        progress("reading the walks", 0, None)
    train, validation, fps = parts or training_clips(config)
    torch.manual_seed(config.schedule.seed)
    settings = _settings(config)
    objective = _objective(config, train, fps, settings).to(device)
    weights = Path(config.out) / WEIGHTS

    def keep(run: Run) -> None:
        losses = [row[COLUMNS.index("validation_loss")] for row in run.curve]
        if (
            losses and losses[-1] > min(losses) and weights.exists()
        ):  # an earlier one tells more about people it was not trained on
            return
        metadata: dict[str, Any] = {"training": settings | {"schedule": asdict(config.schedule)}, "step": run.step}
        metadata |= {"canonical": canonical.VERSION, "fps": fps, "form": config.form}
        tensors: dict[str, Tensor] = {}
        if isinstance(objective, Prototypes):
            metadata["head"] = {"width": objective.head.width}
            tensors = {HEAD + name: value for name, value in objective.head.state_dict().items()}
        save_checkpoint(weights, objective.encoder, tensors, metadata)

    arguments = objective, train, validation, config.schedule, config.out, settings
    run = fit(*arguments, resume=resume, on_checkpoint=keep, progress=progress)
    if parallel.rank() == 0:
        keep(run)
    return weights


def training_clips(config: TrainConfig) -> Parts:
    """The clips that `TrainConfig` says."""
    held_out = parse_people(config.validation, "validation")
    sequences = _read(config)
    fps = sequences[0].fps
    if held_out:
        others = [sequence for sequence in sequences if int(sequence.identity) not in held_out]
        theirs = [sequence for sequence in sequences if int(sequence.identity) in held_out]
        return _clips(config, others), _clips(config, theirs).thinned(config.validation_clips), fps
    clips, rest = _clips(config, sequences).held_out(config.validation_walks, config.schedule.seed)
    return clips, None if rest is None else rest.thinned(config.validation_clips), fps


def _read(config: TrainConfig) -> Sequence[SkeletonSequence]:
    layout = config.encoder.layout
    if config.protocol is None:
        return read_kgbd(config.data, layout, config.fps, parse_people(config.people) or None, config.form)
    reading = Reading(layout, config.encoder.frames, config.fps, config.form)
    found = splits(config.dataset, config.data, config.protocol, reading)
    if len(found) > 1:
        raise ConfigError(f"protocol: {config.protocol} has {len(found)} splits, name one, such as {found[0].name}")
    return found[0].train


def _clips(config: TrainConfig, sequences: Sequence[SkeletonSequence]) -> Clips:
    return Clips.of(sequences, config.encoder.frames, config.stride)


def _objective(config: TrainConfig, train: Clips, fps: float, settings: dict[str, Any]) -> SelfSupervision | Prototypes:
    """What `config.objective` names; notes in `settings` by its fingerprint which encoder it starts from."""
    encoder = SMSGE(config.encoder)
    if config.encoder.standardised:
        encoder.standardise_by(train.seen())
    if config.objective == "reconstruction":
        return SelfSupervision(encoder, config.reconstruction)
    if config.prototypes.start is not None:
        start = load_checkpoint(config.prototypes.start)
        if start.model.config != config.encoder:
            raise ConfigError(
                f"prototypes.start: {config.prototypes.start} is not an encoder with these encoder.* settings"
            )
        reading = encoder_reading(start)
        if (reading.form, reading.fps) != (config.form, fps):
            raise ConfigError(
                f"prototypes.start: {config.prototypes.start} reads {reading.form} skeletons at {reading.fps:g} a "
                f"second, and these are {config.form} at {fps:g}"
            )
        encoder = start.model
        settings["prototypes"]["start"] = start.fingerprint
    if config.prototypes.supervised:
        return SupervisedPrototypes(encoder, train.identities, config.prototypes)
    return UnsupervisedPrototypes(encoder, config.prototypes)


def _settings(config: TrainConfig) -> dict[str, Any]:
    """What makes the run what it is, as plain values; where it lies and on what it runs is left out, and so is the
    section of the objective that is not trained."""
    other = "prototypes" if config.objective == "reconstruction" else "reconstruction"
    return {key: value for key, value in asdict(config).items() if key not in (*_NOT_THE_RUN, other)}


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: cuda is not available here; set device to auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.cuda.set_device(parallel.local_rank())
    return torch.device("cuda", parallel.local_rank())
