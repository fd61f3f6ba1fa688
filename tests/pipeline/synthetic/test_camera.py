"""Cameras see the front of who walks towards them, and rays go where points are drawn."""

import numpy as np

from pipeline.synthetic.camera import Camera


def test_what_it_aims_at_is_in_the_middle() -> None:
    camera = Camera(0.7, 5.0, 2.0, 400.0, 320, 240, aim=0.9, target=(1.0, 2.0))
    np.testing.assert_allclose(camera.project(np.array([1.0, 0.9, 2.0])), (160, 120), atol=1e-9)


def test_axes_are_right_down_and_away() -> None:
    camera = Camera(0.0, 5.0, 1.0, 400.0, 320, 240, aim=1.0)
    np.testing.assert_allclose(camera.to_camera(np.array([1.0, 1.0, 0.0])), (1, 0, 5), atol=1e-9)
    np.testing.assert_allclose(camera.to_camera(np.array([0.0, 0.0, 1.0])), (0, 1, 4), atol=1e-9)
    assert np.linalg.det(Camera(2.0, 4.0, 2.5, 400.0, 320, 240).rotation) > 0.999


def test_rays_go_through_their_pixels() -> None:
    camera = Camera(-1.2, 4.0, 2.2, 300.0, 64, 48)
    points = camera.place + 3.0 * camera.rays()
    x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    np.testing.assert_allclose(camera.project(points), np.stack([x, y], -1), atol=1e-6)
