"""Shots read back: the skeletons that a search would make of them, each beside what was really there."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.errors import DatasetError
from pipeline.joints import in_statures
from pipeline.lift import Lift
from pipeline.normalize import canonical_sequence, steady
from pipeline.quality import assess
from pipeline.settings import Settings
from pipeline.skeletons import load_skeletons
from pipeline.synthetic.estimator import Pair, facing, ray_axes
from pipeline.values import Progress, silent
from pipeline.walks import Walks
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence

_HEAD, _ANKLES = 0, [27, 28]  # landmarks
_NECK, _FEET = CASIA14.index["neck"], [CASIA14.index[f"{side} ankle"] for side in ("left", "right")]


@dataclass(frozen=True)
class Shown:
    """One track of a shot. kind: what its folder is called, and so how it was filmed. sequence: canonical, with
    identity, session and truth, not lifted. pairs: its stretches beside the truth, as the camera saw them."""

    kind: str
    sequence: SkeletonSequence
    pairs: tuple[Pair, ...]

    def lifted(self, lift: Lift) -> "Shown":
        """The same with skeletons as a search that has `lift` makes them."""
        again = canonical_sequence([lift(pair.seen) for pair in self.pairs], self.sequence.fps)
        return replace(self, sequence=replace(self.sequence, joints=again.joints))

    @property
    def view(self) -> np.ndarray:
        """(6,) from where the camera saw the person, as the pose estimator tells it: means over the track of cosine
        and sine of the azimuth and of twice it, how far the body leans to the camera, and that times the first."""
        angle = np.concatenate([facing(pair.seen, pair.fps) for pair in self.pairs])
        spine = np.concatenate([pair.seen[:, _NECK] - pair.seen[:, _FEET].mean(axis=1) for pair in self.pairs])
        lean = float((spine / np.linalg.norm(spine, axis=1, keepdims=True)).mean(axis=0)[2])
        waves = [np.cos(angle).mean(), np.sin(angle).mean(), np.cos(2 * angle).mean(), np.sin(2 * angle).mean()]
        return np.array([*waves, lean, lean * waves[0]])


def walks_of(shown: Sequence[Shown], lift: Lift) -> Walks:
    """The same tracks as an encoder with `lift` reads them."""
    return Walks([one.sequence for one in shown], [one.lifted(lift).sequence for one in shown])


def read_shots(folder: Path, settings: Settings, frames: int, progress: Progress = silent) -> list[Shown]:
    """Every usable track below `folder` (see `shots`), people and shots in order of name.

    Tracks that a search would refuse, or that hold no window of `frames`, are left out. Raises DatasetError where the
    truth of a shot is missing, SkeletonFileError.
    """
    files = sorted(folder.glob("people/*/shot_*.npz"))
    found = []
    for number, path in enumerate(files, start=1):
        found += list(_shown(path, settings, frames))
        progress("reading shots", number, len(files))
    return found


def _shown(path: Path, settings: Settings, frames: int) -> Iterator[Shown]:
    there = Path(*path.parts[:-3], "truth", *path.parts[-2:])
    # Somebody may have a shot of one number in several folders.
    person, kind = path.parent.name, path.parts[-4]
    shot = f"{kind}/{path.stem}"
    try:
        with np.load(there, allow_pickle=False) as archive:
            times, camera, up = (archive[name].astype(np.float64) for name in ("times", "camera", "up"))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{there}: the truth of {path} cannot be read ({error}); film the shot again") from error
    for track in load_skeletons(path).tracks:
        if assess(track, settings.quality, settings.normalize.max_gap).refusal is not None:
            continue
        parts = steady(track, settings.normalize)
        sequence = canonical_sequence([joints for _, joints in parts], settings.normalize.fps)
        if not len(sequence.windows(frames, frames)):
            continue
        height = float(np.median(track.image[:, _ANKLES, 1].max(axis=1) - track.image[:, _HEAD, 1]))
        pairs = []
        for at, joints in parts:
            known = np.stack([np.interp(at, times, column) for column in camera[:, :14].reshape(len(camera), -1).T], 1)
            true, upward = ray_axes(known.reshape(-1, 14, 3), up)
            pairs.append(Pair(person, shot, settings.normalize.fps, max(height, 20.0), in_statures(joints),
                              in_statures(true), upward))  # fmt: skip
        truth = canonical_sequence([pair.true for pair in pairs], settings.normalize.fps).joints
        named = replace(sequence, identity=person, session=f"{person}/{shot}", truth=truth)
        yield Shown(kind, named, tuple(pairs))
