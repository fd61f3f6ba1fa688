"""Pairs of a probe and a gallery entry: which may be compared, which are of one person, a fair part of their scores."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Labels = Sequence[str] | NDArray[np.str_]

_GOLDEN = (math.sqrt(5) - 1) / 2


def pairs(
    probe_ids: Labels, gallery_ids: Labels, probe_sessions: Labels | None, gallery_sessions: Labels | None
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each probe the entries of its own identity and those of others, (G,) each, without those of its own session.
    An empty session is unknown and equals no other."""
    people, entries = _numbered(probe_ids, gallery_ids)
    if probe_sessions is None or gallery_sessions is None:
        probe_sessions, gallery_sessions = [""] * len(people), [""] * len(entries)
    known = np.asarray(probe_sessions) != ""
    own, theirs = _numbered(probe_sessions, gallery_sessions)
    for person, session, named in zip(people, own, known, strict=True):
        same = entries == person
        allowed = (theirs != session) | ~named
        yield same & allowed, ~same & allowed


def genuine_pairs(probe_ids: Labels, gallery_ids: Labels) -> int:
    """How many pairs are of one identity, sessions left aside."""
    people, entries = _numbered(probe_ids, gallery_ids)
    counts = np.bincount(entries, minlength=int(people.max(initial=0)) + 1)
    return int(counts[people].sum())


class Sample:
    """At most about `keep` of at most `pairs` scores, which come a probe at a time.

    Of more, every n-th of each probe's ascending scores, from a start that moves on evenly from probe to probe: as
    good as all of them for a threshold, and the same at every run.
    """

    def __init__(self, pairs: int, keep: int) -> None:
        self._step = max(1, math.ceil(pairs / keep))
        self._parts: list[Array] = []

    def add(self, ascending: Array) -> None:
        start = int(self._step * (len(self._parts) * _GOLDEN % 1))
        self._parts.append(ascending[start :: self._step].copy())

    def scores(self) -> Array:
        """What was kept, ascending."""
        return np.sort(np.concatenate(self._parts))


def _numbered(probes: Labels, gallery: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels as numbers, equal where the labels are: quicker to compare."""
    labels = np.concatenate([np.asarray(probes, np.str_), np.asarray(gallery, np.str_)])
    numbers = np.unique(labels, return_inverse=True)[1]
    return numbers[: len(probes)], numbers[len(probes) :]
