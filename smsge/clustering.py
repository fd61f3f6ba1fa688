"""Clusters of clips without labels: k-reciprocal Jaccard distance (`smsge.reciprocal`), then DBSCAN.

Used for pseudo-labels as in SimMC (arXiv 2204.09826).
"""

import numpy as np
from numpy.typing import NDArray

from smsge.reciprocal import Vectors, jaccard_neighbours, k_reciprocal_encoding


def pseudo_labels(vectors: Vectors, k1: int, k2: int, eps: float, min_samples: int) -> NDArray[np.int64]:
    """(N, D) of unit length -> (N,) clusters 0, 1, …, and -1 for those that DBSCAN leaves out."""
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    near = jaccard_neighbours(k_reciprocal_encoding(vectors, k1, k2), eps)
    near = sort_graph_by_row_values(near, warn_when_not_sorted=False)
    labels = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(near)
    return np.asarray(labels, np.int64)
