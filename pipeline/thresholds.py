"""Which similarity is enough: by the share of strangers that may pass, and by how many templates are compared.

A probe is compared with a person's every template and with their mean, and the best counts, so a stranger with eight
templates passes more easily than one with one. The thresholds are quantiles of comparisons of known people, kept only
as far as there are enough comparisons to tell them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError, DatasetError
from pipeline.in_common import ALIKE, Common, about_centres
from smsge.matching import pair_scores, threshold_at_far
from smsge.nearness import nearness_to_one

Array = NDArray[np.floating]

FAR = 0.01
"""The false accept rate unless another is asked for."""

RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0001)
"""False accept (and false reject) rates that are estimated."""

HELD = (1, 2, 4, 8)
"""Numbers of templates for which they are estimated."""

FEWEST = 5
"""Comparisons that must lie beyond a threshold for its rate to be believed."""

TAIL = 0.05
"""Rates up to this one say how thresholds rise where comparisons are too few to tell: the upper end of rendered
strangers' similarities falls off as that of a normal distribution does. Real ones who are alike can do otherwise."""

MOST = 64
"""Rates, and numbers of templates, believed in a file."""

_NORMAL = NormalDist()

_FINE = 1e6  # similarities are told in millionths, rounded so that no more pass and no more are rejected


@dataclass(frozen=True)
class Thresholds:
    """Similarities from which a probe is taken for somebody, and below which for somebody else.

    rates: R false accept rates, falling. templates: n numbers of templates, rising. similarity: n rows of R cosines in
    [-1, 1]; the one of (templates[i], rates[j]) is reached by a share rates[j] of comparisons of a probe with another
    person of that many templates. rejects: (rate, cosine), rates falling: a share `rate` of comparisons of two tracks
    of one person stays below; empty where that is not known. people, pairs: whose comparisons these are, and the least
    number of them behind a row; 0 where nobody knows. alike: what strangers filmed by the cameras in question have in
    common (`smsge.centring.alike_of`), `ALIKE` where nobody has looked.

    Raises ValueError where the numbers cannot be such.
    """

    rates: tuple[float, ...]
    templates: tuple[int, ...]
    similarity: tuple[tuple[float, ...], ...]
    rejects: tuple[tuple[float, float], ...] = ()
    people: int = 0
    pairs: int = 0
    alike: float = ALIKE

    def __post_init__(self) -> None:
        if not 0 < len(self.rates) <= MOST or not 0 < len(self.templates) <= MOST or len(self.rejects) > MOST:
            raise ValueError(f"thresholds must have from 1 to {MOST} rates and numbers of templates")
        _check_rates(self.rates)
        _check_rates([rate for rate, _ in self.rejects])
        if self.templates[0] < 1 or not all(a < b for a, b in pairwise(self.templates)):
            raise ValueError("numbers of templates must rise from 1")
        if [len(row) for row in self.similarity] != [len(self.rates)] * len(self.templates):
            raise ValueError("thresholds must have a row for each number of templates and a column for each rate")
        columns = zip(*self.similarity, strict=True)
        for line in (*self.similarity, *columns, [value for _, value in self.rejects][::-1]):
            _check_similarities(line)
        if self.people < 0 or self.pairs < 0:
            raise ValueError("numbers of people and pairs cannot be negative")
        if not -1 <= self.alike <= 1:
            raise ValueError("what strangers have in common must be from -1 to 1")

    @classmethod
    def single(cls, threshold: float) -> "Thresholds":
        """Those of which no more is known than one similarity, for the rate `FAR`, whatever the templates."""
        return cls((FAR,), (1,), ((float(threshold),),))

    @classmethod
    def fit(
        cls,
        similarity: Array,
        people: Sequence[str] | NDArray[np.str_],
        clips: Sequence[str] | NDArray[np.str_],
        generator: np.random.Generator,
        far: float = FAR,
        kinds: Sequence[str] | NDArray[np.str_] | None = None,
    ) -> "Thresholds":
        """From N tracks: cosines (N, N), whose they are and of which clip. Tracks of one clip are never compared.

        kinds: how each was filmed, where that differs. Strangers filmed alike are the more alike: only these are
        compared, and of the kinds that can tell a rate the strictest says what it takes, so that it holds for each.
        Rates go no further than the kind tells that is the strictest at `far`: others ask for too little.
        A person's n templates are drawn from their tracks by `generator`, each track being in as many draws as any
        other. A number n above 1 is left out where less than a quarter of the people have as many tracks, or where the
        comparisons are too few for the rate `far`. Raises DatasetError where they are too few with one template.
        """
        names, where = np.asarray(people, np.str_), np.asarray(clips, np.str_)
        _, persons, counts = np.unique(names, return_inverse=True, return_counts=True)
        footage = np.where(where == "", -1, np.unique(where, return_inverse=True)[1])
        alike = np.zeros(len(names)) if kinds is None else np.asarray(kinds)
        groups = [np.flatnonzero(alike == kind) for kind in np.unique(alike)]
        scores = {}
        for held in HELD:
            found = [_impostors(similarity[np.ix_(own, own)], persons[own], footage[own], held, generator)
                     for own in groups]  # fmt: skip
            most = max(map(len, found), default=0)
            if held == 1:
                _refuse_few(len(counts), most, far)
            if np.mean(counts >= held) >= 0.25 and _can_tell(far, most):
                scores[held] = found
        rate = max(one for one in RATES if one <= far)
        strictest_at_far = scores[1][int(np.nanargmax([_told(own, rate) for own in scores[1]]))]
        pairs = min(len(strictest_at_far), *(max(map(len, found)) for found in scores.values()))
        rates = _supported(pairs)
        told = {held: np.array([[_told(own, rate) for rate in rates] for own in found])
                for held, found in scores.items()}  # fmt: skip
        # What more templates ask for is known of the kinds in which people have so many tracks, and holds for all.
        strictest = np.nanmax(told[1], axis=0)
        table = [strictest + np.nanmax(rows - told[1], axis=0) for rows in told.values()]
        # People who have eight tracks are others than those who have one, and a kind that can tell a small rate may not
        # be the strictest: chance must make no row, and no smaller rate, lower.
        whole = np.clip(np.ceil(_FINE * np.array(table)) / _FINE, -1, 1)
        rising = np.maximum.accumulate(np.maximum.accumulate(whole, axis=0), axis=1)
        genuine = np.sort(pair_scores(similarity, names, names, where, where)[0])
        rejects = [
            (rate, math.floor(_FINE * genuine[math.floor(rate * len(genuine))]) / _FINE)
            for rate in _supported(len(genuine))
        ]
        return cls(
            rates,
            tuple(scores),
            tuple(tuple(row) for row in rising.tolist()),
            tuple((rate, min(1.0, max(-1.0, value))) for rate, value in rejects),
            people=len(counts),
            pairs=pairs,
        )

    @classmethod
    def from_json(cls, document: object) -> "Thresholds":
        """What `json` wrote. Nothing in it is believed: raises ValueError for anything else."""
        if not isinstance(document, dict):
            raise ValueError("thresholds are not an object")
        try:
            return cls(
                tuple(map(_real, document["rates"])),
                tuple(map(_whole, document["templates"])),
                tuple(tuple(map(_real, row)) for row in document["similarity"]),
                tuple((_real(rate), _real(value)) for rate, value in document["rejects"]),
                people=_whole(document["people"]),
                pairs=_whole(document["pairs"]),
                alike=_real(document.get("alike", ALIKE)),  # which older files do not have
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"thresholds are not as they should be ({error})") from error

    def json(self) -> dict[str, Any]:
        """Plain lists and numbers, for a file."""
        return {
            "rates": list(self.rates),
            "templates": list(self.templates),
            "similarity": [list(row) for row in self.similarity],
            "rejects": [list(pair) for pair in self.rejects],
            "people": self.people,
            "pairs": self.pairs,
            "alike": self.alike,
        }

    def at(self, far: float, templates: int = 1) -> float:
        """The similarity that a share `far` of comparisons with somebody else of so many templates reaches, in [-1, 1].

        Between the rates and numbers known it is linear in log(far) and log2(templates); beyond the largest it is that
        of the largest. Raises ConfigError where `far` is smaller than the comparisons could tell.
        """
        if self.rates == (FAR,) and far != FAR:
            raise ConfigError(
                f"a false accept rate of {far:g} was asked for, of which this encoder knows nothing, only of {FAR:g}:"
                " calibrate on people of your own, with `reid calibrate FOLDER`"
            )
        if far < self.rates[-1]:
            raise ConfigError(
                f"a false accept rate of {far:g} was asked for, {self.rates[-1]:g} is the smallest that the calibration"
                f" supports: ask for that, or calibrate on more people with `reid calibrate FOLDER`"
            )
        column = [_between(far, self.rates, row) for row in self.similarity]
        return float(np.interp(math.log2(max(templates, 1)), np.log2(self.templates), column))

    def among(self, far: float, people: int, templates: int = 1) -> float:
        """The similarity that a share `far` of strangers reaches with any of so many people, the one they are most like
        having so many templates, in [-1, 1].

        Each comparison is given an equal part of the rate (Bonferroni). A part smaller than what the calibration tells
        is taken from the line on which its thresholds lie over the quantiles of a normal distribution. Raises
        ConfigError as `at`.
        """
        known = self.at(far, templates)
        each = far / max(people, 1)
        if each >= self.rates[-1]:
            return max(known, self.at(each, templates))
        return min(1.0, max(known, self.at(self.rates[-1], templates)) + self._rise(each))

    def asked(self, far: float, gallery: Common, templates: int = 1, probes: Common | None = None) -> float:
        """What a search asks for in a gallery: `among` its people, and more while they are few (`about_centres`).

        probes: what is known of the camera that filmed the probe, if it is; else the gallery has to show that too.
        Raises ConfigError as `at`.
        """
        needed = self.among(far, gallery.people, templates)
        return about_centres(needed, gallery, gallery if probes is None else probes, self.alike)

    def _rise(self, rate: float) -> float:
        """How far above that of the smallest known rate the threshold of a smaller one lies; 0 where one rate alone is
        known of the tail."""
        told = [place for place, known in enumerate(self.rates) if known <= TAIL]
        if len(told) < 2:
            return 0.0
        quantiles = [-_NORMAL.inv_cdf(self.rates[place]) for place in told]
        slope = np.polyfit(quantiles, [self.similarity[0][place] for place in told], 1)[0]
        return float(slope) * (-_NORMAL.inv_cdf(rate) - quantiles[-1])

    def below(self, frr: float) -> float | None:
        """The similarity that only a share `frr` of comparisons of one person with themselves stays below, in [-1, 1];
        None where the comparisons could not tell."""
        if not self.rejects or frr < self.rejects[-1][0]:
            return None
        rates, values = zip(*self.rejects, strict=True)
        return _between(frr, rates, values)


def _impostors(
    similarity: Array, people: NDArray[np.int64], clips: NDArray[np.int64], held: int, generator: np.random.Generator
) -> Array:
    """Each track against every draw of `held` tracks of each other person, as `smsge.nearness` has it, (K,).
    people, clips: (N,), equal where the tracks' are; an unknown clip is -1 and equals no other."""
    found: list[Array] = [np.zeros(0)]
    for person in np.unique(people):
        others = people != person
        for draw in _draws(np.flatnonzero(people == person), held, generator):
            apart = others & ((clips[:, None] != clips[draw]) | (clips[draw] < 0)).all(axis=1)
            found.append(nearness_to_one(similarity[np.ix_(apart, draw)], similarity[np.ix_(draw, draw)]))
    return np.concatenate(found)


def _draws(tracks: NDArray[np.int64], held: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Sets of `held` of a person's tracks: neighbours in a random circle of them, or all of them at once."""
    circle = generator.permutation(tracks)
    if held == len(circle):
        yield circle
    elif held < len(circle):
        for start in range(len(circle)):
            yield np.roll(circle, -start)[:held]


def _told(scores: Array, rate: float) -> float:
    """The threshold that a share `rate` of the scores reaches; nan where they are too few to tell."""
    return threshold_at_far(scores, rate) if rate * len(scores) >= FEWEST else math.nan


def _supported(comparisons: int) -> tuple[float, ...]:
    """The rates that so many comparisons can tell."""
    return tuple(rate for rate in RATES if rate * comparisons >= FEWEST)


def _can_tell(far: float, comparisons: int) -> bool:
    return any(rate <= far for rate in _supported(comparisons))


def _refuse_few(people: int, comparisons: int, far: float) -> None:
    if _can_tell(far, comparisons):
        return
    needed = math.ceil(FEWEST / max((rate for rate in RATES if rate <= far), default=far))
    rates = _supported(comparisons)
    best = f"{rates[-1]:g} is the smallest rate that they tell" if rates else "they tell no rate at all"
    raise DatasetError(
        f"{people} people gave {comparisons} comparisons with strangers, a false accept rate of {far:g} needs {needed}"
        f" ({best}): give more people, or more clips of each"
    )


def _between(rate: float, rates: Sequence[float], values: Sequence[float]) -> float:
    """Linear in log(rate) between the falling `rates`; the value of the first or last one beyond them."""
    return float(np.interp(-math.log(rate), -np.log(rates), values))


def _check_rates(rates: Sequence[float]) -> None:
    if not all(0 < rate <= 1 for rate in rates) or not all(a > b for a, b in pairwise(rates)):
        raise ValueError("rates of thresholds must fall, from at most 1, and stay above 0")


def _check_similarities(values: Sequence[float]) -> None:
    if not all(-1 <= value <= 1 for value in values) or not all(a <= b for a, b in pairwise(values)):
        raise ValueError("thresholds must be from -1 to 1, and not fall as strangers are let pass more rarely")


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a threshold is not a finite number")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError("a count of thresholds is not a whole number")
    return value
