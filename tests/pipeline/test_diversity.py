"""Which templates are kept, by hand and against every other choice."""

from itertools import combinations

import numpy as np
import pytest

from pipeline.diversity import diverse


def at(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_best_first_and_then_the_farthest() -> None:
    walks = at(0, 1, 2, 90, 40)
    quality = np.array([0.5, 0.9, 0.6, 0.2, 0.8])
    assert [diverse(walks, quality, most).tolist() for most in (1, 2, 3, 4)] == [[1], [1, 3], [1, 3, 4], [1, 2, 3, 4]]


def test_of_equals_the_better_then_the_earlier() -> None:
    walks = at(0, 60, -60, 60, 60)
    assert diverse(walks, np.array([0.9, 0.1, 0.3, 0.4, 0.4]), 2).tolist() == [0, 3]
    assert diverse(at(5, 5, 5, 5), np.full(4, 0.5), 3).tolist() == [0, 1, 2]


def test_few_enough_are_all_kept_and_none_is_no_choice() -> None:
    assert diverse(at(0, 1), np.zeros(2), 2).tolist() == [0, 1]
    assert diverse(at(), np.zeros(0), 2).tolist() == []
    with pytest.raises(ValueError, match="at least one"):
        diverse(at(0), np.zeros(1), 0)


def test_what_is_left_out_is_at_most_twice_as_far_as_in_the_best_choice() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.normal(size=(10, 3))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        distance = np.linalg.norm(x[:, None] - x, axis=2)
        kept = diverse(x, rng.random(10), 3)
        assert len(set(kept.tolist())) == 3
        best = min(distance[:, list(choice)].min(axis=1).max() for choice in combinations(range(10), 3))
        assert distance[:, kept].min(axis=1).max() <= 2 * best + 1e-9
