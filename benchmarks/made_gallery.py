"""Galleries of as many templates as wanted, drawn as the shipped encoder's are, and probes for them.

There are directions in which people differ and directions in which the walks of one person do, each with the variance
measured on 1,527 tracks of 701 rendered people (`BETWEEN`, `WITHIN`); eight templates of two seconds a person.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline.gallery import Gallery

DIM = 192
EACH = 8
FRAMES = 30
ENCODER = {"fingerprint": "b" * 64, "encoder_name": "benchmark", "dim": DIM}

BETWEEN = {1: 0.070, 2: 0.037, 4: 0.0245, 8: 0.0103, 16: 0.0043, 30: 0.0017, 64: 3e-4, 128: 5e-5, 192: 1e-5}
WITHIN = {1: 0.051, 4: 0.031, 8: 0.021, 16: 0.0112, 32: 0.0054, 48: 0.0034, 64: 0.0022, 96: 9e-4, 128: 3.8e-4,
          160: 1.2e-4, 192: 3e-5}  # fmt: skip
"""Variances along the first, second … direction in which people, and the walks of one person, differ most."""

SHARED = 0.14
"""Length of the mean of all embeddings."""


def spread(variances: dict[int, float], generator: np.random.Generator) -> np.ndarray:
    """(D, D) float32 that gives standard normal vectors these variances, along directions at random."""
    at = np.log(np.arange(1, DIM + 1))
    deviations = np.exp(np.interp(at, np.log(list(variances)), np.log(list(variances.values()))) / 2)
    return (deviations[:, None] * np.linalg.qr(generator.normal(size=(DIM, DIM)))[0]).astype(np.float32)


class Walkers:
    """A population: embeddings of walks of its people, by number."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self._between, self._within = spread(BETWEEN, generator), spread(WITHIN, generator)
        self._shared = (SHARED * generator.normal(size=DIM) / DIM**0.5).astype(np.float32)

    def people(self, seed: int, count: int) -> np.ndarray:
        """(count, D) what the embeddings of each person have in common."""
        return self._shared + np.random.default_rng([1, seed]).standard_normal((count, DIM), np.float32) @ self._between

    def walks(self, people: np.ndarray, seed: int) -> np.ndarray:
        """(n, D) unit vectors, one walk of each of (n, D)."""
        vectors = people + np.random.default_rng([2, seed]).standard_normal(people.shape, np.float32) @ self._within
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(path: Path, count: int) -> None:
    """A gallery of `count` templates, written as fast as SQLite can."""
    Gallery.open(path, **ENCODER).close()
    joints = np.random.default_rng(0).normal(size=(FRAMES, 14, 3)).astype("<f2").tobytes()
    segments = np.zeros(FRAMES, "<i4").tobytes()
    walkers, block = Walkers(), 4096
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, count // EACH, block):
            size = min(block, count // EACH - first)
            vectors = walkers.walks(np.repeat(walkers.people(first, size), EACH, axis=0), first)
            numbers = range(first + 1, first + size + 1)
            connection.executemany("INSERT INTO people VALUES (?, ?)", ((n, f"person {n}") for n in numbers))
            connection.executemany(
                "INSERT INTO clips VALUES (?, ?, 'clip.mp4', '2026-01-01T00:00:00+00:00')",
                ((n, f"{n:064x}") for n in numbers),
            )
            connection.executemany(
                "INSERT INTO templates (person, clip, track, starts, ends, quality, embedding, layout, fps, frames,"
                " joints, segments, added)"
                f" VALUES (?, ?, 1, 0.0, 2.0, 0.5, ?, 'casia14', 15.0, {FRAMES}, ?, ?, '2026-01-01T00:00:00+00:00')",
                (
                    (first + 1 + n // EACH, first + 1 + n // EACH, vector.astype("<f4").tobytes(), joints, segments)
                    for n, vector in enumerate(vectors)
                ),
            )
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")


def probes(count: int, templates: int) -> np.ndarray:
    """(count, D) half of people enrolled, half of strangers."""
    walkers, enrolled = Walkers(), min(4096, templates // EACH)
    known = walkers.people(0, enrolled)[np.random.default_rng(3).integers(0, enrolled, count // 2)]
    return walkers.walks(np.concatenate([known, walkers.people(10**9, count - len(known))]), 10**9)
