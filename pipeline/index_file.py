"""The index of a large gallery on disk, beside the gallery: plain numbers, which FAISS searches where they lie.

Vectors are about the gallery's centre and lie in cells, each around its centroid. A file of N of them in C cells:

    for each cell of n vectors: (n, D) float32, then (n,) int64, their places: 0 … N - 1 through all cells
    checks (N,) uint32 of the vectors, 0 where one was erased
    ids (N,) int64 and people (N,) int64 of the templates, sizes (C,) int64, centroids (C, D) and centre (D,) float32
    TAIL bytes of JSON, filled up with blanks: `FORMAT`, the fields of `Origin`, templates, cells, probes, and the
    sha256 of what lies between checks and JSON

All little-endian. The vectors come first because FAISS maps a file from its start. It holds biometric data, so it is
its owner's alone (0600), and a person who is forgotten is overwritten in it. It is never believed: whatever is not
sound is a ValueError, and the index is built anew from the gallery.
"""

import glob
import hashlib
import json
import math
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from smsge.files import whole_file

FORMAT = "reid-index 1"
TAIL = 4096
MOST = 1 << 31
"""More templates, cells or numbers a vector than any file has."""

_MULTIPLIER = 0x9E3779B1


@dataclass(frozen=True)
class Origin:
    """What an index was made from: the encoder, the gallery's revision, and its newest template at that time, by its id
    and a digest (`witness`) that no other template under this id could have."""

    fingerprint: str
    dim: int
    revision: int
    newest: int
    witness: str


@dataclass(frozen=True, eq=False)
class IndexFile:
    """An index that was read: open on the file it was read from, whatever takes its place since.

    words: the file, mapped, as float32. erased (N,) bool: by place. The other arrays are as in the file.
    """

    file: int
    words: np.ndarray
    origin: Origin
    probes: int
    erased: np.ndarray
    ids: np.ndarray
    people: np.ndarray
    sizes: np.ndarray
    centroids: np.ndarray
    centre: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self, places: np.ndarray) -> np.ndarray:
        """The vectors with these places (n,): (n, D) float32."""
        return np.asarray(self._runs[_offsets(self.sizes, self.origin.dim, places)])

    @cached_property
    def _runs(self) -> np.ndarray:
        """A view of every D words of the file that follow each other."""
        return sliding_window_view(self.words, self.origin.dim)

    def close(self) -> None:
        """Close the file; what is mapped stays."""
        os.close(self.file)


def index_path(gallery: Path) -> Path:
    """Where the index of a gallery lies."""
    real = gallery.resolve()
    return real.with_name(f"{real.name}-index")


def unfinished(path: Path) -> list[Path]:
    """What processes are writing in place of the index at `path`, or were when they were killed."""
    return list(path.parent.glob(f".{glob.escape(path.name)}.*.part"))


@contextmanager
def written(path: Path, origin: Origin, probes: int, vectors: np.ndarray, ids: np.ndarray, people: np.ndarray,
            cell: np.ndarray, centroids: np.ndarray, centre: np.ndarray
            ) -> Iterator[Callable[[np.ndarray], None]]:  # fmt: skip
    """Write an index; it takes the place of the one at `path` when the block ends well.

    vectors (N, D), ids, people, cell (N,): one for each template, in any order. Within the block, what is given can
    erase templates (n,), by number, from what was written. Raises OSError.
    """
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell, minlength=len(centroids)).astype("<i8")
    with whole_file(path, mode=0o600) as file:
        checks = np.empty(len(order), "<u4")
        start = 0
        for size in sizes.tolist():
            part = np.ascontiguousarray(vectors[order[start : start + size]], "<f4")
            checks[start : start + size] = _checks(part)
            file.write(part.tobytes())
            file.write(np.arange(start, start + size, dtype="<i8").tobytes())
            start += size
        file.write(checks.tobytes())
        arrays = [ids[order].astype("<i8"), people[order].astype("<i8"), sizes,
                  centroids.astype("<f4"), centre.astype("<f4")]  # fmt: skip
        digest = hashlib.sha256()
        for array in arrays:
            file.write(array.tobytes())
            digest.update(array.tobytes())
        told = {"format": FORMAT, **asdict(origin), "templates": len(order), "cells": len(sizes), "probes": probes,
                "sha256": digest.hexdigest()}  # fmt: skip
        file.write(json.dumps(told).encode().ljust(TAIL))
        file.flush()
        os.fsync(file.fileno())

        def erase(templates: np.ndarray) -> None:
            _overwrite(file.fileno(), sizes, origin.dim, np.flatnonzero(np.isin(order, templates)))

        yield erase


def read_index(path: Path) -> IndexFile:
    """Read an index and check all of it. Raises OSError, and ValueError where it is not sound."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe in its place must not hold us
    try:
        return _read(file)
    except BaseException:
        os.close(file)
        raise


def erase(path: Path, index: IndexFile, places: np.ndarray) -> None:
    """Overwrite the vectors with these places (n,) in the file at `path`, from which `index` is. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        if not os.path.samestat(os.fstat(file), os.fstat(index.file)):
            raise FileNotFoundError(f"{path} was replaced")
        _overwrite(file, index.sizes, index.origin.dim, places)
        os.fsync(file)
    finally:
        os.close(file)


def _read(file: int) -> IndexFile:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size < TAIL:
        raise ValueError("not a file of an index")
    content = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    origin, probes, templates, cells, sha256 = _told(content[-TAIL:])
    dim = origin.dim
    body = found.st_size - TAIL
    start = templates * (4 * dim + 8 + 4)
    if body != start + 16 * templates + cells * (8 + 4 * dim) + 4 * dim:
        raise ValueError("not as long as it says")
    if hashlib.sha256(memoryview(content)[start:body]).hexdigest() != sha256:
        raise ValueError("not as it was written")

    def take(kind: str, *shape: int) -> np.ndarray:
        nonlocal start
        array = np.frombuffer(content, kind, math.prod(shape), start).reshape(shape)
        start += array.nbytes
        return array

    ids, people, sizes = take("<i8", templates), take("<i8", templates), take("<i8", cells)
    centroids, centre = take("<f4", cells, dim), take("<f4", dim)
    if (sizes < 0).any() or (sizes > templates).any() or sizes.sum() != templates or not 0 < probes <= cells:
        raise ValueError("its cells do not hold its templates")
    if (np.diff(np.sort(ids)) <= 0).any() or not (np.isfinite(centroids).all() and np.isfinite(centre).all()):
        raise ValueError("its ids or centroids cannot be")
    checks = np.frombuffer(content, "<u4", templates, templates * (4 * dim + 8))
    words = np.frombuffer(content, "<f4", found.st_size // 4)
    _check_cells(words, checks, sizes, dim)
    return IndexFile(file, words, origin, probes, checks == 0, ids, people, sizes, centroids, centre)


def _told(tail: bytes) -> tuple[Origin, int, int, int, str]:
    """Origin, probes, templates, cells and the sha256. Raises ValueError."""
    try:
        told = json.loads(tail)
        origin = Origin(*(told[name] for name in Origin.__dataclass_fields__))
        counts = origin.dim, told["templates"], told["cells"], told["probes"]
        if told["format"] != FORMAT:
            raise ValueError("another format")
        numbers = (*counts, origin.revision, origin.newest)
        if any(type(number) is not int for number in numbers) or not all(0 < number < MOST for number in counts):
            raise ValueError("its counts cannot be")
        return origin, told["probes"], told["templates"], told["cells"], str(told["sha256"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("its description cannot be read") from error


def _check_cells(words: np.ndarray, checks: np.ndarray, sizes: np.ndarray, dim: int) -> None:
    """Raises ValueError unless every vector has its check, and every cell its places."""
    start = word = 0
    for size in sizes.tolist():
        vectors = words[word : word + size * dim].reshape(size, dim)
        word += size * dim
        places = words[word : word + 2 * size].view("<u4").reshape(size, 2)
        word += 2 * size
        found, told = _checks(vectors), checks[start : start + size]
        whole = np.where(told == 0, ~vectors.any(axis=1) if (told == 0).any() else False, found == told)
        if not whole.all() or (places[:, 0] != np.arange(start, start + size)).any() or places[:, 1].any():
            raise ValueError("a vector is damaged")
        start += size


def _checks(vectors: np.ndarray) -> np.ndarray:
    """(n, D) float32 -> (n,) uint32, never 0: a polynomial of the words, in which no single word can change unseen."""
    powers = np.cumprod(np.full(vectors.shape[1], _MULTIPLIER, np.uint32), dtype=np.uint32)
    sums = np.einsum("nd,d->n", np.ascontiguousarray(vectors).view(np.uint32), powers)
    return np.asarray(np.maximum(sums, 1), np.uint32)


def _offsets(sizes: np.ndarray, dim: int, places: np.ndarray) -> np.ndarray:
    ends = np.cumsum(sizes)
    before = (ends - sizes)[np.searchsorted(ends, places, side="right")]
    return np.asarray(before * (dim + 2) + (places - before) * dim)


def _overwrite(file: int, sizes: np.ndarray, dim: int, places: np.ndarray) -> None:
    checks = int(sizes.sum()) * (4 * dim + 8)
    for place, offset in zip(places.tolist(), _offsets(sizes, dim, places).tolist(), strict=True):
        os.pwrite(file, bytes(4 * dim), 4 * offset)
        os.pwrite(file, bytes(4), checks + 4 * place)
