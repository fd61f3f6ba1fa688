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
    names, whose = np.unique(np.asarray(people), return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, whose, vectors)
    means = sums / np.bincount(whose, minlength=len(names))[:, None]
    return np.asarray(means.sum(axis=0) / (len(names) + PRIOR), dtype=np.float32)


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
    whose = np.asarray(people)
    every = centred(vectors, centre_of(vectors, whose))
    cosines = every @ every.T
    for name in np.unique(whose):
        own = whose == name
        if own.all():
            break
        centre = centre_of(vectors[~own], whose[~own])
        cosines[np.ix_(own, ~own)] = centred(vectors[own], centre) @ centred(vectors[~own], centre).T
    return np.asarray(np.clip(cosines, -1.0, 1.0), dtype=np.float32)
