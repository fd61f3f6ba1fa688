"""Poses extracted from footage, a folder a person -> their normalised skeletons, to be evaluated like any dataset.

`FOLDER/IDENTITY/*.npz`, files as `reid extract` writes them (`pipeline.skeletons`). They hold landmarks, so they are
judged and normalised here, as for a search, and `smsge` gets skeletons. The terms are those of the footage.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import DatasetError
from pipeline.lift import Lift
from pipeline.normalize import normalize
from pipeline.persons import are_one_person
from pipeline.quality import assess
from pipeline.settings import Settings
from pipeline.skeletons import load_skeletons
from pipeline.values import PoseTrack, Progress, silent
from smsge.sequence import SkeletonSequence

_EXPECTED = "expected a folder for each person with files of `reid extract` (.npz) in it"


@dataclass(frozen=True)
class Footage:
    """sequences: the usable tracks, identity the folder's name, session `IDENTITY/FILE`, view "" (no file tells its
    camera). left_out: a line for each file in which nobody is usable, saying why."""

    sequences: tuple[SkeletonSequence, ...] = field(repr=False)
    left_out: tuple[str, ...]


def read_footage(
    folder: str | Path, settings: Settings, frames: int, lift: Lift, progress: Progress = silent
) -> Footage:
    """Every file below `folder`, people and files in order of name; tracks without a clip of `frames` are left out.

    lift: of the encoder that shall see them (`pipeline.lift`).

    Several tracks of a file are taken where they may be one person who left and came back, as enrolment does.
    Raises DatasetError where the folder is not laid out like that or a file shows several people, SkeletonFileError.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; {_EXPECTED}")
    stray = next(iter(sorted(root.glob("*.npz"))), None)
    if stray is not None:
        raise DatasetError(f"{stray} lies in no person's folder; {_EXPECTED}")
    files = sorted(root.glob("[!.]*/*.npz"))
    if not files:
        raise DatasetError(f"{root}: no file of skeletons in its folders; {_EXPECTED}")
    sequences: list[SkeletonSequence] = []
    left_out: list[str] = []
    for number, path in enumerate(files):
        progress("reading skeletons", number, len(files))
        found, why = _usable(path, settings, frames, lift)
        who = path.parent.name
        sequences += [replace(skeleton, identity=who, session=f"{who}/{path.stem}") for skeleton in found]
        if not found:
            left_out.append(f"{path}: {why}")
    progress("reading skeletons", len(files), len(files))
    return Footage(tuple(sequences), tuple(left_out))


def _usable(path: Path, settings: Settings, frames: int, lift: Lift) -> tuple[list[SkeletonSequence], str]:
    """The skeletons of the file's person, and why there are none where there are none."""
    tracks: list[PoseTrack] = []
    skeletons: list[SkeletonSequence] = []
    why = "nobody was seen"
    for track in load_skeletons(path).tracks:
        refusal = assess(track, settings.quality, settings.normalize.max_gap).refusal
        if refusal is not None:
            why = str(refusal)
            continue
        skeleton = normalize(track, settings.normalize, lift)
        if len(skeleton.windows(frames, frames)) == 0:
            why = f"too short: {skeleton.duration:.1f} s seen, {frames / skeleton.fps:.1f} s without a break are needed"
            continue
        tracks.append(track)
        skeletons.append(skeleton)
    if not are_one_person(tracks):
        raise DatasetError(f"{path} shows several people: a file in a person's folder must show that person alone")
    return skeletons, why
