"""Paths are what they say: as long, closed or open, and headed the way they go."""

import numpy as np
import pytest

from pipeline.synthetic.path import bends, loop, straight, to_and_fro


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


@pytest.mark.parametrize("angle", [0.6, np.pi / 2, -np.pi])
def test_a_bend_is_as_long_and_turns_as_far_as_it_says(angle: float) -> None:
    path = bends((1.0, 2.0), 0.3, [(2.0, 0.0), (3.0, angle), (2.0, 0.0)])
    assert path.length == pytest.approx(7.0, rel=0.001)
    np.testing.assert_allclose(path.points[0], (1.0, 2.0))
    heading = path.heading(np.array([0.3, 3.5, 6.7]))
    np.testing.assert_allclose(heading, 0.3 + angle * np.array([0.0, 0.5, 1.0]), atol=0.01)


def test_a_bend_to_the_left_goes_to_the_left() -> None:
    """Left of +z is +x."""
    assert bends((0.0, 0.0), 0.0, [(4.0, 1.0)]).points[-1, 0] > 0.5


def test_an_s_ends_in_the_direction_it_began_in() -> None:
    path = bends((0.0, 0.0), 0.0, [(4.0, 1.0), (4.0, -1.0)])
    assert path.heading(np.array([7.9]))[0] == pytest.approx(0.0, abs=0.1)
    assert path.heading(np.array([4.0]))[0] > 0.7


def test_bends_come_and_go_smoothly() -> None:
    path = bends((0.0, 0.0), 0.0, [(2.0, 0.0), (2.0, np.pi), (2.0, 0.0)])
    curvature = np.diff(path.heading(np.linspace(0.3, 5.7, 55), 0.3)) / 0.1
    assert curvature.max() == pytest.approx(np.pi / 2, rel=0.02)
    assert np.abs(np.diff(curvature)).max() < 1.2 * 0.1 * (np.pi / 2) / 0.8


@pytest.mark.parametrize("left", [True, False])
def test_to_and_fro_comes_back_beside_the_way_there(left: bool) -> None:
    path = to_and_fro(4.0, 0.8, 0.0, left, centre=(1.0, 1.0))
    assert path.length == pytest.approx(2 * 4.0 + 2 * np.pi * 0.8, rel=0.01)
    there, back = path.at(np.array([0.0, path.length / 2]))
    np.testing.assert_allclose(there, (1.0 - 0.8 * (1 if left else -1), 1.0), atol=0.01)
    np.testing.assert_allclose(back, (1.0 + 0.8 * (1 if left else -1), 1.0), atol=0.05)
    heading = path.heading(np.linspace(0.0, path.length, 401))[::200]
    np.testing.assert_allclose(heading, np.array([0.0, 1.0, 2.0]) * np.pi * (1 if left else -1), atol=0.05)
