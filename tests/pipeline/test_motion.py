"""The motion filter is the Kalman filter of the textbook, written out with matrices."""

import numpy as np
import pytest

from pipeline import motion
from pipeline.motion import BoxMotion

MEASURE = np.eye(3, 6)


def stepped(mean: np.ndarray, covariance: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """x' = A x, P' = A P A^T + Q of constant velocity and white-noise acceleration."""
    step = np.block([[np.eye(3), dt * np.eye(3)], [np.zeros((3, 3)), np.eye(3)]])
    power = np.diag((motion.ACCELERATION * mean[2]) ** 2 * np.array([1.0, 1.0, 0.05]))
    noise = np.block([[power * dt**3 / 3, power * dt**2 / 2], [power * dt**2 / 2, power * dt]])
    return step @ mean, step @ covariance @ step.T + noise


def test_it_follows_as_with_matrices() -> None:
    generator, time = np.random.default_rng(0), 0.0
    trunk, box = np.array([20.0, 30.0]), np.array([0.0, 0.0, 40.0, 100.0])
    deviations = np.array([motion.POSITION_NOISE, motion.POSITION_NOISE, motion.SIZE_NOISE])
    mean = np.array([20.0, 30.0, 100.0, 0.0, 0.0, 0.0])
    covariance = np.diag(np.r_[deviations, motion.START_SPEED, motion.START_SPEED, 0.3] ** 2) * 100.0**2
    found = BoxMotion(time, trunk, box)
    for _ in range(200):
        passed = float(generator.uniform(0.02, 0.5))
        time += passed
        trunk = np.array([20.0 + 30 * time, 30.0]) + generator.normal(size=2)
        seen = box * (1 + 0.1 * generator.normal())
        expected, spread = stepped(mean, covariance, passed)
        innovation = MEASURE @ spread @ MEASURE.T + np.diag((deviations * mean[2]) ** 2)
        off = np.array([*trunk, seen[3]]) - expected[:3]
        told = found.distance(time, trunk, float(seen[3]))
        assert told == pytest.approx(float(off @ np.linalg.solve(innovation, off)), rel=1e-9)
        gain = spread @ MEASURE.T @ np.linalg.inv(innovation)
        mean, covariance = expected + gain @ off, spread - gain @ MEASURE @ spread
        found.update(time, trunk, seen)
