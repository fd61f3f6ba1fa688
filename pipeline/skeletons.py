"""What was extracted from a clip, and the .npz file it is kept in: landmarks and times, never pictures.

The file is a zip of seven arrays, one row a person and frame, and one JSON text:

    track (N,) int64    times (N,) float64    frames (N,) int64    boxes (N, 4)    image (N, 33, 2)
    world (N, 33, 3)    visibility (N, 33)    float32 all four     meta () text

It may come from anyone, so nothing in it is believed: no pickle, every shape, type and size is checked from the
headers before anything is unpacked, and every number afterwards.
"""

import json
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.documents import check_new
from pipeline.errors import SkeletonFileError
from pipeline.names import reason_of
from pipeline.values import PoseTrack
from smsge.files import whole_file

FORMAT = "reid-skeletons"
VERSION = 1
MAX_ROWS = 4_000_000
"""Person-frames: twelve people for six hours at 15 frames a second. Each takes 0.8 kB: up to 3.3 GB where a file
that may be anybody's is read, and twice that while what was seen in a clip is written."""

MAX_TRACKS = 1_000_000  # each takes another kilobyte
MAX_META = 1 << 20  # characters of JSON

CLOSEST = 1e-5
"""Seconds between two frames, at the least: as far apart as the highest frame rate allowed puts them."""

_PIECE = 1 << 20  # bytes unpacked at a time: unpacked at once, an array would be held twice

_ROWS: dict[str, tuple[str, tuple[int, ...], float]] = {  # name: dtype, shape of a row, greatest magnitude
    "track": ("<i8", (), MAX_TRACKS),
    "times": ("<f8", (), 1e9),
    "frames": ("<i8", (), 1e12),
    "boxes": ("<f4", (4,), 1e6),
    "image": ("<f4", (33, 2), 1e6),
    "world": ("<f4", (33, 3), 1e3),
    "visibility": ("<f4", (33,), 1.001),
}


@dataclass(frozen=True)
class Extraction:
    """Everybody seen in one clip.

    source: what the user gave. content: sha256 of the clip's bytes in hex, empty for a stream: a clip and its skeletons
    are the same clip. frame_size: (width, height) in pixels. fps: mean frames a second. duration: seconds.
    frames: how many there are up to the last that was posed. tracks: ids 1, 2, 3 … in order. warnings: one line each.
    """

    source: str
    content: str
    frame_size: tuple[int, int]
    fps: float
    duration: float
    frames: int
    tracks: tuple[PoseTrack, ...]
    warnings: tuple[str, ...] = ()


def check_out(path: str | Path, overwrite: bool = False) -> Path:
    """`path`, where skeletons may be written to it; to be asked before any long work.

    Raises SkeletonFileError where it exists already (unless `overwrite`), is no .npz, or its folder cannot be written.
    """
    return check_new(path, "a file of skeletons", ".npz", overwrite, SkeletonFileError)


def save_skeletons(path: str | Path, extraction: Extraction, overwrite: bool = False) -> Path:
    """Write `extraction` to `path`, whole or not at all, readable by its owner alone; returns the path.

    Raises SkeletonFileError where the file exists already (unless `overwrite`), cannot be written (see `check_out`) or
    could not be read again.
    """
    path = check_out(path, overwrite)
    tracks = extraction.tracks
    rows = sum(len(track) for track in tracks)
    if rows > MAX_ROWS:
        raise SkeletonFileError(
            f"cannot write {path}: people were seen {rows} times in all, {MAX_ROWS} are the most: extract parts of the"
            " clip, or less of it, with --set video.max_seconds=N or --stride N"
        )
    arrays = {
        name: np.concatenate([getattr(track, name) for track in tracks] or [np.zeros((0, *row))]).astype(
            dtype, copy=False
        )
        for name, (dtype, row, _) in _ROWS.items()
        if name != "track"
    }
    arrays["track"] = np.repeat([track.id for track in tracks], [len(track) for track in tracks]).astype("<i8")
    told = {field.name: getattr(extraction, field.name) for field in fields(extraction) if field.name != "tracks"}
    meta = json.dumps({"format": FORMAT, "version": VERSION, **told})
    try:
        if len(meta) > MAX_META:
            raise ValueError("its description is too long")
        _check_numbers(arrays)
        _extraction(arrays, json.loads(meta))
    except ValueError as error:
        raise SkeletonFileError(
            f"cannot write {path}, which could not be read again ({error}): extract a part of the clip, with --set"
            " video.max_seconds=N"
        ) from error
    arrays["meta"] = np.array(meta)
    try:
        with whole_file(path, mode=0o600) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise SkeletonFileError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    return path


def load_skeletons(path: str | Path) -> Extraction:
    """Read a file made by `save_skeletons`. Raises SkeletonFileError where it is missing, damaged or another thing."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _read_rows(archive)
            meta = _read_meta(archive)
        _check_numbers(arrays)
        return _extraction(arrays, meta)
    except FileNotFoundError as error:
        raise SkeletonFileError(f"{path}: no such file") from error
    except OSError as error:
        raise SkeletonFileError(f"{path} cannot be read: {error.strerror or error}") from error
    # With RuntimeError zipfile answers an encrypted member and an unknown compression, and Python too deep a nesting;
    # NumPy reads a header as it would a program's text.
    except (
        ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError, tokenize.TokenError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise SkeletonFileError(
            f"{path} is not a sound skeletons file ({reason_of(error)}): extract it from the clip again"
        ) from error


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One member, refused by its header where it is not of the agreed type and size."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"'{name}' is packed in an unknown way")
    with archive.open(member) as file:
        # The header of a later version may be gigabytes long.
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"'{name}' is of an unknown version")
        try:
            with warnings.catch_warnings(action="error"):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except (SyntaxError, tokenize.TokenError, Warning) as error:
            raise ValueError(f"'{name}' has no sound header") from error
        if name == "meta":
            if shape != () or dtype.kind != "U" or dtype.itemsize > 4 * MAX_META:
                raise ValueError("'meta' is not a text of fair size")
        else:
            wanted, row, _ = _ROWS[name]
            if dtype != np.dtype(wanted) or len(shape) == 0 or shape[1:] != row or fortran:
                raise ValueError(f"'{name}' is {dtype} {shape}, not {wanted} rows of {row}")
            if not 0 <= shape[0] <= MAX_ROWS:
                raise ValueError(f"'{name}' has {shape[0]} rows, {MAX_ROWS} are the most")
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if member.file_size > size + 4096:  # the header is far smaller
            raise ValueError(f"'{name}' is larger than its header says")
        data = bytearray()
        while piece := file.read(min(_PIECE, size - len(data))):
            data += piece
    if len(data) != size:
        raise ValueError(f"'{name}' is cut off")
    return np.frombuffer(data, dtype).reshape(shape)


def _read_rows(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    known = {f"{name}.npy" for name in (*_ROWS, "meta")}
    names = archive.namelist()
    if set(names) != known or len(names) != len(known):
        raise ValueError("its arrays are not those of extracted skeletons")
    arrays = {name: _read_array(archive, name) for name in _ROWS}
    if len({len(array) for array in arrays.values()}) != 1:
        raise ValueError("its arrays differ in length")
    return arrays


def _read_meta(archive: zipfile.ZipFile) -> dict[str, Any]:
    meta = json.loads(str(_read_array(archive, "meta")))
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError("it holds something else")
    if meta.get("version") != VERSION:
        raise ValueError(f"format version {meta.get('version')}, this program reads {VERSION}")
    return meta


def _check_numbers(arrays: dict[str, np.ndarray]) -> None:
    for name, (_, _, limit) in _ROWS.items():
        array = arrays[name]
        # NaN compares false, so it is refused as well.
        if array.size and not (bool((array <= limit).all()) and bool((array >= -limit).all())):
            raise ValueError(f"'{name}' holds numbers that cannot be")
    if (arrays["visibility"] < 0).any() or (arrays["times"] < 0).any() or (arrays["frames"] < 0).any():
        raise ValueError("negative times, frames or visibility")
    boxes = arrays["boxes"]
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("a box is turned inside out")
    track = arrays["track"]
    steps = np.diff(track)
    if len(track) and (track[0] != 1 or not np.isin(steps, (0, 1)).all()):
        raise ValueError("track numbers are not 1, 2, 3 …")
    within = steps == 0
    if (np.diff(arrays["times"])[within] < CLOSEST).any() or (np.diff(arrays["frames"])[within] <= 0).any():
        raise ValueError("times do not increase")


def _extraction(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Extraction:
    width, height = meta["frame_size"]
    told = Extraction(
        source=meta["source"], content=meta["content"], frame_size=(width, height), fps=meta["fps"],
        duration=meta["duration"], frames=meta["frames"], tracks=(), warnings=tuple(meta["warnings"]),
    )  # fmt: skip
    texts = (told.source, told.content, *told.warnings)
    counts = (width, height, told.frames)
    if not all(isinstance(text, str) for text in texts) or not all(type(count) is int for count in counts):
        raise ValueError("its description has values of the wrong type")
    if not (0 < width <= 1 << 16 and 0 < height <= 1 << 16 and 0 <= told.frames <= 1e12):
        raise ValueError("its picture size or frame count cannot be")
    if not all(type(number) in (int, float) for number in (told.fps, told.duration)):
        raise ValueError("its frame rate or duration is no number")
    if not (0 <= told.fps <= 1e5 and 0 <= told.duration <= 1e9):
        raise ValueError("its frame rate or duration cannot be")
    if told.content and (len(told.content) != 64 or not set(told.content) <= set("0123456789abcdef")):
        raise ValueError("its content is not a sha256")
    edges = np.flatnonzero(np.diff(arrays["track"])) + 1
    parts = {name: np.split(arrays[name], edges) if len(arrays[name]) else [] for name in _ROWS}
    tracks = tuple(
        PoseTrack(
            id=number + 1, frame_size=told.frame_size, source=told.source,
            **{name: parts[name][number] for name in _ROWS if name != "track"},
        )
        for number in range(len(parts["track"]))
    )  # fmt: skip
    return Extraction(**{**vars(told), "tracks": tracks})
