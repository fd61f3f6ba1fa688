"""The pre-processed arrays that skeleton re-identification exchanges: clips of f frames, a file an axis.

Made for the methods of Rao et al. (SGELA, MG-SCR, SM-SGE, SimMC, SPC-MGR, TranSG, 2020 to 2023) from KS20, IAS-Lab,
BIWI, KGBD and CASIA-B. Two spellings are in use and both are read; D is the dataset, F a clip's frames, P a test part:

    older   D/F/D_train_npy_data/source_{x,y,z}_D_F.npy     frame_id_D_F.npy
            D/F/D_test_npy_data/t_source_{x,y,z}_D_F.npy    frame_id_D_F.npy    `D-P` for D where there are several
    later   D/F/train_npy_data/source_{x,y,z}_D_F.npy       frame_id_D_F.npy
            D/F/test_npy_data/P/t_source_{x,y,z}_D_F.npy    frame_id_D_F.npy    P: probe, gallery, A, B, Still, …

Folders `view_V/` may stand between F and the rest, and either D or the folder that holds it may be given. In test parts
`t_frame_id_…` is read as well. An axis holds N * F * J numbers, for N clips of F frames of J joints; frame_id holds N
whole numbers or texts, the identity of each clip. The `ids_*.npy` beside them are pickled and are never opened: they
say what frame_id says.

Numbers are the sensor's: the published loaders swap no axis, and subtract joint 0 after reading, as our encoder does.

The arrays do not say which walk a clip was cut from. Clips that share frames betray it (`smsge.datasets.recordings`):
most training parts overlap, test parts do not. A session is `PART/IDENTITY/NUMBER`, so those of two parts always
differ, but clips of one walk that do not overlap look like several sessions.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smsge.canonical import in_form
from smsge.datasets.convert import to_layout
from smsge.datasets.npy import read_clips, read_identities
from smsge.datasets.recordings import recordings
from smsge.errors import DatasetError
from smsge.layouts import SkeletonLayout
from smsge.sequence import SkeletonSequence

TRAIN, TEST, GALLERY = "train", "test", "gallery"
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class ArraySet:
    """What all arrays of a dataset have in common.

    name: in the names of its files. layout, fps: of its recordings. folders: what its own folder may be called.
    measured: whether the unit is the metre, as of a depth sensor.
    """

    name: str
    layout: SkeletonLayout
    fps: float
    folders: tuple[str, ...]
    measured: bool = True


@dataclass(frozen=True)
class ArrayFolder:
    """A dataset's clips of `frames` frames below `path`, which are in parts. view: what the test part shows."""

    dataset: ArraySet
    path: Path
    frames: int
    view: str = ""

    def has(self, part: str) -> bool:
        """Whether any file of `part` is there."""
        return any(place.exists for place in self._places(part))

    def read(self, part: str, layout: SkeletonLayout, form: str) -> list[SkeletonSequence]:
        """The N clips of a part, each a sequence of `frames` frames, in the order of the files.

        part: `train`; `test`, the only test part or the one called `probe`; `gallery`; or a test part by its name,
        which is then its clips' view. layout: the dataset's own or one of joints that it has. form: one of
        `smsge.config.FORMS`; other than `recorded` takes about a millisecond a clip.

        Raises DatasetError, naming the file, where one is missing, is no array of numbers, holds NaN or infinity, or
        where the files do not fit each other.
        """
        if form == "metric" and not self.dataset.measured:
            raise DatasetError(f"{self.dataset.name} was not measured in metres: take the form recorded or canonical")
        place = next((place for place in self._places(part) if place.exists), None)
        if place is None:
            looked = ", ".join(str(place.axis("x").relative_to(self.path)) for place in self._places(part))
            raise DatasetError(f"{self.path}: no {part} part of {self.dataset.name}; looked for {looked}")
        joints = self._joints(place)
        identities = read_identities(place.identities, len(joints))
        numbers = recordings(joints, identities)
        view = {TRAIN: "", TEST: self.view, GALLERY: ""}.get(part, part)
        sequences = []
        for clip, skeletons in enumerate(to_layout(joints, self.dataset.layout, layout)):
            try:
                formed = in_form(skeletons, layout, self.dataset.fps, form)
            except ValueError as error:
                raise DatasetError(f"{place.axis('x').parent}: clip {clip} cannot be used: {error}") from error
            who = identities[clip]
            sequences.append(
                SkeletonSequence(
                    formed, layout, self.dataset.fps,
                    identity=who, session=f"{part}/{who}/{numbers[clip]}", view=view,
                )
            )  # fmt: skip
        return sequences

    def _joints(self, place: "_Place") -> NDArray[np.float32]:
        """(N, F, J, 3)"""
        axes = [read_clips(place.axis(axis), self.frames, self.dataset.layout.n_joints) for axis in _AXES]
        if len({len(axis) for axis in axes}) != 1:
            counts = ", ".join(f"{axis} {len(values)}" for axis, values in zip(_AXES, axes, strict=True))
            raise DatasetError(f"{place.axis('x').parent}: the axes differ in their number of clips ({counts})")
        return np.stack(axes, axis=-1)

    def _places(self, part: str) -> list["_Place"]:
        """Where the part may lie, in every spelling."""
        name = self.dataset.name
        side = TRAIN if part == TRAIN else TEST
        unnamed = {TRAIN: [("", name)], TEST: [("", name), ("probe", name)]}
        inside = unnamed.get(part, [(part, name), (part, f"{name}-{part}"), ("", f"{name}-{part}")])
        return [
            _Place(self.path / base / folder, "" if side == TRAIN else "t_", f"{inner}_{self.frames}.npy")
            for base in (f"{name}_{side}_npy_data", f"{side}_npy_data")
            for folder, inner in inside
        ]


@dataclass(frozen=True)
class _Place:
    """Where a part may lie: files in `folder` that begin with `prefix` and end with `ending`."""

    folder: Path
    prefix: str
    ending: str

    def axis(self, axis: str) -> Path:
        return self.folder / f"{self.prefix}source_{axis}_{self.ending}"

    @property
    def identities(self) -> Path:
        prefixed = self.folder / f"{self.prefix}frame_id_{self.ending}"
        return prefixed if prefixed.exists() else self.folder / f"frame_id_{self.ending}"

    @property
    def exists(self) -> bool:
        return any(path.exists() for path in (*map(self.axis, _AXES), self.identities))


def open_arrays(dataset: ArraySet, data: str | Path, frames: int, within: str = "", view: str = "") -> ArrayFolder:
    """The clips of `frames` frames below `data`, the dataset's folder or the one that holds it.

    within: a folder below that, such as `view_3`; view: what its test part shows.
    Raises DatasetError where there are none: the message says which lengths there are.
    """
    root = Path(data)
    train = f"{dataset.name}_train_npy_data"
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected {dataset.folders[0]}/{frames}/{train} in it")
    homes = [home for home in (root, *(root / name for name in dataset.folders)) if home.is_dir()]
    home = next((home for home in homes if (home / str(frames)).is_dir()), None)
    if home is None:
        lengths = sorted({int(p.name) for home in homes for p in home.iterdir() if p.name.isdecimal() and p.is_dir()})
        if not lengths:
            raise DatasetError(f"{root}: not a folder of {dataset.name} arrays; expected {frames}/{train} in it")
        raise DatasetError(
            f"{root}: no clips of {frames} frames, only of {', '.join(map(str, lengths))}: take one of these lengths"
        )
    path = home / str(frames) / within
    if not path.is_dir():
        raise DatasetError(f"{home / str(frames)}: no folder {within} in it; expected {within}/{train}")
    return ArrayFolder(dataset, path, frames, view)
