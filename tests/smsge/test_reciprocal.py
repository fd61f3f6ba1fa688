"""k-reciprocal encoding, its distances and re-ranking, against dense NumPy loops from Zhong et al. 2017."""

import sys

import numpy as np
import pytest
from naive_reciprocal import bunches, naive_encoding, naive_jaccard, naive_reranked

from smsge import reciprocal
from smsge.errors import ConfigError
from smsge.reciprocal import jaccard_neighbours, k_reciprocal_encoding, nearest, neighbours, reranked


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (6, 3), (5, 1), (3, 2)])
def test_encoding_and_distance_are_the_papers(k1, k2, monkeypatch):
    monkeypatch.setattr(reciprocal, "_BLOCK", 54 * 7)  # blocks of 7 rows, the last one shorter
    x, _ = bunches()
    V = k_reciprocal_encoding(x, k1, k2)
    expected = naive_encoding(x, k1, k2)
    np.testing.assert_allclose(V.toarray(), expected, atol=1e-6)
    distance = naive_jaccard(expected)
    near = jaccard_neighbours(V, 0.7)
    stored = set(zip(*map(np.ndarray.tolist, near.tocoo().coords), strict=True))
    surely = {(i, j) for i, j in zip(*np.nonzero(distance < 0.7 - 1e-5), strict=True)}
    perhaps = {(i, j) for i, j in zip(*np.nonzero(distance < 0.7 + 1e-5), strict=True)}
    assert surely <= stored <= perhaps
    assert len(surely) > len(x)
    np.testing.assert_allclose(near.tocoo().data, distance[near.tocoo().coords], atol=1e-5)


def test_the_condition_of_two_thirds_decides_something():
    """Else the expansion would be untested: with and without it the encodings differ on these vectors."""
    x, _ = bunches()
    V = naive_encoding(x, 6, 1)
    ranked = nearest(x, 7)
    plain = [[j for j in ranked[i] if i in ranked[j]] for i in range(len(x))]
    sizes = np.array([len(own) for own in plain])
    grown = (V > 0).sum(axis=1)
    assert (grown > sizes).any()
    assert (grown == sizes).any()


def test_memory_grows_with_neighbourhoods_not_with_the_square():
    x, _ = bunches(people=150, each=20, width=32)
    V = k_reciprocal_encoding(x, 20, 6)
    near = jaccard_neighbours(V, 0.6)
    assert V.nnz < 200 * len(x)
    assert near.nnz < 100 * len(x)


def test_without_faiss_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match="pip install faiss-cpu"):
        nearest(np.eye(3, dtype=np.float32), 2)


@pytest.mark.parametrize("size", [(1, 7), (3, 12), (6, 120), (1, 1)])
def test_reranking_is_the_papers(size):
    probes, entries = size
    x, _ = bunches(people=(probes + entries + 8) // 9, spread=0.4, seed=probes)
    p, g = x[:probes], x[probes : probes + entries]
    distance = reranked(p, g)
    assert distance.shape == size
    np.testing.assert_allclose(distance, naive_reranked(p, g, *neighbours(probes + entries)), atol=1e-5)


def test_neighbours_are_the_papers_from_eighty_vectors_on_and_shrink_below():
    assert [neighbours(n) for n in (1000, 80, 40, 8, 2, 1)] == [(20, 6), (20, 6), (10, 3), (2, 1), (1, 1), (1, 1)]


def test_a_probe_finds_those_who_share_its_neighbours_rather_than_the_nearest():
    """Angles in degrees. The nearest template is of b, a little nearer than the nearest of a. But b's templates lie
    close together, nearer to one another than to the probe, while a's nearest has the probe among its own."""
    a, b, probe = [-10, -18, -29, -40], [9, 10.5, 11, 12], 0
    angles = np.radians([probe, *a, *b])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert (x[:1] @ x[1:].T).argmax() >= 4
    assert reranked(x[:1], x[1:]).argmin() < 4
