"""Direct matching: does the gallery's nearest entry bear the probe's name, and which similarity means "the same"?

Everywhere: similarity, the higher the closer; P probes, G gallery entries; a pair is genuine when both are of one
identity and impostor otherwise. Probes are compared in blocks, so that memory does not grow with P.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smsge.pairs import Array, Labels, Sample, genuine_pairs, pairs

Similarity = Literal["cosine", "euclidean"]

RANKS = (1, 5, 10)
CURVE = 20
"""Places that a cumulative match curve shows at most."""

PAIRS = 2_000_000
"""Genuine and impostor scores, of each, that `match` keeps at most."""

_BLOCK = 1 << 21  # similarities at a time: 16 MB in 64 bits
_STILL = 1e-9


@dataclass(frozen=True)
class Retrieval:
    """rank: {k: share of probes with an entry of their identity among the k nearest}. mean_ap: mean average precision.
    probes: how many; absent: how many of them had no entry of their identity to find (each counts as a miss).
    cmc: (R,) that share for k = 1..R, the cumulative match curve; R is `CURVE`, or the number of people if fewer."""

    rank: dict[int, float]
    mean_ap: float
    probes: int
    absent: int
    cmc: NDArray[np.float64]


@dataclass(frozen=True)
class Matches:
    """What comes of comparing every probe with every entry it may be compared with.

    nearest: (P,) identity of each probe's nearest entry, "" where it had none. genuine, impostor: ascending scores of
    the pairs; of more than `PAIRS` an evenly spaced part, drawn the same way at every run (`smsge.pairs.Sample`).
    """

    retrieval: Retrieval
    nearest: NDArray[np.str_]
    genuine: Array
    impostor: Array


@dataclass(frozen=True, kw_only=True)
class Verification:
    """eer: equal error rate. tar: true accept rate at false accept rate `far`, which is reached at `threshold`."""

    eer: float
    tar: float
    far: float = 0.01
    threshold: float


def cosine(probes: Array, gallery: Array) -> Array:
    """(P, D), (G, D) -> (P, G) similarities in [-1, 1]; a zero vector is like nothing (0)."""
    return np.asarray(unit(probes) @ unit(gallery).T)


def euclidean(probes: Array, gallery: Array) -> Array:
    """(P, D), (G, D) -> (P, G): minus the Euclidean distance, from |p|^2 + |g|^2 - 2 p.g in 64 bits. A square below
    the rounding of that sum is 0, so that copies of a vector are equally near."""
    p, g = _squared(probes, gallery)
    return _distances(p @ g.T, p[:, -1:])


def unit(x: Array) -> Array:
    """(N, D) -> the same with rows of length 1, but for rows of zeros."""
    lengths = np.sqrt(np.einsum("nd,nd->n", x, x))[:, None]
    return np.asarray(x / np.maximum(lengths, 1e-12))


def statistics(x: Array) -> tuple[Array, Array]:
    """(N, D) -> mean (D,) and standard deviation (D,) for `standardise`, summed in 64 bits."""
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    return np.asarray(mean.astype(x.dtype)), np.asarray(std.astype(x.dtype))


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
    """Rank-k and mAP of a similarity matrix (P, G) that is at hand; the rules are those of `match`."""
    return matches_of(similarity, probe_ids, gallery_ids, probe_sessions, gallery_sessions, ranks).retrieval


def matches_of(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None = None,
    gallery_sessions: Labels | None = None,
    ranks: Sequence[int] = RANKS,
) -> Matches:
    """What `match` gives, of a similarity matrix (P, G) that is at hand. Raises ValueError as it does."""
    if similarity.shape != (len(probe_ids), len(gallery_ids)) or len(probe_ids) == 0:
        raise ValueError(f"similarity is {similarity.shape} for {len(probe_ids)} probes and {len(gallery_ids)} entries")
    return _count(similarity, probe_ids, gallery_ids, probe_sessions, gallery_sessions, ranks)


def match(
    probes: Array,
    gallery: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None = None,
    gallery_sessions: Labels | None = None,
    similarity: Similarity = "cosine",
    ranks: Sequence[int] = RANKS,
) -> Matches:
    """Rank-k, mAP and the pairs' scores of probes (P, D) against a gallery (G, D), in blocks of probes.

    Where sessions are given, entries of a probe's own session are left out of its gallery; an empty session is unknown
    and equals no other. Average precision is the mean, over a probe's genuine entries, of the precision at each one's
    place. Of equal similarities the wrong entry comes first, so that an embedding that says nothing scores nothing. A
    probe with nothing to find counts as a miss in every figure (and in `absent`), so that no figure can be bettered by
    leaving people out of the gallery.

    Raises ValueError if the labels do not fit the vectors or there is no probe.
    """
    if len(probes) != len(probe_ids) or len(gallery) != len(gallery_ids) or len(probes) == 0:
        raise ValueError(
            f"{len(probes)} probes with {len(probe_ids)} labels, {len(gallery)} entries with {len(gallery_ids)}"
        )
    rows = _rows(probes, gallery, similarity)
    return _count(rows, probe_ids, gallery_ids, probe_sessions, gallery_sessions, ranks)


def pair_scores(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None = None,
    gallery_sessions: Labels | None = None,
) -> tuple[Array, Array]:
    """Genuine and impostor similarities of a (P, G) matrix, pairs of one session left out; every one of them."""
    masks = np.array(list(pairs(probe_ids, gallery_ids, probe_sessions, gallery_sessions)), bool)
    genuine, impostor = masks.reshape(len(probe_ids), 2, len(gallery_ids)).swapaxes(0, 1)
    return similarity[genuine], similarity[impostor]


def verify(genuine: Array, impostor: Array, far: float = 0.01) -> Verification:
    """Equal error rate and true accept rate at `far` of the scores. Raises ValueError if there are none of a kind."""
    threshold = threshold_at_far(impostor, far)
    eer, _ = equal_error_rate(genuine, impostor)
    return Verification(eer=eer, tar=tar_at_far(genuine, impostor, far), far=far, threshold=threshold)


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


def _rows(probes: Array, gallery: Array, similarity: Similarity) -> Iterator[Array]:
    """Each probe's similarities (G,) in 32 bits, a block of probes at a time; a row holds until the next."""
    if similarity == "cosine":
        left, right = (unit(np.asarray(x, np.float32)) for x in (probes, gallery))
    else:
        left, right = _squared(probes, gallery)
    size = max(1, _BLOCK // max(1, len(right)))
    products = np.empty((size, len(right)), left.dtype)
    for first in range(0, len(left), size):
        block = left[first : first + size]
        for vector, row in zip(block, np.matmul(block, right.T, out=products[: len(block)]), strict=True):
            yield row if similarity == "cosine" else _distances(row, vector[-1]).astype(np.float32)


def _squared(probes: Array, gallery: Array) -> tuple[Array, Array]:
    """(P, D), (G, D) -> (P, D + 2), (G, D + 2) whose products are squared distances: one multiplication does it all.
    (p, 1, |p|^2) . (-2 g, |g|^2, 1)."""
    p, g = (np.asarray(x, np.float64) for x in (probes, gallery))
    near, far = (np.einsum("nd,nd->n", x, x)[:, None] for x in (p, g))
    return np.hstack([p, np.ones_like(near), near]), np.hstack([-2 * g, far, np.ones_like(far)])


def _distances(squares: Array, lengths: Array) -> Array:
    """Squared distances from vectors of these squared lengths -> minus the distances, in place."""
    squares[squares < 1e-12 * lengths] = 0
    return np.asarray(np.negative(np.sqrt(squares, out=squares), out=squares))


def _count(
    rows: Iterable[Array],
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_sessions: Labels | None,
    gallery_sessions: Labels | None,
    ranks: Sequence[int],
) -> Matches:
    """Everything that the rows of a similarity matrix tell. The places of a probe's genuine entries are enough: one
    comes after the genuine ones above it and all impostors that are at least as similar."""
    names, entries = np.asarray(probe_ids, np.str_), np.asarray(gallery_ids, np.str_)
    nearest = np.zeros_like(names, dtype=np.result_type(names, entries))
    first = np.full(len(names), np.inf)
    precision = np.zeros(len(names))
    genuine = Sample(genuine_pairs(names, entries), PAIRS)
    impostor = Sample(len(names) * len(entries), PAIRS)
    sides = pairs(names, entries, probe_sessions, gallery_sessions)
    for number, (row, (same, other)) in enumerate(zip(rows, sides, strict=True)):
        right, wrong = np.sort(row[same]), np.sort(row[other])
        genuine.add(right)
        impostor.add(wrong)
        if len(right) > 0:
            better = len(wrong) - np.searchsorted(wrong, right[::-1], side="left")
            order = np.arange(1, len(right) + 1)
            first[number] = better[0] + 1
            precision[number] = np.mean(order / (better + order))
        if first[number] == 1:
            nearest[number] = names[number]
        elif len(wrong) > 0:
            nearest[number] = entries[np.argmax(np.where(other, row, -np.inf))]
    curve = min(CURVE, len(np.union1d(names, entries)))
    retrieval = Retrieval(
        {k: float(np.mean(first <= k)) for k in ranks},
        float(precision.mean()),
        len(names),
        int(np.isinf(first).sum()),
        (first[:, None] <= np.arange(1, curve + 1)).mean(axis=0),
    )
    return Matches(retrieval, nearest, genuine.scores(), impostor.scores())


def _scores(values: Array, kind: str) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64).ravel()
    if len(scores) == 0:
        raise ValueError(f"there is no {kind} score")
    return scores
