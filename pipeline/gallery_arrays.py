"""A gallery as arrays for other programs: one .npz, which `numpy.load(file, allow_pickle=False)` reads.

`people` (P,) are names; `clip_content`, `clip_file` and `clip_added` (C,) the clips; and for each of N templates:

    person, clip (N,) int64, numbers in the arrays before; track (N,) int64; starts, ends, quality, fps (N,) float64
    added, layout (N,) text; embedding (N, D) float32; frames (N,) int64
    joints (sum of frames x J x 3,) float16, segments (sum of frames,) int32: template after template
    meta () text: JSON with format, version, of the encoder fingerprint, name and dim, and how skeletons were made

It is written and read a few templates at a time, so that a gallery larger than memory goes through. Reading believes
nothing: no pickle; types, shapes and sizes are checked before anything is unpacked, and every row by who asks for it.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from pipeline.database import Database, Row
from pipeline.keeping import encoder_of
from pipeline.records import EncoderId
from pipeline.rows import MOST_FRAMES
from pipeline.schema import UNTOLD
from pipeline.values import Progress
from smsge.layouts import LAYOUTS

FORMAT = "reid-gallery"
VERSION = 1
MOST = 100_000_000
"""More templates than any gallery has."""

MOST_META = 1 << 16
"""Characters of JSON."""

LAST_CHARACTER = 0x10FFFF

BATCH = 1024

_TEXTS = {"people": 200, "clip_content": 64, "clip_file": 400, "clip_added": 40, "added": 40, "layout": 40}
"""Text arrays, and the most characters of a value."""

_NUMBERS = {
    "person": "<i8", "clip": "<i8", "track": "<i8", "starts": "<f8", "ends": "<f8", "quality": "<f8", "fps": "<f8",
    "frames": "<i8", "embedding": "<f4", "joints": "<f2", "segments": "<i4",
}  # fmt: skip


def write_arrays(database: Database, path: Path, progress: Progress) -> None:
    """Write the gallery into an empty file. Raises OSError."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive, database.snapshot():
        encoder, _ = encoder_of(database)
        told = {"format": FORMAT, "version": VERSION, "fingerprint": encoder.fingerprint, "name": encoder.name,
                "dim": encoder.dim, "skeletons": encoder.skeletons}  # fmt: skip
        _write(archive, "meta", np.array(json.dumps(told)))
        people = list(database.rows("SELECT id, name FROM people ORDER BY id"))
        clips = list(database.rows("SELECT id, content, file, added FROM clips ORDER BY id"))
        _write(archive, "people", _texts([row[1] for row in people]))
        for number, name in enumerate(("clip_content", "clip_file", "clip_added"), start=1):
            _write(archive, name, _texts([row[number] for row in clips]))
        order = "FROM templates ORDER BY id"
        for name, held in (("person", people), ("clip", clips)):
            numbers = {row[0]: number for number, row in enumerate(held)}
            _write(archive, name, np.array([numbers[key] for (key,) in database.rows(f"SELECT {name} {order}")], "<i8"))
        for name in ("track", "starts", "ends", "quality", "fps", "frames"):
            _write(
                archive, name, np.array([value for (value,) in database.rows(f"SELECT {name} {order}")], _NUMBERS[name])
            )
        for name in ("added", "layout"):
            _write(archive, name, _texts([value for (value,) in database.rows(f"SELECT {name} {order}")]))
        ((count,),) = database.rows("SELECT count(*) FROM templates")
        for name in ("embedding", "joints", "segments"):
            ((size,),) = database.rows(f"SELECT coalesce(sum(length({name})), 0) FROM templates")
            kind = np.dtype(_NUMBERS[name])
            shape = (count, encoder.dim) if name == "embedding" else (size // kind.itemsize,)
            with _member(archive, name, kind, shape) as file:
                for done, (blob,) in enumerate(database.rows(f"SELECT {name} {order}"), start=1):
                    file.write(blob)
                    progress(f"exporting {name}", done, count)


def _texts(values: list[str]) -> np.ndarray:
    return np.array(values, np.str_) if values else np.zeros(0, "<U1")


def _write(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with _member(archive, name, array.dtype, array.shape) as file:
        file.write(array.tobytes())


def _member(archive: zipfile.ZipFile, name: str, kind: np.dtype, shape: tuple[int, ...]) -> IO[bytes]:
    file = archive.open(f"{name}.npy", "w", force_zip64=True)
    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape})
    return file


class ArrayExport:
    """A file that `write_arrays` made, or somebody else as it would; see `pipeline.exchange.Export`.

    Raises ValueError, also while it is read, where it is not sound.
    """

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        try:
            self.encoder = self._encoder()
            self.count = self._column("person").length
        except BaseException:
            self._archive.close()
            raise

    def clips(self) -> Iterator[Row]:
        """(number, content, file, added) of each clip."""
        columns = [self._column(name) for name in ("clip_content", "clip_file", "clip_added")]
        for number, row in enumerate(_together(columns)):
            yield number, *row

    def templates(self) -> Iterator[Row]:
        """(name, number of the clip, track, starts, ends, added, then the values of `VECTORS`) of each template."""
        names = [name for (name,) in _together([self._column("people")])]
        clips = self._column("clip_content").length
        columns = [self._column(name) for name in ("person", "clip", "track", "starts", "ends", "added", "quality",
                                                   "layout", "fps", "frames")]  # fmt: skip
        embedding, joints, segments = (self._column(name) for name in ("embedding", "joints", "segments"))
        if embedding.length != self.count:
            raise ValueError("its arrays are not of one length")
        for person, clip, track, starts, ends, added, quality, layout, fps, frames in _together(columns):
            if not 0 <= person < len(names) or not 0 <= clip < clips:
                raise ValueError("a template is of no person or no clip")
            if layout not in LAYOUTS or not 0 < frames <= MOST_FRAMES:
                raise ValueError("a skeleton has no known layout, or too many frames")
            numbers = frames * LAYOUTS[layout].n_joints * 3
            yield (
                names[person], clip, track, starts, ends, added,
                quality, embedding.take(1), layout, fps, frames, joints.take(numbers), segments.take(frames),
            )  # fmt: skip
        for column in (joints, segments):
            if column.left:
                raise ValueError("it has joints of no template")

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _encoder(self) -> EncoderId:
        with self._member("meta") as file:
            kind, shape = _header(file)
            if kind.kind != "U" or shape != () or kind.itemsize > 4 * MOST_META:
                raise ValueError("its description is not a text")
            told = json.loads(str(np.frombuffer(file.read(kind.itemsize), kind)[0]))
        if told["format"] != FORMAT or told["version"] != VERSION:
            raise ValueError("it is of another format, or of a version that this reid does not read")
        fingerprint, name, dim = told["fingerprint"], told["name"], told["dim"]
        skeletons = told.get("skeletons", UNTOLD)
        if (
            not isinstance(fingerprint, str)
            or not isinstance(name, str)
            or not isinstance(skeletons, str)
            or type(dim) is not int
            or not 0 < dim < 1 << 20
        ):
            raise ValueError("its encoder cannot be")
        return EncoderId(fingerprint, name, dim, skeletons)

    def _member(self, name: str) -> IO[bytes]:
        member = self._archive.getinfo(f"{name}.npy")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"its array {name} is packed in an unknown way")
        return self._archive.open(member)

    def _column(self, name: str) -> "_Column":
        file = self._member(name)
        kind, shape = _header(file)
        row = (self.encoder.dim,) if name == "embedding" else ()
        fits = kind.kind == "U" and kind.itemsize <= 4 * _TEXTS[name] if name in _TEXTS else kind == _NUMBERS[name]
        if not fits or shape[1:] != row or len(shape) != 1 + len(row) or not 0 <= shape[0] < MOST * MOST_FRAMES:
            raise ValueError(f"its array {name} is of another type or shape")
        return _Column(file, kind, shape[0], int(np.prod(row, dtype=np.int64)))


class _Column:
    """An array that is read from its first row to its last."""

    def __init__(self, file: IO[bytes], kind: np.dtype, length: int, width: int) -> None:
        self._file, self._kind, self._width = file, kind, width
        self.length = self.left = length

    def take(self, rows: int) -> bytes:
        """The bytes of the next rows. Raises ValueError where there are not so many."""
        size = rows * self._width * self._kind.itemsize
        content = self._file.read(size) if rows <= self.left else b""
        if len(content) != size:
            raise ValueError("an array ends too early")
        self.left -= rows
        return content

    def values(self, rows: int) -> list[Any]:
        """The next rows, as plain values."""
        content = self.take(rows)
        if self._kind.kind == "U" and (np.frombuffer(content, self._kind.byteorder + "u4") > LAST_CHARACTER).any():
            raise ValueError("a text of no characters")
        return list(np.frombuffer(content, self._kind).tolist())


def _together(columns: list[_Column]) -> Iterator[Row]:
    """Row after row of columns, which must be of one length."""
    length = columns[0].length
    if any(column.length != length for column in columns):
        raise ValueError("its arrays are not of one length")
    for start in range(0, length, BATCH):
        yield from zip(*(column.values(min(BATCH, length - start)) for column in columns), strict=True)


def _header(file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of an array, of which the content follows. Raises ValueError."""
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("an array of an unknown version")
    try:
        shape, fortran, kind = read(file)
    except (SyntaxError, TokenError) as error:  # NumPy reads a header as it would a program's text
        raise ValueError("an array's header cannot be read") from error
    if fortran and len(shape) > 1:
        raise ValueError("an array in Fortran's order")
    return kind, shape
