"""Training without labels: every clip of every walk, one Adam, resumable after a kill at any point.

Every draw (the order of an epoch, the subsequences of a step) is made by a generator seeded from the run's seed and the
number of the epoch or step, never by one that lives on from step to step. A checkpoint therefore needs no generator's
state, and a resumed run on the CPU is bit for bit the unbroken one.
"""

import csv
import io
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smsge import canonical
from smsge.checkpoint import save_checkpoint
from smsge.clips import Clips
from smsge.config import TrainConfig, parse_people
from smsge.datasets.kgbd import read_kgbd
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, ConfigError
from smsge.files import whole_file
from smsge.reconstruction import Reconstruction

Progress = Callable[[str, float, float | None], None]
Loss = Callable[[Tensor, torch.Generator], Tensor]
"""`loss(clips (B, f, J, 3), generator) -> scalar`; draws only from the generator, which lives on the CPU."""

STATE, CURVE, WEIGHTS = "state.pt", "curve.csv", "encoder.safetensors"
COLUMNS = ("step", "epoch", "learning_rate", "train_loss", "validation_loss")
_NOT_THE_RUN = ("data", "out", "device", "threads")
_VALIDATION_SEED = 7


@dataclass
class Run:
    """Where a training run stands: steps done, and a row of `COLUMNS` a checkpoint."""

    step: int
    curve: list[list[float]]


def rate_at(config: TrainConfig, step: int) -> float:
    """Learning rate of step 0, 1, …: a straight rise over `warmup` steps, then half a cosine down to `final_rate`."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    part = (step - config.warmup) / max(1, config.steps - config.warmup)
    low = config.final_rate
    return config.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def batch_at(clips: int, batch: int, seed: int, step: int) -> tuple[int, NDArray[np.int64]]:
    """(epoch, numbers of the clips) of step 0, 1, …: a permutation an epoch, the last partial batch kept."""
    batches = math.ceil(clips / batch)
    epoch, place = divmod(step, batches)
    order = np.random.default_rng([seed, epoch]).permutation(clips)
    return epoch, order[place * batch : (place + 1) * batch]


def fit(
    module: nn.Module,
    loss: Loss,
    train: Clips,
    validation: Clips | None,
    config: TrainConfig,
    *,
    resume: bool = False,
    on_checkpoint: Callable[[Run], None] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train `module` in place for `config.steps` steps of `loss`; state and learning curve go to `config.out`.

    module: holds everything that is trained, and is on the device to train on; `loss` uses it. resume: go on from the
    last checkpoint in `config.out`, if there is one. on_checkpoint: called after each checkpoint is on disk.

    Raises CheckpointError if the folder holds a run and `resume` is not set, or the run there had other settings.
    """
    folder = Path(config.out)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate)
    run = _restore(folder / STATE, module, optimizer, config, resume) or Run(0, [])
    device = parameters[0].device
    autocast = _autocast(device, config.bf16)
    recent: list[float] = []
    module.train()
    while run.step < config.steps:
        epoch, which = batch_at(len(train), config.batch, config.seed, run.step)
        rate = rate_at(config, run.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            value = loss(train.take(which).to(device), _generator(config.seed, run.step))
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, config.max_gradient)
        optimizer.step()
        recent.append(float(value.detach()))
        if not math.isfinite(recent[-1]):
            raise ConfigError(f"learning_rate: the loss is not finite at step {run.step + 1}; {rate:.2g} is too high")
        run.step += 1
        if run.step % config.checkpoint_every == 0 or run.step == config.steps:
            held_out = math.nan if validation is None else validation_loss(module, loss, validation, config)
            run.curve.append([run.step, epoch + 1, rate, sum(recent) / len(recent), held_out])
            recent.clear()
            _store(folder, module, optimizer, run, config)
            if on_checkpoint is not None:
                on_checkpoint(run)
        if progress is not None:
            progress("training", run.step, config.steps)
    return run


@torch.no_grad()
def validation_loss(module: nn.Module, loss: Loss, clips: Clips, config: TrainConfig) -> float:
    """Mean of `loss` over all clips, with the same draws at every call, so that two checkpoints can be compared."""
    device = next(module.parameters()).device
    autocast = _autocast(device, config.bf16)
    module.eval()
    total = 0.0
    for number, first in enumerate(range(0, len(clips), config.batch)):
        which = np.arange(first, min(first + config.batch, len(clips)))
        with autocast():
            value = loss(clips.take(which).to(device), _generator(_VALIDATION_SEED, number))
        total += float(value) * len(which)
    module.train()
    return total / len(clips)


def train_from_config(config: TrainConfig, resume: bool = False, progress: Progress | None = None) -> Path:
    """Train an SM-SGE encoder by reconstruction on the dataset of `config`; returns the path of its weights.

    In `config.out`: `state.pt` (model, decoders, optimiser, step, settings), `curve.csv`, and `encoder.safetensors`,
    the encoder alone; all three are whole at any moment. No label is used.

    Raises DatasetError, CheckpointError or ConfigError.
    """
    device = _device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if progress is not None:
        progress("reading the walks", 0, None)
    held_out = parse_people(config.validation, "validation")
    people = parse_people(config.people) - held_out
    train = _clips(config, people)
    validation = _clips(config, held_out).thinned(config.validation_clips) if held_out else None
    torch.manual_seed(config.seed)
    encoder, reconstruction = SMSGE(config.encoder), Reconstruction(config.encoder)
    module = nn.ModuleDict({"encoder": encoder, "reconstruction": reconstruction}).to(device)
    weights = Path(config.out) / WEIGHTS

    def loss(clips: Tensor, generator: torch.Generator) -> Tensor:
        return reconstruction.loss(encoder, clips, generator, config.subset_lengths)

    def keep(run: Run) -> None:
        metadata = {"training": _settings(config), "step": run.step, "canonical": canonical.VERSION, "fps": config.fps}
        save_checkpoint(weights, encoder, {}, metadata)

    run = fit(module, loss, train, validation, config, resume=resume, on_checkpoint=keep, progress=progress)
    keep(run)
    return weights


def _clips(config: TrainConfig, people: frozenset[int]) -> Clips:
    sequences = read_kgbd(config.data, config.encoder.layout, config.fps, people)
    return Clips.of(sequences, config.encoder.frames, config.stride)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: cuda is not available here; set device to auto or cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def _autocast(device: torch.device, bf16: bool) -> Callable[[], Any]:
    if device.type == "cuda" and bf16:
        return lambda: torch.autocast("cuda", torch.bfloat16)
    return nullcontext


def _generator(seed: int, number: int) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def _settings(config: TrainConfig) -> dict[str, Any]:
    """What makes the run what it is, as plain values; where it lies and on what it runs is left out."""
    settings = {key: value for key, value in asdict(config).items() if key not in _NOT_THE_RUN}
    settings["encoder"] = {k: list(v) if isinstance(v, tuple) else v for k, v in settings["encoder"].items()}
    return settings


def _store(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, run: Run, config: TrainConfig) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
    with whole_file(folder / STATE) as file:
        torch.save({**state, "step": run.step, "curve": run.curve, "config": _settings(config)}, file)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *run.curve])
    with whole_file(folder / CURVE) as file:
        file.write(text.getvalue().encode())


def _restore(
    path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, config: TrainConfig, resume: bool
) -> Run | None:
    if not path.exists():
        return None
    if not resume:
        raise CheckpointError(f"{path.parent} holds a training run: go on with --resume, or choose another folder")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["config"]
        differing = sorted(key for key, value in _settings(config).items() if theirs.get(key) != value)
        if not differing:
            module.load_state_dict(state["module"])
            optimizer.load_state_dict(state["optimizer"])
        run = Run(state["step"], state["curve"])
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be resumed ({type(error).__name__}); start anew") from error
    if differing:
        raise CheckpointError(
            f"{path}: the run there had other settings: {', '.join(differing)}; use those, or start anew"
        )
    return run
