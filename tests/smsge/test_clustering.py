"""Clusters without labels, against DBSCAN over dense NumPy loops."""

import numpy as np
from naive_reciprocal import bunches, naive_encoding, naive_jaccard
from sklearn.cluster import DBSCAN

from smsge.clustering import pseudo_labels
from smsge.reciprocal import k_reciprocal_encoding, nearest


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
