"""An encoder under a protocol of a dataset: what `reid evaluate` does, and what a researcher's script can call."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from pipeline.embed import find_weights, lift_of, pick_device
from pipeline.errors import CheckpointError
from pipeline.footage import read_footage
from pipeline.lift import Lift
from pipeline.names import printable, reason_of
from pipeline.settings import Settings
from pipeline.values import Progress, silent
from smsge.checkpoint import Checkpoint, load_checkpoint
from smsge.datasets import WHOLE_WALKS
from smsge.evaluation import Table, evaluate, every_walk_once
from smsge.methods import encoder_method, encoder_reading
from smsge.protocols import Reading, Split, splits
from smsge.report import document, make_folder, save_csv, text, title
from smsge.samples import Level

CSV = "tables.csv"
LEVELS: tuple[Level, ...] = ("clip", "track")


@dataclass(frozen=True)
class Study:
    """What came of it. data, weights: where they lie; fingerprint: of the encoder. reading: how skeletons were read, at
    the rate that they had. tables: one a split, level and way of comparing. notes: lines about data that was left out
    or is not what the encoder was trained on."""

    dataset: str
    protocol: str
    data: str
    weights: str
    fingerprint: str
    reading: Reading
    seed: int
    tables: tuple[Table, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    def table(self) -> Group:
        """A table a split, level and way of comparing, in per cent, for a terminal."""
        parts: list[Text | Grid] = []
        for each in self.tables:
            headings, rows = text(each)
            grid = Grid()
            for number, heading in enumerate(headings):
                grid.add_column(heading, justify="right" if number else "left", no_wrap=True)
            for row in rows:
                grid.add_row(*row)
            parts += [Text(printable(f"{title(each)} · per cent")), grid]
        return Group(*parts)

    def json(self) -> dict[str, Any]:
        """What was evaluated, and under `tables` every figure, as shares in 0..1."""
        told = {key: getattr(self, key) for key in ("dataset", "protocol", "data", "weights", "fingerprint", "seed")}
        return told | asdict(self.reading) | {"tables": document(self.tables)}

    def save(self, folder: str | Path, progress: Progress = silent) -> list[Path]:
        """Write `tables.csv` and four pictures a table into `folder`; returns the files.

        Files of these names are replaced, others are left alone. Raises DatasetError where one cannot be written.
        """
        from smsge.plots import PICTURES, save_pictures  # here, because matplotlib is slow to import

        make_folder(Path(folder))
        files = [Path(folder) / CSV]
        save_csv(self.tables, files[0])
        total = len(PICTURES) * len(self.tables)
        for path in save_pictures(self.tables, Path(folder), self.seed):
            files.append(path)
            progress("drawing", len(files) - 1, total)
        return files


def study(
    dataset: str,
    data: str | Path,
    protocol: str,
    settings: Settings | None = None,
    *,
    weights: str | None = None,
    levels: Sequence[Level] | None = None,
    frames: int | None = None,
    every_walk: bool = False,
    classifier: bool = False,
    seed: int = 1,
    progress: Progress = silent,
) -> Study:
    """Match every split of a protocol directly, by an encoder and by the descriptors by hand.

    weights: an encoder that ships or a path, that of `settings.encoder` if None. levels: clip and track, if None as
    many as the dataset has. frames: of a clip, the encoder's own if None. every_walk: every walk of gallery and probes
    asks once (`every_walk_once`). classifier: the paper's protocol too, by clip. seed: of everything drawn by lot.
    Skeletons are read at the rate and in the form that the encoder was trained with; datasets that come cut into clips
    have a rate of their own.

    Raises CheckpointError, DatasetError, ConfigError; SkeletonFileError for footage.
    """
    settings = settings or Settings()
    path = find_weights(weights or settings.encoder.weights)
    checkpoint = load_checkpoint(path)
    levels = levels or (LEVELS if dataset in WHOLE_WALKS else LEVELS[:1])
    checkpoint.model.to(pick_device(settings.encoder.device))
    wanted = encoder_reading(checkpoint)
    wanted = replace(wanted, frames=frames or wanted.frames)
    progress("reading the skeletons", 0, None)
    made, notes = _read(dataset, data, protocol, wanted, settings, _lift(checkpoint, path.stem), progress)
    if every_walk:
        made = [every_walk_once(split) for split in made]
    rate = made[0].probe[0].fps
    if wanted.fps not in (None, rate):
        notes.append(f"{dataset} has {rate:g} frames a second, the encoder was trained at {wanted.fps:g}")
    method = encoder_method(checkpoint, settings.encoder.batch, progress)
    tables: list[Table] = []
    for split in made:
        # First, since it refuses at once a split that leaves it nothing to learn; told last.
        taught = [_classified(split, checkpoint, wanted.frames, seed, progress)] if classifier else []
        tables += [evaluate(split, [method], level, wanted.frames) for level in levels]
        tables += taught
    reading = replace(wanted, fps=rate)
    return Study(
        dataset, protocol, str(data), str(path), checkpoint.fingerprint, reading, seed, tuple(tables), tuple(notes)
    )


def _read(
    dataset: str, data: str | Path, protocol: str, wanted: Reading, settings: Settings, lift: Lift, progress: Progress
) -> tuple[list[Split], list[str]]:
    """The splits, and a line for whatever was left out of them."""
    if dataset == "footage":
        footage = read_footage(data, settings, wanted.frames, lift, progress)
        return splits(dataset, footage.sequences, protocol, wanted), list(footage.left_out)
    if dataset not in WHOLE_WALKS:
        wanted = replace(wanted, fps=None)
    return splits(dataset, data, protocol, wanted), []


def _lift(checkpoint: Checkpoint, name: str) -> Lift:
    try:
        return lift_of(checkpoint)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{name}: its lift is damaged ({reason_of(error)}); get the encoder again") from error


def _classified(split: Split, checkpoint: Checkpoint, frames: int, seed: int, progress: Progress) -> Table:
    from smsge.probe import SCHEDULE, classify  # here, because scikit-learn is slow to import

    return classify(split, checkpoint, frames, replace(SCHEDULE, seed=seed), progress=progress)
