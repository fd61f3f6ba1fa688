"""Nearness to people of several templates, worked out by hand."""

import numpy as np
import pytest

from smsge.nearness import by_person, nearness, nearness_to_one


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_probe_between_two_templates_is_nearer_to_their_mean() -> None:
    templates = unit((1, 1, 0), (1, -1, 0), (0, 0, 1))
    told = nearness(unit((1, 0, 0), (1, 1, 0), (0, 0, 1)), templates, np.array([0, 2]))
    expected = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]  # in turn the mean of both, the first of them, the other person
    assert told == pytest.approx(np.array(expected), abs=1e-6)


def test_one_person_is_told_from_cosines_alone() -> None:
    generator = np.random.default_rng(0)
    templates, probes = unit(*generator.normal(size=(4, 6)) + 1.0), unit(*generator.normal(size=(9, 6)))
    probes = np.concatenate([probes, unit(templates.sum(axis=0))])
    alone = nearness_to_one(probes @ templates.T, templates @ templates.T)
    assert alone == pytest.approx(nearness(probes, templates, np.array([0]))[:, 0], abs=1e-6)
    assert (alone >= (probes @ templates.T).max(axis=1) - 1e-6).all()
    assert (alone > (probes @ templates.T).max(axis=1) + 1e-3).any()


def test_templates_that_cancel_out_have_no_mean() -> None:
    templates = unit((1, 0), (-1, 0))
    assert nearness(unit((0, 1)), templates, np.array([0])) == pytest.approx(np.array([[0.0]]))
    assert nearness_to_one(np.zeros((1, 2)), templates @ templates.T) == pytest.approx([0.0])


def test_templates_are_put_together_by_person() -> None:
    names, order, starts = by_person(np.array(["b", "a", "b", "c", "a"]))
    assert (names.tolist(), order.tolist(), starts.tolist()) == (["a", "b", "c"], [1, 4, 0, 2, 3], [0, 2, 4])
