"""Clusters without labels, against dense NumPy loops written from the formulas of Zhong et al. 2017."""

import sys

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from smsge import clustering
from smsge.clustering import jaccard_neighbours, k_reciprocal_encoding, nearest, pseudo_labels
from smsge.errors import ConfigError


def bunches(people=6, each=9, width=12, spread=0.5, seed=0):
    """(people * each, width) unit vectors about `people` directions, in mixed order, and whose they are."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(people), each))
    x = rng.normal(size=(people, width))[who] + spread * rng.normal(size=(len(who), width))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), who


def naive_encoding(x, k1, k2):
    """V, after query expansion, by sets and loops."""
    n = len(x)
    squared = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)
    ranked = np.argsort(squared, axis=1)

    def reciprocal(i, k):
        return {j for j in ranked[i, : k + 1] if i in ranked[j, : k + 1]}

    V = np.zeros((n, n))
    for i in range(n):
        own = reciprocal(i, k1)
        grown = set(own)
        for j in own:
            half = reciprocal(j, round(k1 / 2))
            if len(half & own) > 2 / 3 * len(half):
                grown |= half
        for j in grown:
            V[i, j] = np.exp(-squared[i, j])
        V[i] /= V[i].sum()
    return np.stack([V[ranked[i, :k2]].mean(axis=0) for i in range(n)])


def naive_jaccard(V):
    n = len(V)
    return np.array(
        [[1 - np.minimum(V[i], V[j]).sum() / np.maximum(V[i], V[j]).sum() for j in range(n)] for i in range(n)]
    )


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (6, 3), (5, 1), (3, 2)])
def test_encoding_and_distance_are_the_papers(k1, k2, monkeypatch):
    monkeypatch.setattr(clustering, "_BLOCK", 54 * 7)  # blocks of 7 rows, the last one shorter
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


def test_clusters_are_those_of_dbscan_over_the_dense_distances():
    x, _ = bunches(spread=0.9)
    labels = pseudo_labels(x, 8, 3, 0.3, 2)
    dense = np.maximum(naive_jaccard(naive_encoding(x, 8, 3)), 0)
    expected = DBSCAN(eps=0.3, min_samples=2, metric="precomputed").fit_predict(dense)
    assert labels.dtype == np.int64
    assert labels.tolist() == expected.tolist()
    assert -1 in labels
    assert labels.max() > 1


def test_well_parted_people_are_the_clusters():
    x, who = bunches(spread=0.1)
    labels = pseudo_labels(x, 8, 3, 0.6, 2)
    assert len(set(zip(labels.tolist(), who.tolist(), strict=True))) == 6 == labels.max() + 1
    assert labels.min() == 0


def test_twins_and_fewer_vectors_than_neighbours():
    x, _ = bunches(people=2, each=2, spread=0.05)
    x = np.concatenate([x, x[:1]])  # the very same vector twice: distance 0 must count as near
    labels = pseudo_labels(x, 20, 6, 0.6, 2)
    assert labels[0] == labels[-1] >= 0
    assert np.isfinite(k_reciprocal_encoding(x, 20, 6).toarray()).all()


def test_more_copies_of_one_vector_than_neighbours():
    x, _ = bunches(people=2, each=15, spread=0.05)
    x = np.concatenate([x, np.repeat(x[:1], 40, axis=0)])
    assert (nearest(x, 21) == np.arange(len(x))[:, None]).any(axis=1).all()
    V = k_reciprocal_encoding(x, 20, 6)
    np.testing.assert_allclose(V.sum(axis=1), 1)
    assert (pseudo_labels(x, 20, 6, 0.6, 2) >= 0).any()


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
