"""Rotations and easing, for whole series of times at once."""

import numpy as np


def about(axis: int, angle: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations by (T,) radians about x (0), y (1) or z (2)."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*np.shape(angle), 3, 3))
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i], matrix[..., j, j] = c, c
    matrix[..., i, j], matrix[..., j, i] = -s, s
    return matrix


def turn(matrix: np.ndarray, vector: tuple[float, float, float]) -> np.ndarray:
    return np.asarray(matrix @ np.asarray(vector))


def smooth_step(value: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 over [0, 1]."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped))


def orthonormal(matrix: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ vt)
