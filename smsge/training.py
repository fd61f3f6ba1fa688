"""One `fit` for everything that is trained: one Adam, resumable after a kill at any point.

Every draw (the order of an epoch, whatever a loss draws in a step) is made by a generator seeded from the run's seed
and the number of the epoch or step, never by one that lives on from step to step. A checkpoint therefore needs no
generator's state, and a resumed run on the CPU is bit for bit the unbroken one.
"""

import csv
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smsge import parallel
from smsge.clips import Clips
from smsge.curves import draw_curve
from smsge.errors import CheckpointError, ConfigError
from smsge.files import whole_file
from smsge.schedule import Schedule

Progress = Callable[[str, float, float | None], None]

STATE, CURVE, PICTURE = "state.pt", "curve.csv", "curve.png"
COLUMNS = ("step", "epoch", "learning_rate", "train_loss", "validation_loss")
_VALIDATION_SEED = 7


@dataclass(frozen=True)
class Batch:
    """Some clips of a `Clips`. clips: (B, f, J, 3) float32; labels: (B,) int64; which: (B,) int64, their numbers;
    truth: like clips, where the joints really were, None for where they are said to be."""

    clips: Tensor
    labels: Tensor
    which: Tensor
    truth: Tensor | None = None


class Objective(nn.Module, ABC):
    """Something that is trained: a module that holds all that is trained, and the loss that trains it."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The scalar mean over the batch's clips. Draws only from `generator`, which lives on the CPU and is the same
        in every process that has a share of the batch. Every objective has its own."""

    def begin_epoch(self, epoch: int, clips: Clips) -> None:
        """Called before the first step of epoch 0, 1, … with all training clips, in evaluation mode and without
        gradients. What it changes must live in parameters and buffers: a run that is resumed within an epoch finds
        them in the checkpoint, and does not call it again."""

    def validation_loss(self, clips: Clips, batch: int) -> float:
        """What a checkpoint is judged by, in evaluation mode and without gradients: the mean of `loss` over all
        `clips`, `batch` at a time, with the same draws at every call, so that two checkpoints can be compared."""
        total, device = 0.0, next(self.parameters()).device
        for number, first in enumerate(range(0, len(clips), batch)):
            which = np.arange(first, min(first + batch, len(clips)))
            total += float(self.loss(_batch(clips, which, device), _generator(_VALIDATION_SEED, number))) * len(which)
        return total / len(clips)


@dataclass
class Run:
    """Where a training run stands: steps done, and a row of `COLUMNS` a checkpoint."""

    step: int
    curve: list[list[float]]


def batch_at(clips: int, batch: int, seed: int, step: int) -> tuple[int, NDArray[np.int64]]:
    """(epoch, numbers of the clips) of step 0, 1, …: a permutation an epoch, the last partial batch kept."""
    batches = math.ceil(clips / batch)
    epoch, place = divmod(step, batches)
    order = np.random.default_rng([seed, epoch]).permutation(clips)
    return epoch, order[place * batch : (place + 1) * batch]


def fit(
    objective: Objective,
    train: Clips,
    validation: Clips | None,
    schedule: Schedule,
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    resume: bool = False,
    on_checkpoint: Callable[[Run], None] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train `objective` in place, on the device it is on; state and learning curve (CSV, PNG) go to the folder `out`.

    settings: plain values that, with `schedule`, make the run what it is; a run is resumed only under the same ones.
    resume: go on from the last checkpoint in `out`, if there is one. on_checkpoint: called before each checkpoint is on
    disk, so that a run killed between the two comes to it again. Under `torchrun` every process calls `fit`; only the
    first writes, calls `on_checkpoint` and tells progress.

    Raises CheckpointError if the folder holds a run and `resume` is not set, or the run there had other settings;
    ConfigError if the loss is no longer finite.
    """
    out, first = Path(out), parallel.rank() == 0
    identity = _flat({**settings, "schedule": asdict(schedule), "clips": len(train)})
    parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    run = _restore(out / STATE, objective, optimizer, identity, resume) or Run(0, [])
    device, total, batches = parameters[0].device, schedule.total(len(train)), math.ceil(len(train) / schedule.batch)
    autocast = _autocast(device, schedule.bf16)
    loss = torch.compile(objective.loss) if schedule.compile and device.type == "cuda" else objective.loss
    recent: list[float] = []
    parallel.join(device)
    parallel.copy_from_first(objective)
    objective.train()
    while run.step < total:
        epoch, which = batch_at(len(train), schedule.batch, schedule.seed, run.step)
        if run.step % batches == 0:
            if first:
                with _judging(objective), autocast():
                    objective.begin_epoch(epoch, train)
            parallel.copy_from_first(objective)
        rate = schedule.rate_at(run.step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        own, part = parallel.share(which)
        with autocast():
            value = loss(_batch(train, own, device), _generator(schedule.seed, run.step)) * part
        value.backward()  # type: ignore[no-untyped-call]
        recent.append(float(parallel.sum_gradients(parameters, value)))
        if not math.isfinite(recent[-1]):
            raise ConfigError(f"learning_rate: the loss is not finite at step {run.step + 1}; {rate:.2g} is too high")
        nn.utils.clip_grad_norm_(parameters, schedule.max_gradient)
        optimizer.step()
        run.step += 1
        if first and (run.step % schedule.checkpoint_every == 0 or run.step == total):
            held_out = math.nan
            if validation is not None:
                with _judging(objective), autocast():
                    held_out = objective.validation_loss(validation, schedule.batch)
            run.curve.append([run.step, epoch + 1, rate, sum(recent) / len(recent), held_out])
            recent.clear()
            out.mkdir(parents=True, exist_ok=True)
            if on_checkpoint is not None:
                on_checkpoint(run)
            _store(out, objective, optimizer, run, identity)
        if first and progress is not None:
            progress("training", run.step, total)
    parallel.copy_from_first(objective)
    if first:
        draw_curve(out / CURVE, out / PICTURE)
    return run


@contextmanager
def _judging(objective: Objective) -> Iterator[None]:
    objective.eval()
    with torch.no_grad():
        yield
    objective.train()


def _batch(clips: Clips, which: NDArray[np.int64], device: torch.device) -> Batch:
    labels = torch.from_numpy(clips.labels[which]).to(device)
    truth = None if clips.truth is clips.frames else clips.really(which).to(device)
    return Batch(clips.take(which).to(device), labels, torch.from_numpy(which), truth)


def _autocast(device: torch.device, bf16: bool) -> Callable[[], Any]:
    if device.type == "cuda" and bf16:
        return lambda: torch.autocast("cuda", torch.bfloat16)
    return nullcontext


def _generator(seed: int, number: int) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Sections within sections -> one mapping with dotted keys, tuples as lists: what a file gives back unchanged."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _store(
    folder: Path, objective: Objective, optimizer: torch.optim.Optimizer, run: Run, identity: Mapping[str, Any]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"module": objective.state_dict(), "optimizer": optimizer.state_dict()}
    with whole_file(folder / STATE) as file:
        torch.save({**state, "step": run.step, "curve": run.curve, "config": identity}, file)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *run.curve])
    with whole_file(folder / CURVE) as file:
        file.write(text.getvalue().encode())


def _restore(
    path: Path,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    resume: bool,
) -> Run | None:
    if not path.exists():
        return None
    if not resume:
        raise CheckpointError(f"{path.parent} holds a training run: go on with --resume, or choose another folder")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["config"]
        differing = sorted(key for key in {*identity, *theirs} if theirs.get(key) != identity.get(key))
        if not differing:
            objective.load_state_dict(state["module"])
            optimizer.load_state_dict(state["optimizer"])
        run = Run(state["step"], state["curve"])
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be resumed ({type(error).__name__}); start anew") from error
    if differing:
        raise CheckpointError(
            f"{path}: the run there had other settings: {', '.join(differing)}; use those, or start anew"
        )
    return run
