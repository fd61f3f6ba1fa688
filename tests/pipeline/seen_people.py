"""Sightings of people who go where a test says, and nothing else about them."""

import numpy as np
from stick_people import Stick

from pipeline.sightings import Sightings

SIZE = 100.0
"""Pixels of a body, about."""


def seen(times: np.ndarray, ways: np.ndarray, seed: int = 0, noise: float = 1.0) -> Sightings:
    """A walker whose middle is at `ways` (T, 2) pixels at `times`, each joint off by about `noise` pixels."""
    generator = np.random.default_rng(seed)
    rows = Sightings()
    for time, way in zip(times.tolist(), ways, strict=True):
        person = Stick().person(time, np.pi / 2, (float(way[0]), float(way[1])))
        image = person.image + generator.normal(scale=noise, size=person.image.shape)
        rows.add(time, round(time * 15), type(person)(person.box, image, person.world, person.visibility), None)
    return rows


def across(times: np.ndarray, x: np.ndarray | float, y: float = 240.0) -> np.ndarray:
    """(T, 2): along x at the height y."""
    return np.stack(np.broadcast_arrays(np.asarray(x, np.float64), np.full(len(times), y)), axis=1)
