"""Embeddings about the centre of a gallery: whose it is, and what it takes off."""

import numpy as np
import pytest

from smsge.centring import PRIOR, alike_of, as_in_a_gallery, centre_of, centred
from smsge.matching import cosine


def units(count: int, size: int = 64, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, size))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_people_count_and_not_their_templates() -> None:
    vectors = units(6)
    centre = centre_of(vectors, ["b", "a", "a", "b", "a", "c"])
    means = vectors[[1, 2, 4]].mean(axis=0), vectors[[0, 3]].mean(axis=0), vectors[5]
    np.testing.assert_allclose(centre, sum(means) / (3 + PRIOR), atol=1e-7)
    twice = centre_of(vectors[[0, 0, 1, 1, 1]], ["a", "a", "b", "b", "b"])
    np.testing.assert_allclose(twice, centre_of(vectors[:2], ["a", "b"]), atol=1e-7)


def test_labels_may_be_an_array_of_names_or_numbers_in_any_order() -> None:
    vectors = units(5)
    names = np.array(["x", "y", "x", "z", "z"])
    for people, order in ((names, range(5)), (np.array([7, 1, 7, 3, 3]), range(5)), (names[::-1], range(4, -1, -1))):
        np.testing.assert_allclose(centre_of(vectors[list(order)], people), centre_of(vectors, names), atol=1e-7)


def test_the_prior_keeps_the_centre_of_few_near_the_origin() -> None:
    vector = units(1)
    np.testing.assert_allclose(centre_of(vector, ["a"]), vector[0] / (1 + PRIOR), atol=1e-7)
    for count in (1, 4, 100):
        equal = np.repeat(vector, count, axis=0)
        assert np.linalg.norm(centre_of(equal, np.arange(count))) == pytest.approx(count / (count + PRIOR), abs=1e-6)


def test_nobody_is_the_centre_of_a_gallery_of_one_or_two() -> None:
    both = np.eye(64)[:2]
    alone = centred(both[:1], centre_of(both[:1], ["a"]))
    np.testing.assert_allclose(alone, both[:1], atol=1e-6)  # only shorter, and then of unit length again
    centre = centre_of(both, ["a", "b"])
    moved = centred(both, centre)
    assert (moved * both).sum(axis=1).min() > 0.95
    assert moved[0] @ moved[1] == pytest.approx(-10 / 26)  # about their own mean they would be opposites


def test_no_one_is_no_centre() -> None:
    centre = centre_of(np.zeros((0, 3)), [])
    np.testing.assert_array_equal(centre, np.zeros(3, np.float32))
    np.testing.assert_allclose(centred(units(4, 3), centre), units(4, 3), atol=1e-7)


def test_what_is_centred_has_unit_length() -> None:
    vectors = units(20)
    moved = centred(vectors, centre_of(vectors, np.arange(20)))
    assert (moved.shape, moved.dtype) == ((20, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)
    assert np.isfinite(centred(vectors[:1], vectors[0])).all()  # the centre itself has no direction, and stays finite


def test_how_alike_people_are_is_the_mean_of_their_cosines() -> None:
    vectors, people = units(6), np.array(["a", "b", "b", "c", "c", "c"])
    cosines = vectors @ vectors.T
    pairs = [cosines[np.ix_(people == a, people == b)].mean() for a, b in (("a", "b"), ("a", "c"), ("b", "c"))]
    assert alike_of(vectors, people) == pytest.approx(float(np.mean(pairs)), abs=1e-6)
    assert alike_of(vectors[1:3], people[1:3]) is None


def test_an_offset_of_everybody_vanishes_the_more_people_there_are() -> None:
    offset = units(1, seed=1)
    left = []
    for count in (2, 10, 100, 1000):
        vectors = units(count) + offset
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        strangers = units(50, seed=2) + offset
        strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
        centre = centre_of(vectors, np.arange(count))
        left.append(float(cosine(centred(strangers, centre), centred(vectors, centre)).mean()))
        assert float(cosine(strangers, vectors).mean()) == pytest.approx(0.5, abs=0.1)
    assert left == sorted(left, reverse=True)
    assert left[-1] == pytest.approx(0, abs=0.02)


def test_a_stranger_is_not_in_the_centre_and_the_same_person_is() -> None:
    generator = np.random.default_rng(2)
    people = np.repeat([f"p{number}" for number in range(6)], 3)
    vectors = generator.normal(size=(18, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = as_in_a_gallery(vectors, people)
    others = people != "p0"
    centre = centre_of(vectors[others], people[others])
    stranger = centred(vectors[:1], centre) @ centred(vectors[others], centre).T
    np.testing.assert_allclose(found[0, others], stranger[0], atol=1e-6)
    own = centred(vectors, centre_of(vectors, people))
    np.testing.assert_allclose(found[0, :3], own[0] @ own[:3].T, atol=1e-6)
    assert np.abs(found[0, 3:6] - found[3:6, 0]).max() > 1e-4  # who is enrolled and who asks is not the same
    np.testing.assert_allclose(as_in_a_gallery(vectors[:3], people[:3]), own[:3] @ own[:3].T, atol=0.5)
