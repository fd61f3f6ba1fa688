"""Paths are what they say: as long, closed or open, and headed the way they go."""

import numpy as np
import pytest

from pipeline.synthetic.path import loop, straight


def test_a_loop_has_its_perimeter_and_comes_back() -> None:
    path = loop(9.0, 1.5, 0.4, centre=(1.0, -2.0))
    assert path.length == pytest.approx(9.0, rel=0.01)
    np.testing.assert_allclose(path.at(np.array([0.0])), path.at(np.array([path.length])), atol=1e-6)
    np.testing.assert_allclose(path.points.mean(0), (1.0, -2.0), atol=0.02)


def test_once_round_a_loop_turns_once() -> None:
    path = loop(9.0)
    turned = np.ptp(path.heading(np.linspace(0.0, path.length, 400)))
    assert turned == pytest.approx(2 * np.pi, abs=0.05)


def test_a_straight_line_goes_on_beyond_its_ends() -> None:
    path = straight((1.0, 0.0), np.pi / 2, 2.0)
    np.testing.assert_allclose(path.at(np.array([-1.0, 0.0, 2.0, 3.0])), [[0, 0], [1, 0], [3, 0], [4, 0]], atol=1e-9)
    np.testing.assert_allclose(path.heading(np.array([0.5, 2.5])), np.pi / 2)
