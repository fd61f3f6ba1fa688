"""How like probes are to people of one or several templates: as to the nearest of the templates, or to their mean.

A template is of one day, seen from somewhere; in the mean of several there is less of either, and it is often nearer to
another day. Footage of the same day is nearest to the template of that day, which no mean must hide.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

_TINY = 1e-12


def nearness(probes: Array, templates: Array, starts: NDArray[np.integer]) -> Array:
    """(M, D) probes and (N, D) templates, all of unit length, those of a person together; starts: (P,) where each
    person's begin, rising from 0 -> (M, P): the greatest cosine with a template, or with the mean of all."""
    nearest = np.maximum.reduceat(probes @ templates.T, starts, axis=1)
    return _clipped(np.maximum(nearest, probes @ means_of(templates, starts).T))


def means_of(templates: Array, starts: NDArray[np.integer]) -> Array:
    """(P, D), of unit length, the directions of the means of each person's templates; nought where they cancel out."""
    sums = np.add.reduceat(templates, starts, axis=0)
    return np.asarray(sums / np.maximum(np.sqrt(np.vecdot(sums, sums)), _TINY)[:, None])


def nearness_to_one(cosines: Array, among: Array) -> Array:
    """The same of one person, from (M, n) cosines of probes with the templates, and (n, n) those of the templates with
    one another -> (M,)."""
    length = max(float(among.sum()), 0.0) ** 0.5
    return _clipped(np.maximum(cosines.max(axis=1), cosines.sum(axis=1) / max(length, _TINY)))


def by_person(people: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.int64], NDArray[np.int64]]:
    """(N,) whose each template is -> the names, rising; an order that puts those of a person together; `starts`."""
    order = np.argsort(people, kind="stable")
    names, starts = np.unique(people[order], return_index=True)
    return names, order, starts


def _clipped(cosines: Array) -> Array:
    return np.asarray(np.clip(cosines, -1.0, 1.0))
