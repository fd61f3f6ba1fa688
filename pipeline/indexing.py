"""Builds the index of a large gallery: centre, cells, and how many cells a search must look into.

In cells (an inverted file, Jegou et al., "Product quantization for nearest neighbor search", PAMI 2011, without the
quantization) and not in a graph (HNSW), which takes several times as long to build (`benchmarks/index.py --graph`) and
cannot lie in a file of plain numbers that is searched where it lies and in which a person can be overwritten.
"""

import hashlib
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from pipeline.database import Database
from pipeline.embeddings import all_embeddings
from pipeline.errors import GalleryError
from pipeline.index_file import IndexFile, Origin, erase, index_path, read_index, unfinished, written
from pipeline.keeping import encoder_of
from pipeline.owners import Owners
from pipeline.values import Progress, silent
from smsge.centring import centre_of, centred

EXACT = 100_000
"""Templates up to which a search looks at all of them: that takes under ten milliseconds a probe."""

RECALL = 0.99
"""Share of the ten nearest templates that a search should find: how many cells it looks into is chosen for this."""

NEAREST = 10
ASKED = 500
BLOCK = 1 << 15


def origin_of(database: Database, newest: int) -> Origin | None:
    """What an index must have been made from, if `newest` was the newest template then; None where that is gone.

    Within a snapshot.
    """
    encoder, revision = encoder_of(database)
    sql = (
        "SELECT embedding, templates.added, track, starts, content FROM templates JOIN clips ON clips.id = clip"
        " WHERE templates.id = ?"
    )
    for embedding, *row in database.rows(sql, (newest,)):
        # When it was added is part of it: a gallery brought back from a copy never repeats that.
        witness = hashlib.sha256(embedding + repr(row).encode()).hexdigest()
        return Origin(encoder.fingerprint, encoder.dim, revision, newest, witness)
    return None


def current_index(database: Database) -> IndexFile | None:
    """The index beside the gallery, sound and of this gallery; None where there is none, as beside an encrypted one, of
    which nothing lies about in the clear. Within a snapshot."""
    if database.key is not None:
        return None
    try:
        file = read_index(index_path(database.path))
    except (OSError, ValueError):
        return None
    if file.origin != origin_of(database, file.origin.newest):
        file.close()
        return None
    return file


def build_index(path: Path, progress: Progress = silent, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Build the index of the gallery at `path` anew, beside it; whether it is there now.

    It is not where it may not be written, where the gallery is empty, or when `stopped` says so half way.
    Raises GalleryError where the gallery is damaged or FAISS is missing.
    """
    from pipeline.index import centroids_of

    with closing(Database.open(path, None)) as database:
        with database.snapshot():
            owners = Owners.read(database)
            origin = origin_of(database, owners.newest)
            if origin is None or not database.writable or stopped():
                return False
            vectors = all_embeddings(database, len(owners), origin.dim, progress)
        centre = centre_of(vectors, owners.people)
        for start in range(0, len(vectors), BLOCK):
            vectors[start : start + BLOCK] = centred(vectors[start : start + BLOCK], centre)
        progress("indexing", 0, None)
        centroids = centroids_of(vectors, cells_for(len(vectors)), 0, stopped)
        cell = _cells(vectors, centroids, progress, stopped)
        if stopped():
            return False
        probes = _probes(vectors, centroids, cell)
        try:
            with ExitStack() as locked, written(index_path(path), origin, probes, vectors, owners.ids, owners.people,
                                                cell, centroids, centre) as overwrite:  # fmt: skip
                # Until it is in place nobody else can delete anybody; who was deleted meanwhile is not in it.
                locked.enter_context(database.transaction())
                overwrite(np.flatnonzero(Owners.read(database).lacks(owners.ids)))
        except OSError:
            return False
    return True


def cells_for(count: int) -> int:
    """How many cells `count` templates lie in; one is searched exactly."""
    return 1 if count <= EXACT else round(4 * count**0.5)


def _cells(vectors: np.ndarray, centroids: np.ndarray, progress: Progress, stopped: Callable[[], bool]) -> np.ndarray:
    """(N,) the cell of each vector: that of the nearest centroid."""
    from pipeline.index import nearest

    cell = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), BLOCK):
        if stopped():
            break
        cell[start : start + BLOCK] = nearest(vectors[start : start + BLOCK], centroids, 1)[:, 0]
        progress("indexing", min(start + BLOCK, len(vectors)), len(vectors))
    return cell


def _probes(vectors: np.ndarray, centroids: np.ndarray, cell: np.ndarray) -> int:
    """How many cells to look into, for `RECALL`: templates are searched for among the others."""
    from pipeline.index import nearest

    asked = np.random.default_rng(0).choice(len(vectors), min(len(vectors), ASKED), replace=False)
    found = nearest(vectors[asked], vectors, min(NEAREST + 1, len(vectors)))[:, 1:]
    order = np.argsort(-(vectors[asked] @ centroids.T), axis=1)
    ranks = np.argsort(order, axis=1)
    looked = np.take_along_axis(ranks, cell[found], axis=1)
    return 1 + int(np.quantile(looked, RECALL, method="higher")) if looked.size else 1


def purge_index(database: Database) -> None:
    """Overwrite in the index beside the gallery whoever is no longer in the gallery; remove one that is not its own.

    Raises GalleryError where neither can be done.
    """
    path = index_path(database.path)
    parts = unfinished(path)
    if not parts and not path.is_symlink() and not path.exists():
        return
    try:
        for part in parts:
            part.unlink(missing_ok=True)
        file = current_index(database)
        if file is None:
            path.unlink(missing_ok=True)
            return
        with closing(file):
            try:
                erase(path, file, np.flatnonzero(Owners.read(database).lacks(file.ids) & ~file.erased))
            except OSError:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise GalleryError(f"deleted people are still in {path}, which cannot be written: remove that file") from error


class Builder(threading.Thread):
    """Builds an index while searches go on; `fault` is what stopped it, if anything did."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="reid-index", daemon=True)
        self._path = path
        self._halt = threading.Event()
        self.fault: GalleryError | None = None
        self.start()

    def run(self) -> None:
        """Build."""
        try:
            build_index(self._path, stopped=self._halt.is_set)
        except GalleryError as error:
            self.fault = error
        except (
            MemoryError,
            RuntimeError,
        ):  # of NumPy, of FAISS: no room here for another; the old one goes on answering
            return

    def stop(self) -> None:
        """End it, finished or not; takes as long as a step of it."""
        self._halt.set()
        self.join()
