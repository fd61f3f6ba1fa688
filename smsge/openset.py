r"""Open-set identification: who is asked for may not be in the gallery at all.

Detection and identification rate (DIR) at a false alarm rate (FAR), as in Grother, Ngan and Hanaoka, "Face Recognition
Vendor Test, part 2: Identification", NIST IR 8271, and Phillips, Grother and Micheals, "Evaluation Methods in Face
Recognition", 2011. With M the probes of enrolled people, U those of strangers, s_i(n) the greatest similarity of probe
i to an entry of person n, and id(i) whose probe it is:

.. math::
    \mathrm{FAR}(t) &= \frac{1}{|U|}\, |\{ i \in U : \max_n s_i(n) \ge t \}| \\
    \mathrm{DIR}(t) &= \frac{1}{|M|}\, |\{ i \in M : s_i(\mathrm{id}(i)) > \max_{n \ne \mathrm{id}(i)} s_i(n),\
                       s_i(\mathrm{id}(i)) \ge t \}|

Ties are lost, as everywhere in `smsge.matching`. P probes, G gallery entries, N people of the gallery.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smsge.matching import threshold_at_far
from smsge.pairs import Array, Labels

FARS = (0.01, 0.1)
"""False alarm rates that are told of."""


@dataclass(frozen=True)
class Identification:
    """rate: {false alarm rate: DIR}, nan where there is no probe of one of the two kinds. threshold: {the same: the
    lowest similarity that keeps to it}. enrolled, strangers: probes of either kind."""

    rate: dict[float, float]
    threshold: dict[float, float]
    enrolled: int
    strangers: int


def identify(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_clips: Labels | None = None,
    gallery_clips: Labels | None = None,
    fars: Sequence[float] = FARS,
) -> Identification:
    """DIR at each of `fars` of a similarity matrix (P, G); whose identity is not in the gallery is a stranger.

    Where clips are given, entries of a probe's own clip are left out; an empty clip is unknown and equals no other. An
    enrolled person's probe with no entry left to find is a miss, not a stranger. Raises ValueError where the labels do
    not fit the matrix.
    """
    best, own = _best(similarity, probe_ids, gallery_ids, probe_clips, gallery_clips)
    return _identification([_scores(best, own, np.ones(best.shape[1], bool))], fars)


def leave_people_out(
    similarity: Callable[[NDArray[np.bool_]], Array],
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_clips: Labels | None = None,
    gallery_clips: Labels | None = None,
    fars: Sequence[float] = FARS,
    folds: int = 20,
    seed: int = 0,
) -> Identification:
    """DIR of a closed set, made an open one: in each fold a random half of the gallery's people is enrolled and the
    others are strangers, whose probes are all the same searched; in the next fold it is the other way round.

    The probes of all folds are pooled: one threshold for each of `fars`, from the strangers' probes of every fold, and
    the rate over the enrolled people's probes of every fold. A fold alone would have too few strangers for a rate of
    1 %. Galleries are half as large as the closed one. Rates are nan where there are fewer than two people.

    similarity: which entries (G,) are enrolled -> (P, G), of which only the columns of those count: what probes have in
    common with a gallery depends on who is in it (`smsge.centring`). Arguments and errors otherwise as for `identify`.
    """
    names, whose = np.unique(np.asarray(gallery_ids, np.str_), return_inverse=True)
    people = len(names)
    rng = np.random.default_rng(seed)
    enrolled = np.zeros((folds, people), bool)
    for fold in enrolled[::2]:
        fold[rng.permutation(people)[: (people + 1) // 2]] = True
    enrolled[1::2] = ~enrolled[: folds - folds % 2 : 2]
    labels = probe_ids, gallery_ids, probe_clips, gallery_clips
    return _identification(
        [_scores(*_best(similarity(fold[whose]), *labels), fold) for fold in enrolled if fold.any()], fars
    )


def _best(
    similarity: Array,
    probe_ids: Labels,
    gallery_ids: Labels,
    probe_clips: Labels | None,
    gallery_clips: Labels | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(P, N) greatest similarity of each probe to each person, -inf where there is nothing to compare it with; and (P,)
    the number of the probe's own person, -1 for somebody who is not in the gallery."""
    probes, entries = np.asarray(probe_ids, np.str_), np.asarray(gallery_ids, np.str_)
    if similarity.shape != (len(probes), len(entries)) or 0 in similarity.shape:
        raise ValueError(f"similarity is {similarity.shape} for {len(probes)} probes and {len(entries)} entries")
    compared = np.asarray(similarity, np.float64)
    if probe_clips is not None and gallery_clips is not None:
        own_clips, clips = np.asarray(probe_clips, np.str_)[:, None], np.asarray(gallery_clips, np.str_)
        compared = np.where((own_clips == clips) & (own_clips != ""), -np.inf, compared)
    people = np.unique(entries)
    best = np.stack([compared[:, entries == person].max(axis=1) for person in people], axis=1)
    places = np.minimum(np.searchsorted(people, probes), len(people) - 1)
    return best, np.where(people[places] == probes, places, -1)


def _scores(
    best: NDArray[np.float64], own: NDArray[np.int64], enrolled: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """With these people (N,) enrolled: for each of their probes its similarity to its own person, -inf where another
    is as near; and the strangers' probes' similarities to whoever is nearest."""
    known = (own >= 0) & enrolled[own]
    left = np.where(enrolled, best, -np.inf)
    right = left[known, own[known]]
    others = left[known]
    others[np.arange(len(others)), own[known]] = -np.inf
    return np.where(right > others.max(axis=1), right, -np.inf), left[~known].max(axis=1)


def _identification(
    folds: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], fars: Sequence[float]
) -> Identification:
    right, strangers = (np.concatenate(scores) for scores in zip(*folds, strict=True))
    if len(right) == 0 or len(strangers) == 0:
        unknown = dict.fromkeys(fars, float("nan"))
        return Identification(unknown, unknown, len(right), len(strangers))
    threshold = {far: threshold_at_far(strangers, far) for far in fars}
    rate = {far: float(np.mean(right >= limit)) for far, limit in threshold.items()}
    return Identification(rate, threshold, len(right), len(strangers))
