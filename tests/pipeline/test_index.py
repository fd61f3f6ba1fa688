"""The FAISS indices against naive searches; and where there is a GPU, or no FAISS."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import GalleryError
from pipeline.index_file import IndexFile, Origin, read_index, written
from smsge.errors import ConfigError
from smsge.reciprocal import nearest


def test_finds_what_a_naive_search_finds() -> None:
    index_module = pytest.importorskip("pipeline.index", exc_type=GalleryError)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = rng.permutation(10_000)[:300]
    index = index_module.FaissIndex(24)
    index.add(ids[:100], vectors[:100])
    index.add(ids[100:], vectors[100:])
    assert len(index) == 300
    probes = rng.normal(size=(7, 24)).astype(np.float32)
    products, found = index.search(probes, 12)
    naive = probes @ vectors.T
    order = np.argsort(-naive, axis=1)[:, :12]
    assert np.array_equal(found, ids[order])
    assert np.allclose(products, np.take_along_axis(naive, order, axis=1), atol=1e-5)
    assert np.array_equal(index.vectors(ids[[7, 290]]), vectors[[7, 290]])
    index.remove(found[:, 0])
    assert len(index) == 300 - len(set(found[:, 0].tolist()))
    assert not np.isin(index.search(probes, 12)[1], found[:, 0]).any()


def test_missing_faiss_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.delitem(sys.modules, "pipeline.index", raising=False)
    with pytest.raises(GalleryError, match=r"pip install 'reid\[cpu\]'"):
        __import__("pipeline.index")


def test_faiss_without_its_libraries_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text("raise RuntimeError('libcublas.so.12: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("faiss", "pipeline.index"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(GalleryError, match=r"libcublas\.so\.12.*install CUDA's libraries"):
        __import__("pipeline.index")
    with pytest.raises(ConfigError, match=r"libcublas\.so\.12.*install CUDA's libraries"):
        nearest(np.eye(3, dtype=np.float32), 2)


@pytest.fixture
def filed(tmp_path: Path) -> tuple[IndexFile, np.ndarray, np.ndarray]:
    """An index file in 12 cells, with its ids (N,) and vectors (N, 24) as they were given."""
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(400, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = 1 + generator.permutation(5000)[:400]
    centroids = vectors[:12]
    cell = np.argmax(vectors @ centroids.T, axis=1)
    with written(tmp_path / "index", Origin("f", 24, 0, 5000, "w"), 4, vectors, ids, ids // 4, cell, centroids,
                 np.zeros(24, np.float32)):  # fmt: skip
        pass
    return read_index(tmp_path / "index"), ids, vectors


def test_cells_find_what_a_naive_search_of_them_finds(filed: tuple[IndexFile, np.ndarray, np.ndarray]) -> None:
    index_module = pytest.importorskip("pipeline.index", exc_type=GalleryError)
    file, ids, vectors = filed
    index = index_module.CellIndex(file)
    file.close()
    assert not index.exact
    generator = np.random.default_rng(2)
    probes = generator.normal(size=(5, 24)).astype(np.float32)
    cell = np.argmax(vectors @ vectors[:12].T, axis=1)
    gone, new = ids[[3, 50, 399]], generator.normal(size=(6, 24)).astype(np.float32)
    kept = np.ones(400, bool)
    for step in range(3):
        if step == 1:
            index.remove(gone)
            kept[[3, 50, 399]] = False
        if step == 2:
            index.add(np.arange(6001, 6007), new)
            index.remove(np.array([6003, int(ids[7])]))
            kept[7] = False
        assert len(index) == kept.sum() + 5 * (step == 2)
        for thorough in (False, True):
            products, found = index.search(probes, 20, thorough=thorough)
            for row, probe in enumerate(probes):
                near = np.argsort(-(vectors[:12] @ probe))[: 12 if thorough else 4]
                where = np.flatnonzero(kept & np.isin(cell, near))
                pool_ids, pool = ids[where], vectors[where]
                if step == 2:
                    still = np.arange(6) != 2
                    pool_ids, pool = (
                        np.append(pool_ids, np.arange(6001, 6007)[still]),
                        np.concatenate([pool, new[still]]),
                    )
                order = np.argsort(-(pool @ probe))[:20]
                assert found[row].tolist()[: len(order)] == pool_ids[order].tolist()
                assert np.allclose(products[row][: len(order)], (pool @ probe)[order], atol=1e-5)
    assert np.array_equal(index.vectors(ids[[5, 100]]), vectors[[5, 100]])
    assert np.array_equal(index.vectors(np.array([6001, int(ids[9])])), np.stack([new[0], vectors[9]]))


def test_too_few_in_the_cells_looked_into(filed: tuple[IndexFile, np.ndarray, np.ndarray]) -> None:
    index_module = pytest.importorskip("pipeline.index", exc_type=GalleryError)
    file, ids, vectors = filed
    index = index_module.CellIndex(file)
    products, found = index.search(vectors[:1], 399)
    assert (found[0] == -1).any()
    assert set(found[0][found[0] >= 0].tolist()) < set(ids.tolist())
    assert (index.search(vectors[:1], 399, thorough=True)[1] >= 0).all()
    assert np.all(np.diff(products[0]) <= 0)


class FakeGpus:
    """FAISS as it is with GPUs: copies that answer as the index does, or do not fit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fits: bool) -> None:
        import faiss

        self.copies, self.searches, self.fits = 0, 0, fits
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
        monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", self._copy, raising=False)

    def _copy(self, index: Any) -> "FakeGpus":
        self.copies += 1
        if not self.fits:
            raise RuntimeError("out of memory")
        self._index = index
        return self

    def search(self, probes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        self.searches += 1
        return self._index.search(probes, k)


@pytest.mark.parametrize("fits", [True, False])
def test_a_gpu_is_used_where_there_is_one_and_it_fits(
    filed: tuple[IndexFile, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    index_module = pytest.importorskip("pipeline.index", exc_type=GalleryError)
    file, ids, vectors = filed
    for index in (index_module.FaissIndex(24), index_module.CellIndex(file)):
        if len(index) == 0:
            index.add(ids, vectors)
        expected = index.search(vectors[:3], 10)
        with monkeypatch.context() as patch:
            gpus = FakeGpus(patch, fits)
            index._on_gpu.drop()
            for _ in range(3):
                assert all(np.array_equal(a, b) for a, b in zip(index.search(vectors[:3], 10), expected, strict=True))
            assert (gpus.copies, gpus.searches) == (1, 3 * fits)  # tried once, not at every search
            patch.setattr(index_module, "MOST_ON_GPU", 5)
            index.search(vectors[:3], 10)
            assert gpus.searches == 3 * fits  # more neighbours than a GPU gives
            patch.undo()
