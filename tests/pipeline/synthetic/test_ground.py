"""A slope is a plane, and what is laid onto it keeps its distances to it."""

import numpy as np

from pipeline.synthetic.ground import Ground

POINTS = np.random.default_rng(0).uniform(-1.0, 1.0, (20, 3)) + np.array([0.0, 1.0, 0.0])


def test_level_ground_changes_nothing() -> None:
    np.testing.assert_allclose(Ground().lay(POINTS), POINTS, atol=1e-15)
    np.testing.assert_allclose(Ground(0.0, 1.0).tilt, np.eye(3), atol=1e-15)


def test_it_climbs_where_it_says() -> None:
    ground = Ground(0.1, np.pi / 2)  # towards +x
    assert ground.height(np.array([[2.0, 5.0, 3.0]]))[0] > 0.19
    np.testing.assert_allclose(ground.climb(np.array([np.pi / 2, 0.0, -np.pi / 2])), [0.1, 0.0, -0.1], atol=1e-12)


def test_points_are_as_far_above_it_as_they_were() -> None:
    ground = Ground(0.1, 0.7)
    laid = ground.lay(POINTS)
    normal = ground.tilt[:, 1]
    np.testing.assert_allclose(laid @ normal, POINTS[:, 1], atol=1e-12)
    assert normal[1] > 0.99
    np.testing.assert_allclose(ground.tilt @ ground.tilt.T, np.eye(3), atol=1e-12)
