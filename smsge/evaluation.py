"""Direct matching of a split's probes against its gallery: one row of figures for each way of describing them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smsge.bootstrap import mean_interval
from smsge.errors import DatasetError
from smsge.fusion import fit_standard, fuse
from smsge.matching import Matches, Retrieval, Verification, match, standardise, statistics, unit, verify
from smsge.methods import BY_HAND, HEAD, POSTURE, Method, Way
from smsge.protocols import Split
from smsge.samples import Level, Samples
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]

STATISTICS = 20_000
"""Training samples that mean and deviation are taken of, at most."""

SCORES, MAPPED = 100_000, 2_000
"""Scores of either kind, and vectors, that a picture is drawn from, at most."""

DISCRIMINANTS, FUSED = f"{POSTURE}, discriminants", f"{HEAD} + {POSTURE}"
"""Rows that tables end with."""


@dataclass(frozen=True)
class Curves:
    """What pictures are drawn from. genuine, impostor: ascending similarities, evenly spaced over all. confusion:
    (people, people) counts, true identity by the one named first; a probe that was compared with nothing is in none.
    people: sorted. embedding: (n, D) vectors of gallery and probes as they were compared, evenly spaced over them;
    embedding_labels: whose each is."""

    genuine: Array
    impostor: Array
    confusion: NDArray[np.int64]
    people: tuple[str, ...]
    embedding: Array
    embedding_labels: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One way of describing. method: its name; size: numbers in its vector. interval: where Rank-1 is in 95 of 100
    draws of as many people (`smsge.bootstrap`), nan for one person. nauc: micro-averaged area under the ROC over all
    (clip, identity) scores, of the classifier protocol alone. All figures are shares in 0..1."""

    method: str
    size: int
    retrieval: Retrieval
    interval: tuple[float, float]
    verification: Verification
    curves: Curves
    nauc: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows over the same samples of one split. probes, gallery: how many samples there are (gallery: the training
    clips, for the classifier); people: how many identities among them."""

    split: str
    protocol: Literal["matching", "classifier"]
    level: Level
    probes: int
    gallery: int
    people: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Fusion:
    """Linear discriminants of posture statistics (`smsge.fusion`): their shrinkage and rank, which served folds of
    KGBD's people 1-132 as well as any; where there is a head, the shares of its vector and of them in the cosine."""

    shrinkage: float = 0.3
    rank: int = 80
    weights: tuple[float, float] = (0.5, 0.5)


class _Vectors(NamedTuple):
    """One way's vectors, of gallery and probes together and of the training part."""

    seen: Array
    learnt: Array


def evaluate(
    split: Split,
    methods: Sequence[Method],
    level: Level,
    frames: int,
    fusion: Fusion | None = None,
) -> Table:
    """The table of a split: descriptors by hand, then `methods`, all on the same clips or tracks.

    level clip: walks are cut into clips of `frames` frames that do not overlap, each of them a sample. level track: a
    walk is a sample; descriptors read the whole of it, an encoder clips of `frames` that overlap by half. Samples of a
    probe's own session never answer it. Where the training part has two people, one of them with two samples, the
    table ends with `DISCRIMINANTS` and, where a method has the row `HEAD`, `FUSED` (fusion None: the usual `Fusion`).

    Mean, deviation and discriminants come from `split.train`, mean and deviation from at most `STATISTICS` samples.

    Raises DatasetError if there is no clip, a track is shorter than one, or the probes and the gallery have nobody or
    only one person in common.
    """
    pool = list({id(walk): walk for walk in (*split.gallery, *split.probe)}.values())
    stride = max(1, frames // 2)
    samples = Samples.of(pool, level, frames, stride)
    gallery, probes, learnt_from = (_chosen(samples, part) for part in (split.gallery, split.probe, split.train))
    learnt_from = learnt_from[evenly(len(learnt_from), STATISTICS)]
    identities, sessions = samples.identities, samples.sessions
    others = None  # who is learned from, where they are not all in the pool and so described already
    if not {id(walk) for walk in split.train} <= {id(walk) for walk in pool}:
        others = Samples.of(split.train, level, frames, stride).thinned(STATISTICS)

    def row(way: Way, vectors: Array) -> Row:
        if not len(probes) or not len(gallery):
            raise DatasetError(f"{split.name}: no probe or no entry of the gallery has {frames} frames without a gap")
        matches = match(
            vectors[probes], vectors[gallery], identities[probes], identities[gallery], sessions[probes],
            sessions[gallery], way.similarity,
        )  # fmt: skip
        shown = np.concatenate([gallery, probes])
        shown = shown[evenly(len(shown), MAPPED)]
        compared = unit(vectors[shown]) if way.similarity == "cosine" else vectors[shown]
        return table_row(way.name, matches, identities[probes], identities[gallery], compared, identities[shown])

    rows: list[Row] = []
    kept: dict[str, _Vectors] = {}
    for method in (BY_HAND, *methods):
        seen = method.vectors(samples)
        learnt = method.vectors(others) if others is not None else [vectors[learnt_from] for vectors in seen]
        for way, own, theirs in zip(method.ways, seen, learnt, strict=True):
            rows.append(row(way, standardise(own, *statistics(theirs)) if way.standardised else own))
            kept[way.name] = _Vectors(own, theirs)
    taught = others.identities if others is not None else identities[learnt_from]
    if 1 < len(set(taught)) < len(taught):
        fusion, posture = fusion or Fusion(), kept[POSTURE]
        try:
            standard = fit_standard(posture.learnt, taught.tolist(), fusion.shrinkage, fusion.rank)
        except ValueError as error:
            raise DatasetError(f"{split.name}: {error}") from error
        turned = standard(posture.seen)
        rows.append(row(Way(DISCRIMINANTS, "cosine", standardised=False), turned))
        if HEAD in kept:
            joined = fuse([unit(kept[HEAD].seen).astype(np.float32), turned], fusion.weights)
            rows.append(row(Way(FUSED, "cosine", standardised=False), joined))
    people = len(rows[0].curves.people)
    return Table(split.name, "matching", level, len(probes), len(gallery), people, tuple(rows))


def every_walk_once(split: Split) -> Split:
    """Gallery and probes as one set in which every walk is a probe once, against all walks but its own session: more
    probes than one a person, where people are few. Who has one session only is in the gallery alone.

    Raises DatasetError if a session is unknown, or the training part holds any of these walks: then most probes would
    be walks that something was learned from.
    """
    walks = tuple({id(walk): walk for walk in (*split.gallery, *split.probe)}.values())
    sessions: dict[str, set[str]] = {}
    for walk in walks:
        sessions.setdefault(walk.identity, set()).add(walk.session)
    if any("" in own for own in sessions.values()):
        raise DatasetError(f"{split.name}: a walk's recording is not known, so a probe could answer itself")
    if any(walk.session in sessions.get(walk.identity, ()) for walk in split.train):
        raise DatasetError(f"{split.name}: trains on walks of the gallery; take a protocol that trains on other people")
    probes = tuple(walk for walk in walks if len(sessions[walk.identity]) > 1)
    return replace(split, name=f"{split.name}, every walk once", gallery=walks, probe=probes)


def table_row(
    method: str,
    matches: Matches,
    probe_ids: NDArray[np.str_],
    gallery_ids: NDArray[np.str_],
    embedding: Array,
    embedding_labels: NDArray[np.str_],
    nauc: float | None = None,
) -> Row:
    """The row of a comparison; embedding (n, D) and whose it is, at most `MAPPED`, are for the picture.

    Raises DatasetError if there is no genuine or no impostor pair.
    """
    if len(matches.genuine) == 0:
        raise DatasetError("nobody who is asked for is in the gallery with another recording: choose other people")
    if len(matches.impostor) == 0:
        raise DatasetError("gallery and probes are all of one person: there is nobody to be told apart from")
    people = np.union1d(probe_ids, gallery_ids)
    compared = matches.nearest != ""
    confusion = np.zeros((len(people), len(people)), np.int64)
    places = [np.searchsorted(people, names[compared]) for names in (probe_ids, matches.nearest)]
    np.add.at(confusion, tuple(places), 1)
    genuine, impostor = (scores[evenly(len(scores), SCORES)] for scores in (matches.genuine, matches.impostor))
    names, labels = tuple(people.tolist()), tuple(embedding_labels.tolist())
    curves = Curves(genuine, impostor, confusion, names, embedding, labels)
    interval = mean_interval(matches.nearest == probe_ids, probe_ids)
    verification = verify(matches.genuine, matches.impostor)
    return Row(method, embedding.shape[1], matches.retrieval, interval, verification, curves, nauc)


def _chosen(samples: Samples, walks: Sequence[SkeletonSequence]) -> NDArray[np.int64]:
    """Numbers of the samples that come from these walks."""
    wanted = {id(walk) for walk in walks}
    return np.flatnonzero(np.array([id(walk) in wanted for walk in samples.walks])[samples.walk])


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the numbers 0..count-1, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
