r"""Clusters of clips without labels: k-reciprocal Jaccard distance, then DBSCAN.

Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, section 3; used
for pseudo-labels as in SimMC (arXiv 2204.09826). Symbols: N(i, k) the k nearest vectors to i, itself among them.

.. math::
    R(i, k) &= \{ j \in N(i, k + 1) : i \in N(j, k + 1) \} \\
    R^*(i) &= R(i, k_1) \cup \bigcup \{ R(j, k_1 / 2) : j \in R(i, k_1),\
              |R(j, k_1 / 2) \cap R(i, k_1)| > \tfrac23 |R(j, k_1 / 2)| \} \\
    V_{ij} &\propto \exp(-\|x_i - x_j\|^2) \text{ for } j \in R^*(i),\quad \textstyle\sum_j V_{ij} = 1,\quad
    \bar V_i = \tfrac1{k_2} \textstyle\sum_{j \in N(i, k_2)} V_j \\
    d_{ij} &= 1 - \frac{\sum_c \min(\bar V_{ic}, \bar V_{jc})}{\sum_c \max(\bar V_{ic}, \bar V_{jc})}

Everything is sparse: memory grows with N times the size of a neighbourhood, never with N squared.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smsge.errors import ConfigError

Vectors = NDArray[np.float32]
_BLOCK = 4_000_000
"""Numbers of a dense block of rows that is worked on at a time."""


def pseudo_labels(vectors: Vectors, k1: int, k2: int, eps: float, min_samples: int) -> NDArray[np.int64]:
    """(N, D) of unit length -> (N,) clusters 0, 1, …, and -1 for those that DBSCAN leaves out."""
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    near = jaccard_neighbours(k_reciprocal_encoding(vectors, k1, k2), eps)
    near = sort_graph_by_row_values(near, warn_when_not_sorted=False)
    labels = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(near)
    return np.asarray(labels, np.int64)


def nearest(vectors: Vectors, k: int) -> NDArray[np.int64]:
    """(N, D) of unit length -> (N, k) the numbers of each one's k nearest by cosine, best first, itself among them.

    Raises ConfigError where FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ConfigError("prototypes: clustering needs FAISS; install it with `pip install faiss-cpu`") from error
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    ranked = np.concatenate([index.search(vectors[rows], k)[1] for rows in _blocks(len(vectors))]).astype(np.int64)
    own = np.arange(len(vectors))
    crowded_out = (ranked != own[:, None]).all(axis=1)  # by more than k vectors just like it, of which any may go
    ranked[crowded_out, 0] = own[crowded_out]
    return ranked


def k_reciprocal_encoding(vectors: Vectors, k1: int, k2: int) -> sparse.csr_array:
    """(N, D) float32 of unit length -> the V of the formula, (N, N) sparse, each row non-negative with sum 1."""
    n = len(vectors)
    vectors = np.ascontiguousarray(vectors, np.float32)
    ranked = nearest(vectors, min(n, max(k1 + 1, k2)))
    far, half = _reciprocal(ranked, k1), _reciprocal(ranked, round(k1 / 2))
    sizes = half.sum(axis=1)
    rows = []
    for block in _blocks(n):
        own = far[block]
        common = own * (own @ half.T)  # |R(j, k1 / 2) & R(i, k1)|, for the j of R(i, k1) alone
        common.data = (3 * common.data > 2 * sizes[common.indices]).astype(np.int32)
        members = (own + common @ half).tocoo()
        members.eliminate_zeros()
        i, j = members.row + block.start, members.col
        squared = 2 - 2 * np.einsum("ed,ed->e", vectors[i], vectors[j])
        weights = sparse.csr_array((np.exp(-squared.astype(np.float64)), (members.row, j)), shape=members.shape)
        rows.append(sparse.diags_array(1 / weights.sum(axis=1)) @ weights)
    encoded = sparse.vstack(rows, format="csr")
    k2 = min(k2, n)
    return (_membership(ranked, k2) / k2 @ encoded).tocsr()


def jaccard_neighbours(encoded: sparse.csr_array, most: float) -> sparse.csr_array:
    """(N, N) rows with sum 1 -> (N, N) sparse of the Jaccard distances of at most `most` < 1; 0 is stored like others.

    Rows with sum 1 make the sum of maxima 2 less the sum of minima. Only pairs with a column in common can be nearer
    than 1, and they are found through the columns.
    """
    n = encoded.shape[0]
    columns = encoded.tocsc()
    filled = np.diff(columns.indptr)
    found_rows, found_columns, found = [], [], []
    for block in _blocks(n):
        part = encoded[block].tocoo()
        partners = filled[part.col]  # for each entry (i, c): the j with something in column c
        entry = np.repeat(np.arange(part.nnz), partners)
        place = np.arange(len(entry)) + np.repeat(columns.indptr[part.col] - np.cumsum(partners) + partners, partners)
        smaller = np.minimum(part.data[entry], columns.data[place])
        pair = part.row[entry].astype(np.int64) * n + columns.indices[place]
        minima = np.bincount(pair, smaller, minlength=part.shape[0] * n)
        touched = np.flatnonzero(minima)
        distance = np.maximum(0, 1 - minima[touched] / (2 - minima[touched]))
        near = distance <= most
        found_rows.append(touched[near] // n + block.start)
        found_columns.append(touched[near] % n)
        found.append(distance[near])
    where = np.concatenate(found_rows), np.concatenate(found_columns)
    return sparse.csr_array((np.concatenate(found), where), shape=(n, n))


def _reciprocal(ranked: NDArray[np.int64], k: int) -> sparse.csr_array:
    """R(i, k) as row i of a matrix of ones."""
    near = _membership(ranked, k + 1)
    return (near * near.T).tocsr()


def _membership(ranked: NDArray[np.int64], k: int) -> sparse.csr_array:
    """N(i, k) as row i of a matrix of ones."""
    near = ranked[:, :k]
    rows = np.repeat(np.arange(len(near)), near.shape[1])
    return sparse.csr_array((np.ones(near.size, np.int32), (rows, near.ravel())), shape=(len(near), len(near)))


def _blocks(n: int) -> Iterator[slice]:
    """Rows in portions whose dense rows would hold no more than `_BLOCK` numbers."""
    rows = max(1, _BLOCK // n)
    return (slice(first, min(first + rows, n)) for first in range(0, n, rows))
