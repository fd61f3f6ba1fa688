"""The one file that speaks to FAISS: inner products of unit vectors, in memory or in a file's cells, on the GPU where
there is one.

Of FAISS's own files none is read or written: reading them trusts whoever wrote them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from pipeline.errors import GalleryError
from pipeline.index_file import IndexFile
from pipeline.owners import Owners

try:
    import faiss as library
except ImportError as error:
    raise GalleryError("searching needs FAISS, which is not installed: run `pip install 'reid[cpu]'`") from error
except (RuntimeError, OSError) as error:  # FAISS for GPUs, where CUDA's libraries are missing
    raise GalleryError(f"FAISS cannot be loaded ({error}): install CUDA's libraries or `reid[cpu]`") from error

faiss: Any = library  # its stubs do not know what its Python layer makes of the C++ classes

MOST_ON_GPU = 2048
"""The most neighbours, and cells, that FAISS's GPU search takes; more are looked for on the CPU."""

FEW = 20
"""Probes from which FAISS multiplies matrices instead of looking one by one."""

ROUNDS = 8
SAMPLE = 48
"""Of k-means: how often it goes round, and the vectors a cell that it looks at."""


class FaissIndex:
    """A `pipeline.ranking.VectorIndex` of (D,) float32 vectors with ids, which must be distinct; exact."""

    exact = True

    def __init__(self, dim: int) -> None:
        self._vectors = faiss.IndexFlatIP(dim)  # FAISS's own index with ids takes longer
        self._ids = np.zeros(0, np.int64)
        self._order: np.ndarray | None = None  # of the ids, found when it is first asked for
        self._on_gpu = _Copy(lambda: self._vectors)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, D) float32 under ids (n,) int64, none of which is in the index."""
        self._vectors.add(np.ascontiguousarray(vectors, np.float32))
        self._ids, self._order = np.concatenate([self._ids, ids]), None
        self._on_gpu.drop()

    def remove(self, ids: np.ndarray) -> None:
        """Remove the vectors with these ids (n,), which are in the index."""
        gone = np.isin(self._ids, ids)
        self._vectors.remove_ids(np.flatnonzero(gone))  # which moves the others up
        self._ids, self._order = self._ids[~gone], None
        self._on_gpu.drop()

    def search(self, probes: np.ndarray, k: int, thorough: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The `k` <= len(self) nearest of each probe (n, D): inner products (n, k), falling, and ids (n, k)."""
        probes = np.ascontiguousarray(probes, np.float32)
        copy = self._on_gpu.get() if k <= MOST_ON_GPU else None
        if copy is not None:
            found = copy.search(probes, k)
        else:
            with _few_threads(len(probes)):
                found = self._vectors.search(probes, k)
        return found[0], self._ids[found[1]]

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """The vectors (n, D) float32 that were added under these ids (n,)."""
        if self._order is None:
            self._order = np.argsort(self._ids)
        places = self._order[np.searchsorted(self._ids, ids, sorter=self._order)]
        return np.asarray(self._vectors.reconstruct_batch(places))


class CellIndex:
    """A `pipeline.ranking.VectorIndex` over a file in cells: each probe looks into those nearest to it.

    Nothing of the file is copied, so it is open at once. What was added since is held in memory, what was removed is
    passed over. exact: where all cells are nearest.
    """

    def __init__(self, file: IndexFile) -> None:
        dim, cells = file.origin.dim, len(file.sizes)
        self.exact = file.probes == cells
        self._file = file
        self._lists = faiss.OnDiskInvertedLists()
        self._lists.nlist, self._lists.code_size = cells, 4 * dim
        # By its descriptor, since another process may have put another file in its place.
        self._lists.filename, self._lists.read_only, self._lists.prefetch_nthread = f"/dev/fd/{file.file}", True, 0
        self._lists.lists.resize(cells)
        sizes = file.sizes.astype(np.uint64)  # with a name, because FAISS gets a bare pointer to it
        self._lists.set_all_lists_sizes(faiss.swig_ptr(sizes))
        self._lists.totsize = len(file) * (4 * dim + 8)
        self._lists.do_mmap()
        self._centres = faiss.IndexFlatIP(dim)
        self._centres.add(np.ascontiguousarray(file.centroids))
        self._cells = faiss.IndexIVFFlat(self._centres, dim, cells, faiss.METRIC_INNER_PRODUCT)
        self._cells.replace_invlists(self._lists, False)
        self._cells.ntotal, self._cells.is_trained, self._cells.nprobe = len(file), True, file.probes
        self._on_gpu = _Copy(self._copied)
        self._kept, self._count = np.ones(len(file), bool), len(file)
        self._selected: Any = None
        self._since = FaissIndex(dim)
        # A single cell is searched as an array: FAISS is a little quicker so.
        self._flat = file.words[: len(file) * dim].reshape(-1, dim) if cells == 1 else None
        order = np.argsort(file.ids)  # places are looked up as people are
        self._place = Owners(file.ids[order], order)
        if file.erased.any():
            self._pass_over(file.erased)

    def __len__(self) -> int:
        return self._count + len(self._since)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, D) float32 under ids (n,) int64, none of which is in the index."""
        self._since.add(ids, vectors)

    def remove(self, ids: np.ndarray) -> None:
        """Remove the vectors with these ids (n,), which are in the index."""
        places, filed = self._places(ids)
        if filed.any():
            gone = np.zeros(len(self._kept), bool)
            gone[places[filed]] = True
            self._pass_over(gone)
        if not filed.all():
            self._since.remove(ids[~filed])

    def search(self, probes: np.ndarray, k: int, thorough: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """About the `k` <= len(self) nearest of each probe (n, D): inner products (n, k), falling, and ids (n, k);
        where fewer were found, -1 for ids that are not there. thorough: look into every cell, which finds all."""
        probes = np.ascontiguousarray(probes, np.float32)
        products, places = self._search(probes, k, thorough)
        ids = np.where(places < 0, -1, self._file.ids[places])
        if not len(self._since):
            return products, ids
        more, others = self._since.search(probes, min(k, len(self._since)))
        products, ids = np.concatenate([products, more], axis=1), np.concatenate([ids, others], axis=1)
        order = np.argsort(-products, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(products, order, axis=1), np.take_along_axis(ids, order, axis=1)

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """The vectors (n, D) float32 with these ids (n,), which are in the index."""
        places, filed = self._places(ids)
        if filed.all():
            return self._file.vectors(places)
        found = np.empty((len(ids), self._file.origin.dim), np.float32)
        found[filed] = self._file.vectors(places[filed])
        found[~filed] = self._since.vectors(ids[~filed])
        return found

    def _search(self, probes: np.ndarray, k: int, thorough: bool) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, with places, and without what was added since."""
        plain = self._selected is None and not (thorough and not self.exact)
        copy = self._on_gpu.get() if plain and max(k, self._file.probes) <= MOST_ON_GPU else None
        if copy is not None:
            found = copy.search(probes, k)
            return found[0], found[1]
        with _few_threads(len(probes)):
            if plain and self._flat is not None:
                found = faiss.knn(probes, self._flat, k, metric=faiss.METRIC_INNER_PRODUCT)
            else:
                given = {} if self._selected is None else {"sel": self._selected}
                cells = len(self._file.sizes) if thorough else self._file.probes
                found = self._cells.search(probes, k, params=faiss.SearchParametersIVF(nprobe=cells, **given))
        return found[0], found[1]

    def _copied(self) -> Any:
        """What a GPU is given to copy."""
        if self._flat is None:
            return self._cells
        flat = faiss.IndexFlatIP(self._flat.shape[1])
        flat.add(self._flat)
        return flat

    def _pass_over(self, gone: np.ndarray) -> None:
        self._kept &= ~gone
        self._count = int(self._kept.sum())
        self._selected = faiss.IDSelectorBitmap(np.packbits(self._kept, bitorder="little"))

    def _places(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (n,) in the file, and (n,) bool which of them are there."""
        places = self._place.of(ids)
        return places, places >= 0


@contextmanager
def _few_threads(probes: int) -> Iterator[None]:
    """Keep FAISS to one thread for a few probes: it shares out probes, so that others would only wait, and hold up
    whoever else uses the processors."""
    before = faiss.omp_get_max_threads()
    if probes < FEW:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class _Copy:
    """A copy on all GPUs of the FAISS index that `made` gives, made once, when it is first asked for."""

    def __init__(self, made: Callable[[], Any]) -> None:
        self._made, self._tried, self._index = made, False, None

    def get(self) -> Any:
        """The copy; None where there is no GPU, or where it does not fit."""
        if not self._tried and faiss.get_num_gpus() > 0:
            # No memory left there, or a driver that does not fit: the CPU answers the same.
            with suppress(RuntimeError):
                self._index = faiss.index_cpu_to_all_gpus(self._made())
        self._tried = True
        return self._index

    def drop(self) -> None:
        """Have it made again, since the index has changed."""
        self._tried, self._index = False, None


def centroids_of(vectors: np.ndarray, cells: int, seed: int, stopped: Callable[[], bool]) -> np.ndarray:
    """(C, D) centroids of `cells` cells of unit vectors (N, D), by spherical k-means, which ends early when stopped."""
    generator = np.random.default_rng(seed)
    sample = vectors[np.sort(generator.choice(len(vectors), min(len(vectors), SAMPLE * cells), replace=False))]
    found = sample[generator.choice(len(sample), cells, replace=False)]
    for _ in range(ROUNDS):
        if stopped():
            break
        means = faiss.Kmeans(vectors.shape[1], cells, niter=1, spherical=True, seed=seed,
                             min_points_per_centroid=1, max_points_per_centroid=len(sample))  # fmt: skip
        means.train(sample, init_centroids=found)
        found = means.centroids
    return np.asarray(found)


def nearest(probes: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    """(n, k) numbers of the vectors (N, D) with the greatest inner products with each probe (n, D), falling; exact."""
    return np.asarray(faiss.knn(probes, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)[1])
