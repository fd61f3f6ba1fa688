"""Direct matching: does the gallery's nearest entry bear the probe's name, and which similarity means "the same"?

Everywhere: similarity, the higher the closer; P probes, G gallery entries; a pair is genuine when both are of one
identity and impostor otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Labels = Sequence[str] | NDArray[np.str_]

RANKS = (1, 5, 10)
_STILL = 1e-9


@dataclass(frozen=True)
class Retrieval:
    """rank: {k: share of probes with an entry of their identity among the k nearest}. mean_ap: mean average precision.
    probes: how many; absent: how many of them had no entry of their identity to find (each counts as a miss)."""

    rank: dict[int, float]
    mean_ap: float
    probes: int
    absent: int


def cosine(probes: Array, gallery: Array) -> Array:
    """(P, D), (G, D) -> (P, G) similarities in [-1, 1]; a zero vector is like nothing (0)."""

    def unit(x: Array) -> Array:
        return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))

    return np.asarray(unit(probes) @ unit(gallery).T)


def euclidean(probes: Array, gallery: Array) -> Array:
    """(P, D), (G, D) -> (P, G): minus the Euclidean distance."""
    difference = np.asarray(probes, np.float64)[:, None] - np.asarray(gallery, np.float64)[None]
    return np.asarray(-np.linalg.norm(difference, axis=2))


def statistics(x: Array) -> tuple[Array, Array]:
    """(N, D) -> mean (D,) and standard deviation (D,) for `standardise`."""
    return np.asarray(x.mean(axis=0)), np.asarray(x.std(axis=0))


def standardise(x: Array, mean: Array, std: Array) -> Array:
    """(N, D) -> z-scores by the given mean and standard deviation; a number that never varies becomes 0."""
    moving = std > _STILL * np.maximum(1.0, np.abs(mean))
    return np.asarray(np.where(moving, (x - mean) / np.where(moving, std, 1.0), 0.0))


def retrieve(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None = None,
    gallery_sessions: Labels | None = None,
    ranks: Sequence[int] = RANKS,
) -> Retrieval:
    """Rank-k and mAP of a similarity matrix (P, G).

    Where sessions are given, entries of a probe's own session are left out of its gallery. Average precision is the
    mean, over a probe's genuine entries, of the precision at each one's place. Of equal similarities the wrong entry
    comes first, so that an embedding that says nothing scores nothing. A probe with nothing to find counts as a miss in
    every figure (and in `absent`), so that no figure can be bettered by leaving people out of the gallery.

    Raises ValueError if the labels do not fit the matrix or there is no probe.
    """
    if similarity.shape != (len(probe_ids), len(gallery_ids)) or len(probe_ids) == 0:
        raise ValueError(f"similarity is {similarity.shape} for {len(probe_ids)} probes and {len(gallery_ids)} entries")
    allowed = _allowed(similarity.shape, probe_sessions, gallery_sessions)
    genuine = np.asarray(probe_ids)[:, None] == np.asarray(gallery_ids)[None]
    hits = dict.fromkeys(ranks, 0)
    precision = 0.0
    absent = 0
    for row, may, same in zip(similarity, allowed, genuine, strict=True):
        found = same[may][np.lexsort((same[may], -row[may]))]
        places = np.flatnonzero(found) + 1
        if len(places) == 0:
            absent += 1
            continue
        for k in ranks:
            hits[k] += int(places[0] <= k)
        precision += float(np.mean(np.arange(1, len(places) + 1) / places))
    n = len(probe_ids)
    return Retrieval({k: count / n for k, count in hits.items()}, precision / n, n, absent)


def pair_scores(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None = None,
    gallery_sessions: Labels | None = None,
) -> tuple[Array, Array]:
    """Genuine and impostor similarities of a (P, G) matrix, pairs of one session left out."""
    allowed = _allowed(similarity.shape, probe_sessions, gallery_sessions)
    genuine = np.asarray(probe_ids)[:, None] == np.asarray(gallery_ids)[None]
    return similarity[allowed & genuine], similarity[allowed & ~genuine]


def threshold_at_far(impostor: Array, far: float) -> float:
    """The lowest threshold at which at most a share `far` of impostor scores is accepted (score >= threshold).

    Raises ValueError if there is no score or `far` is not in [0, 1].
    """
    scores = np.sort(_scores(impostor, "impostor"))[::-1]
    if not 0 <= far <= 1:
        raise ValueError(f"far must be in [0, 1], got {far}")
    accepted = math.floor(far * len(scores) + _STILL)
    if accepted == len(scores):
        return float(scores[-1])
    return float(np.nextafter(scores[accepted], np.inf))


def tar_at_far(genuine: Array, impostor: Array, far: float) -> float:
    """True accept rate: the share of genuine scores accepted at `threshold_at_far(impostor, far)`."""
    return float(np.mean(_scores(genuine, "genuine") >= threshold_at_far(impostor, far)))


def equal_error_rate(genuine: Array, impostor: Array) -> tuple[float, float]:
    """(EER, its threshold): where the false accept rate (impostor >= threshold) and the false reject rate
    (genuine < threshold) are nearest to each other, their mean. Thresholds are tried at every score."""
    right, wrong = np.sort(_scores(genuine, "genuine")), np.sort(_scores(impostor, "impostor"))
    highest = max(right[-1], wrong[-1])
    thresholds = np.append(np.unique(np.concatenate([right, wrong])), np.nextafter(highest, np.inf))
    rejected = np.searchsorted(right, thresholds, side="left") / len(right)
    accepted = 1 - np.searchsorted(wrong, thresholds, side="left") / len(wrong)
    best = int(np.argmin(np.abs(accepted - rejected)))
    return float((accepted[best] + rejected[best]) / 2), float(thresholds[best])


def _scores(values: Array, kind: str) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64).ravel()
    if len(scores) == 0:
        raise ValueError(f"there is no {kind} score")
    return scores


def _allowed(
    shape: tuple[int, ...], probe_sessions: Labels | None, gallery_sessions: Labels | None
) -> NDArray[np.bool_]:
    """(P, G): which entries may answer a probe. An empty session is unknown and equals no other."""
    if probe_sessions is None or gallery_sessions is None:
        return np.ones(shape, bool)
    probes = np.asarray(probe_sessions)[:, None]
    return np.asarray((probes != np.asarray(gallery_sessions)[None]) | (probes == ""))
