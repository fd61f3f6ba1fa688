"""KGBD: 164 people, mostly five walks each on a half circle, before a Kinect v1 (20 joints, about 30 fps).

Andersson and Araujo, "Person Identification Using Anthropometric and Gait Data from Kinect Sensor", AAAI 2015.
Published as a folder a person, `Person001/1.txt`, of lines `Joint;x;y;z` in metres, a new frame at each `Head`. Also
read: one `.npz` of them, an int16 array (T, 20, 3) a walk in quarter millimetres, key `PPP_W` (person, walk). Terms:
given as is by the repository Vortander/KinectGait; cite the paper.

Axes are the sensor's: x to its left, y up, z away from it; right-handed, so nothing is flipped. The sensor was turned
to follow the person, so the path of the hip centre says nothing about where a person is heading; that left and
right are not mirrored shows in the feet, which point forward (left x up) in every walk.
"""

import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from smsge.canonical import in_form
from smsge.datasets.convert import to_layout
from smsge.errors import DatasetError
from smsge.layouts import CASIA14, KINECT20, LAYOUTS, SkeletonLayout
from smsge.sequence import SkeletonSequence

FPS = 30.0
UNITS_A_METRE = 4000.0
_EXPECTED = "expected folders PersonNNN of M.txt files, or an .npz of KGBD walks"
_FILE_NAMES = {
    "hip centre": "hip-centro",
    "shoulder centre": "shoulder-center",
    **{f"{side} {part}": f"{part}-{side}" for side in ("left", "right")
       for part in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")},
}  # fmt: skip
_JOINTS = {_FILE_NAMES.get(name, name): i for i, name in enumerate(KINECT20.joints)}

Walk = tuple[int, int, NDArray[np.float32]]


def read_kgbd(
    path: str | Path,
    layout: str = "casia14",
    fps: float | None = 15.0,
    people: Collection[int] | None = None,
    form: str = "canonical",
) -> list[SkeletonSequence]:
    """Every walk, sorted by person and walk.

    path: the folder of `PersonNNN` folders, or the .npz. layout: `casia14` (neck from the shoulder centre; spine, hip
    centre, hands and feet left out) or `kinect20`. fps: walks are low-passed for this rate and interpolated to it; None
    leaves them at the sensor's 30. people: only these, by number. form: one of `smsge.config.FORMS`. Identity is
    "001", session "001_1".

    Raises DatasetError if there are no walks, or a file is not in KGBD's form: the message names file and line.
    """
    root = Path(path)
    if layout not in (CASIA14.name, KINECT20.name):
        raise DatasetError(f"KGBD can be had as casia14 or kinect20, not as {layout!r}")
    rate = FPS if fps is None else fps
    if rate <= 0:
        raise DatasetError(f"fps must be above 0, not {fps}")
    if not root.exists():
        raise DatasetError(f"{root}: no such file or folder; {_EXPECTED}")
    walks = _read_folder(root, people) if root.is_dir() else _read_archive(root, people)
    target = LAYOUTS[layout]
    sequences = [_sequence(person, walk, joints, target, rate, form, root) for person, walk, joints in walks]
    if not sequences:
        raise DatasetError(f"{root}: no walks found{' of the people asked for' if people else ''}; {_EXPECTED}")
    return sequences


def resample(joints: NDArray[np.float32], fps_from: float, fps_to: float) -> NDArray[np.float32]:
    """(T, J, 3) at `fps_from` -> (T', J, 3) at `fps_to`, over the same time, linear between frames.

    Going down, a Gaussian of half a new frame takes off what the new rate cannot carry.
    """
    if fps_from == fps_to or len(joints) < 2:
        return joints
    if fps_to < fps_from:
        joints = gaussian_filter1d(joints, sigma=0.5 * fps_from / fps_to, axis=0, mode="nearest")
    at = np.arange(0.0, len(joints) - 1 + 1e-9, fps_from / fps_to)
    low = np.minimum(at.astype(np.int64), len(joints) - 2)
    part = (at - low)[:, None, None]
    return np.asarray(joints[low] * (1 - part) + joints[low + 1] * part, dtype=np.float32)


def _sequence(
    person: int, walk: int, joints: NDArray[np.float32], layout: SkeletonLayout, fps: float, form: str, root: Path
) -> SkeletonSequence:
    walked = resample(to_layout(joints, KINECT20, layout), FPS, fps)
    try:
        formed = in_form(walked, layout, fps, form)
    except ValueError as error:
        raise DatasetError(f"{root}: walk {walk} of person {person:03d} cannot be used: {error}") from error
    return SkeletonSequence(
        formed, layout, fps, identity=f"{person:03d}", session=f"{person:03d}_{walk}", view="kinect"
    )


def _read_archive(path: Path, people: Collection[int] | None) -> Iterator[Walk]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path}: a single array, not an archive; {_EXPECTED}")
            for key in sorted(archive.files):
                match = re.fullmatch(r"(\d+)_(\d+)", key)
                if match is None:
                    raise DatasetError(f"{path}: {key!r} is not a walk; keys must be PERSON_WALK, such as 001_1")
                person, walk = int(match[1]), int(match[2])
                if people is not None and person not in people:
                    continue
                values = archive[key]
                if values.ndim != 3 or values.shape[1:] != (20, 3) or values.dtype != np.int16 or len(values) == 0:
                    raise DatasetError(f"{path}: {key} must be int16 (T, 20, 3), is {values.dtype} {values.shape}")
                yield person, walk, values.astype(np.float32) / np.float32(UNITS_A_METRE)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: not an .npz of plain arrays, or damaged; {_EXPECTED}") from error


def _read_folder(root: Path, people: Collection[int] | None) -> Iterator[Walk]:
    folders = sorted((int(m[1]), p) for p in root.iterdir() if (m := re.fullmatch(r"Person(\d+)", p.name)))
    for person, folder in folders:
        if people is None or person in people:
            for walk, file in sorted((int(p.stem), p) for p in folder.glob("*.txt") if p.stem.isdecimal()):
                yield person, walk, _read_text(file)


def _read_text(path: Path) -> NDArray[np.float32]:
    """One published file -> (T, 20, 3) metres. A last frame that breaks off is an error, like any other gap."""
    frames: list[list[float | None]] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error})") from error
    number = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.strip().split(";")
        index = _JOINTS.get(fields[0].lower())
        if index is None or len(fields) != 4:
            raise DatasetError(f"{path}, line {number}: expected `Joint;x;y;z` of a Kinect v1, found {line[:60]!r}")
        if index == KINECT20.index["head"]:
            _check_whole(frames, path, number)
            frames.append([None] * 60)
        if not frames:
            raise DatasetError(f"{path}, line {number}: a frame must begin with Head, found {fields[0]!r}")
        if frames[-1][3 * index] is not None:
            raise DatasetError(f"{path}, line {number}: {fields[0]} is there twice in one frame")
        try:
            xyz = [float(field) for field in fields[1:]]
        except ValueError:
            xyz = [float("nan")]
        if not np.isfinite(xyz).all():
            raise DatasetError(f"{path}, line {number}: x, y and z must be finite numbers, found {line[:60]!r}")
        frames[-1][3 * index : 3 * index + 3] = xyz
    _check_whole(frames, path, number)
    if not frames:
        raise DatasetError(f"{path}: no frame in it; expected lines `Joint;x;y;z`")
    return np.array(frames, np.float32).reshape(-1, 20, 3)


def _check_whole(frames: list[list[float | None]], path: Path, number: int) -> None:
    if frames and None in frames[-1]:
        missing = KINECT20.joints[frames[-1].index(None) // 3]
        raise DatasetError(f"{path}, line {number}: the frame that ends here lacks the {missing}")
