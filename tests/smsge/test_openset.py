"""Open-set figures against cases worked out by hand and against a naive loop."""

import math

import numpy as np
import pytest

from smsge.openset import identify, leave_people_out


def test_rates_by_hand() -> None:
    # Gallery: a, a, b. Strangers x and y reach 0.6 and 0.8.
    similarity = np.array(
        [
            [0.9, 0.1, 0.2],  # a, right
            [0.1, 0.7, 0.3],  # a, right by the second entry
            [0.2, 0.8, 0.3],  # b, taken for a
            [0.1, 0.3, 0.5],  # b, right, but below what x reaches
            [0.6, 0.2, 0.1],  # x
            [0.4, 0.3, 0.8],  # y
        ]
    )
    found = identify(similarity, ["a", "a", "b", "b", "x", "y"], ["a", "a", "b"], fars=(0, 0.5, 1))
    assert (found.enrolled, found.strangers) == (4, 2)
    assert found.rate == {0: 1 / 4, 0.5: 2 / 4, 1: 2 / 4}  # above 0.8; above 0.6; from 0.6 on
    assert found.threshold[0] == pytest.approx(0.8)
    assert found.threshold[0] > 0.8
    assert found.threshold[1] == 0.6


def test_ties_are_lost_and_a_stranger_at_the_threshold_is_an_alarm() -> None:
    # The probe of a is as like b; that of b is as like its own as the stranger is to anybody.
    similarity = np.array([[0.9, 0.9], [0.1, 0.5], [0.5, 0.2]])
    found = identify(similarity, ["a", "b", "x"], ["a", "b"], fars=(0, 1))
    assert found.rate == {0: 0.0, 1: 0.5}
    # a constant embedding finds nobody
    assert identify(np.ones((3, 2)), ["a", "b", "x"], ["a", "b"], fars=(1,)).rate == {1: 0.0}


def test_entries_of_the_probes_own_clip_are_left_out() -> None:
    similarity = np.array([[1.0, 0.5, 0.4], [0.2, 0.7, 0.3], [0.1, 0.3, 0.2]])
    ids, clips = ["a", "b", "a"], ["1", "2", "3"]
    probes = ["a", "b", "x"]
    assert identify(similarity, probes, ids, fars=(0,)).rate == {0: 1.0}
    found = identify(similarity, probes, ids, ["1", "2", ""], clips, fars=(0,))
    assert found.rate == {0: 0.0}  # a is more like b then, and b has nothing left to find: a miss, no stranger
    assert (found.enrolled, found.strangers) == (2, 1)


def test_without_strangers_or_without_enrolled_there_is_no_rate() -> None:
    for probes in (["a"], ["x"]):
        found = identify(np.array([[0.5]]), probes, ["a"])
        assert all(map(math.isnan, found.rate.values()))
        assert found.enrolled + found.strangers == 1
    assert math.isnan(leave_people_out(lambda _: np.array([[0.5]]), ["a"], ["a"]).rate[0.01])
    with pytest.raises(ValueError, match="2 probes and 1 entries"):
        identify(np.ones((1, 1)), ["a", "b"], ["a"])


def test_leaving_people_out_of_two_by_hand() -> None:
    # Whoever of the two is enrolled is found, for nobody else is there; the other one's probe is the stranger.
    similarity = np.array([[0.9, 0.3], [0.4, 0.6]])
    found = leave_people_out(lambda _: similarity, ["a", "b"], ["a", "b"], fars=(0.1, 1))
    assert (found.enrolled, found.strangers) == (20, 20)
    assert found.rate == {0.1: 1.0, 1: 1.0}
    assert 0.4 < found.threshold[0.1] <= 0.6
    assert found.threshold[1] == 0.3


def test_leaving_people_out_is_a_loop_over_halves() -> None:
    rng = np.random.default_rng(4)
    gallery, probes = rng.choice(list("abcdefg"), 30), rng.choice(list("abcdefgx"), 60)  # x is a stranger always
    gallery[:7] = list("abcdefg")
    similarity = rng.normal(size=(60, 30)) + 1.5 * (probes[:, None] == gallery)
    found = leave_people_out(lambda _: similarity, probes, gallery, fars=(0.1,), folds=5, seed=9)
    draw = np.random.default_rng(9)
    right, strangers, half = [], [], np.zeros(0, np.str_)
    for fold in range(5):
        half = np.array(list("abcdefg"))[draw.permutation(7)[:4]] if fold % 2 == 0 else half
        enrolled = half if fold % 2 == 0 else sorted(set("abcdefg") - set(half))
        for row, name in zip(similarity, probes, strict=True):
            left = np.isin(gallery, enrolled)
            if name in enrolled:
                nearest = np.flatnonzero(left)[row[left].argmax()]
                right.append(row[nearest] if gallery[nearest] == name else -np.inf)
            else:
                strangers.append(row[left].max())
    limit = np.sort(strangers)[::-1][math.floor(0.1 * len(strangers))]
    assert found.rate[0.1] == pytest.approx(np.mean(np.array(right) > limit))
    assert 0.1 < found.rate[0.1] < 0.9
    assert (found.enrolled, found.strangers) == (len(right), len(strangers))
    assert found == leave_people_out(lambda _: similarity, probes, gallery, fars=(0.1,), folds=5, seed=9)
    assert found != leave_people_out(lambda _: similarity, probes, gallery, fars=(0.1,), folds=5, seed=8)


def test_what_is_compared_knows_who_is_enrolled() -> None:
    gallery = ["a", "a", "b", "c"]
    told: list[tuple[bool, ...]] = []

    def similarity(enrolled: np.ndarray) -> np.ndarray:
        told.append(tuple(enrolled.tolist()))
        return np.where(enrolled, np.array([[0.9, 0.8, 0.1, 0.2]]), 1.0)  # who is not enrolled is of no account

    found = leave_people_out(similarity, ["a"], gallery, fars=(1,), folds=10)
    assert found.rate == {1: 1.0}
    assert found.threshold[1] <= 0.2
    assert all(first == second for first, second, *_ in told)
    assert {sum(fold[1:]) for fold in told} == {1, 2}
