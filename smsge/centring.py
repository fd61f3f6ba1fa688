"""Embeddings about the centre of those they are compared with: what a camera does to everybody tells nobody apart.

People filmed alike (one camera, one light, all of them walking round) have embeddings that share a direction, and
strangers then look alike. The mean over the people of a gallery says which direction that is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

PRIOR = 4.0
"""People at the origin that are counted in, so that the centre of one or two people is not those people."""


def centre_of(vectors: Array, people: Sequence[str] | NDArray[np.generic]) -> NDArray[np.float32]:
    """(N, D) unit vectors and whose they are (N,) -> (D,): the sum of the people's means over their number + PRIOR."""
    means, _ = _means(vectors, people)
    return np.asarray(means.sum(axis=0) / (len(means) + PRIOR), dtype=np.float32)


def alike_of(vectors: Array, people: Sequence[str] | NDArray[np.generic]) -> float | None:
    """(N, D) unit vectors and whose they are (N,) -> the cosine of two different people's, averaged over their vectors
    and all pairs of people: the share of the squared length that everybody has in common. None of one person."""
    means, _ = _means(vectors, people)
    if len(means) < 2:
        return None
    total = means.sum(axis=0)
    return float(total @ total - np.vecdot(means, means).sum()) / (len(means) * (len(means) - 1))


def _means(vectors: Array, people: Sequence[str] | NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The mean of each of P people (P, D), and which of them each vector is of (N,)."""
    names, whose = np.unique(np.asarray(people), return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, whose, vectors)
    return sums / np.bincount(whose, minlength=len(names))[:, None], whose


def centred(vectors: Array, centre: Array) -> NDArray[np.float32]:
    """(N, D) less the centre (D,), of unit length again."""
    moved = vectors - centre
    norms = np.sqrt(np.vecdot(moved, moved))  # for one vector in half the time of np.linalg.norm
    return np.asarray(moved / np.maximum(norms, 1e-12)[:, None], dtype=np.float32)


def as_in_a_gallery(vectors: Array, people: Sequence[str] | NDArray[np.str_]) -> NDArray[np.float32]:
    """(N, D) unit vectors of known people -> (N, N) cosines of each, as a probe, with each, as enrolled.

    With somebody else they are about the centre of everybody but the probe's own person, who is a stranger then; with
    the same person, who is enrolled then, about the centre of all.
    """
    means, whose = _means(vectors, people)
    every = np.asarray(vectors, np.float64)
    total, others = means.sum(axis=0), len(means) - 1
    enrolled = _about(every, total[None] / (others + 1 + PRIOR), np.zeros_like(whose))
    strangers = _about(every, (total - means) / (others + PRIOR), whose)
    cosines = np.where(whose[:, None] == whose, enrolled, strangers)
    return np.asarray(np.clip(cosines, -1.0, 1.0), dtype=np.float32)


def _about(vectors: NDArray[np.float64], centres: NDArray[np.float64], which: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N, N) cosines of each unit vector (N, D) with each, both about the first one's of the centres (C, D).

    (a - c) . (b - c) = a . b - a . c - b . c + c . c, so that no vector is moved C times.
    """
    along = (vectors @ centres.T)[:, which].T  # of the second vector along the first one's centre
    squares = np.vecdot(centres, centres)[which][:, None]
    lengths = np.sqrt(np.maximum(1 - 2 * along + squares, 1e-24))
    first_along, first_lengths = np.diagonal(along)[:, None], np.diagonal(lengths)[:, None]
    return np.asarray((vectors @ vectors.T - first_along - along + squares) / (first_lengths * lengths))
