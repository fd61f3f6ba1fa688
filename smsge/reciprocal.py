r"""k-reciprocal neighbours: a distance that asks whether two vectors have the same neighbours, and re-ranking by it.

Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, section 3.
Symbols: x_i vectors of unit length, N(i, k) the k nearest vectors to i, itself among them.

.. math::
    R(i, k) &= \{ j \in N(i, k + 1) : i \in N(j, k + 1) \} \\
    R^*(i) &= R(i, k_1) \cup \bigcup \{ R(j, k_1 / 2) : j \in R(i, k_1),\
              |R(j, k_1 / 2) \cap R(i, k_1)| > \tfrac23 |R(j, k_1 / 2)| \} \\
    V_{ij} &\propto \exp(-\|x_i - x_j\|^2) \text{ for } j \in R^*(i),\quad \textstyle\sum_j V_{ij} = 1,\quad
    \bar V_i = \tfrac1{k_2} \textstyle\sum_{j \in N(i, k_2)} V_j \\
    d_{ij} &= 1 - \frac{\sum_c \min(\bar V_{ic}, \bar V_{jc})}{\sum_c \max(\bar V_{ic}, \bar V_{jc})} \\
    d^*_{ij} &= (1 - \lambda)\, d_{ij} + \lambda\, \|x_i - x_j\|^2

Everything but the distances of `reranked` is sparse: memory grows with N times the size of a neighbourhood, never with
N squared.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smsge.errors import ConfigError

Vectors = NDArray[np.float32]

K1, K2, WEIGHT = 20, 6, 0.3
"""k1, k2 and lambda of the paper."""

_BLOCK = 4_000_000
"""Numbers of a dense block of rows that is worked on at a time."""


def reranked(probes: Vectors, gallery: Vectors) -> NDArray[np.float64]:
    """(P, D), (G, D) of unit length -> (P, G) distances d*, among all P + G vectors; the least is the best."""
    vectors = np.concatenate([probes, gallery])
    k1, k2 = neighbours(len(vectors))
    encoded = k_reciprocal_encoding(vectors, k1, k2)
    minima = _minima(encoded[: len(probes)], encoded.tocsc())[:, len(probes) :]
    squared = 2 - 2 * (probes.astype(np.float64) @ gallery.T.astype(np.float64))
    return np.asarray((1 - WEIGHT) * _jaccard(minima) + WEIGHT * squared)


def neighbours(n: int) -> tuple[int, int]:
    """k1 and k2 for n vectors: the paper's, and a quarter of the vectors where they are fewer than eighty, for where
    everybody is everybody's neighbour, neighbours say nothing."""
    k1 = max(1, min(K1, n // 4))
    return k1, max(1, round(k1 * K2 / K1))


def nearest(vectors: Vectors, k: int) -> NDArray[np.int64]:
    """(N, D) of unit length -> (N, k) the numbers of each one's k nearest by cosine, best first, itself among them.

    Raises ConfigError where FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ConfigError("clusters and re-ranking need FAISS: install it with `pip install faiss-cpu`") from error
    except (RuntimeError, OSError) as error:  # FAISS for GPUs, where CUDA's libraries are missing
        raise ConfigError(f"FAISS cannot be loaded ({error}): install CUDA's libraries or faiss-cpu") from error
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

    Only pairs with a column in common can be nearer than 1.
    """
    n = encoded.shape[0]
    columns = encoded.tocsc()
    found_rows, found_columns, found = [], [], []
    for block in _blocks(n):
        minima = _minima(encoded[block], columns).ravel()
        touched = np.flatnonzero(minima)
        distance = _jaccard(minima[touched])
        near = distance <= most
        found_rows.append(touched[near] // n + block.start)
        found_columns.append(touched[near] % n)
        found.append(distance[near])
    where = np.concatenate(found_rows), np.concatenate(found_columns)
    return sparse.csr_array((np.concatenate(found), where), shape=(n, n))


def _minima(rows: sparse.csr_array, columns: sparse.csc_array) -> NDArray[np.float64]:
    """(R, N), (N, N) -> (R, N) sums over c of the lesser of entry c of a row and of a vector, found through c."""
    part, n = rows.tocoo(), columns.shape[0]
    filled = np.diff(columns.indptr)
    partners = filled[part.col]  # for each entry (i, c): the j with something in column c
    entry = np.repeat(np.arange(part.nnz), partners)
    place = np.arange(len(entry)) + np.repeat(columns.indptr[part.col] - np.cumsum(partners) + partners, partners)
    smaller = np.minimum(part.data[entry], columns.data[place])
    pair = part.row[entry].astype(np.int64) * n + columns.indices[place]
    sums = np.bincount(pair, smaller, minlength=part.shape[0] * n)
    return np.asarray(sums, np.float64).reshape(-1, n)


def _jaccard(minima: NDArray[np.float64]) -> NDArray[np.float64]:
    """d of the formula: of rows with sum 1 the sum of maxima is 2 less the sum of minima."""
    return np.maximum(0, 1 - minima / (2 - minima))


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
