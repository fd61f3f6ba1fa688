"""The FAISS index against a naive search."""

import sys

import numpy as np
import pytest

from pipeline.errors import GalleryError


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


def test_missing_faiss_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.delitem(sys.modules, "pipeline.index", raising=False)
    with pytest.raises(GalleryError, match=r"pip install 'reid\[cpu\]'"):
        __import__("pipeline.index")
