"""Intervals by person: how often they hold the truth, and what they are where there is little to draw from."""

import math

import numpy as np
import pytest

from smsge.bootstrap import mean_interval


def test_two_people_by_hand() -> None:
    # Drawn are aa (mean 1), ab or ba (mean 1/4: one probe of a, three of b) and bb (mean 0), 1/4, 1/2 and 1/4 of times.
    values, people = np.array([1, 0, 0, 0]), ["a", "b", "b", "b"]
    assert mean_interval(values, people) == (0, 1)
    assert mean_interval(values, people, level=0.4) == (0.25, 0.25)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = held_by_probe = 0
    for trial in range(300):
        chances = rng.beta(1, 1, size=40)  # people differ, the mean over all of them is 1/2
        hits = (rng.random((40, 8)) < chances[:, None]).astype(float).ravel()
        low, high = mean_interval(hits, np.repeat(np.arange(40), 8).astype(str), draws=400, seed=trial)
        held += low <= 0.5 <= high
        low, high = mean_interval(hits, np.arange(320).astype(str), draws=400, seed=trial)
        held_by_probe += low <= 0.5 <= high
    assert 0.90 < held / 300 < 0.985
    assert held_by_probe / 300 < 0.85  # as if every probe were another person: too sure of itself


def test_it_is_the_same_for_the_same_seed_and_whatever_the_order() -> None:
    rng = np.random.default_rng(0)
    values, people = rng.random(50), rng.choice(list("abcdefgh"), 50)
    interval = mean_interval(values, people)
    assert interval == mean_interval(values, people)
    assert interval != mean_interval(values, people, seed=1)
    order = rng.permutation(50)
    assert interval == pytest.approx(mean_interval(values[order], people[order]))
    assert interval[0] < values.mean() < interval[1]


def test_one_person_or_none_says_nothing_and_all_alike_everything() -> None:
    for people in (["a", "a"], []):
        assert all(map(math.isnan, mean_interval(np.ones(len(people)), people)))
    assert mean_interval(np.ones(4), ["a", "a", "b", "c"]) == (1, 1)
    with pytest.raises(ValueError, match="2 values of 1 probes"):
        mean_interval(np.ones(2), ["a"])
