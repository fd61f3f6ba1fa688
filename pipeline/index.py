"""The one file that speaks to FAISS: inner products of unit vectors, exact, on the GPU where there is one."""

from typing import Any

import numpy as np

from pipeline.errors import GalleryError

try:
    import faiss
except ImportError as error:
    raise GalleryError("searching needs FAISS, which is not installed: run `pip install 'reid[cpu]'`") from error

MOST_ON_GPU = 2048
"""The most neighbours FAISS's GPU search gives; more are looked for on the CPU."""


class FaissIndex:
    """A `pipeline.ranking.VectorIndex` of (D,) float32 vectors with ids, which must be distinct."""

    def __init__(self, dim: int) -> None:
        self._vectors = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._on_gpu: object | None = None

    def __len__(self) -> int:
        return int(self._vectors.ntotal)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors (n, D) float32 under ids (n,) int64, none of which is in the index."""
        self._vectors.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))
        self._on_gpu = None

    def search(self, probes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` <= len(self) nearest of each probe (n, D): inner products (n, k), falling, and ids (n, k)."""
        index: Any = self._vectors
        if k <= MOST_ON_GPU and faiss.get_num_gpus() > 0:
            if self._on_gpu is None:
                self._on_gpu = faiss.index_cpu_to_all_gpus(self._vectors)
            index = self._on_gpu
        products, ids = index.search(np.ascontiguousarray(probes, np.float32), k)
        return products, ids

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """The vectors (n, D) float32 that were added under these ids (n,)."""
        return np.stack([self._vectors.reconstruct(int(number)) for number in ids])
