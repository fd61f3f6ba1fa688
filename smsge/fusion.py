"""Several descriptions of one track joined into one unit vector, whose cosine is the weighted mean of their cosines.

Raw descriptors cannot be joined as they are: the encoder's states all point much the same way, and lengths and angles
differ in unit and spread. Each is first standardised by what is usual among many people seen by the same pose
estimator, and turned so that what differs between two clips of ONE person counts less than what differs between people.
What a descriptor tells of the camera's view is taken off it where views are known of the tracks it is fitted to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Array = NDArray[np.floating]

CLIP = 4.0
"""Standard deviations beyond which a number is held to be a fault of the skeleton, not a trait of the person."""

VIEW_RIDGE = 300.0
"""Of the regression that tells the view from a descriptor, in tracks."""


@dataclass(frozen=True)
class Standard:
    """What is usual of one descriptor. mean, scale: (D,). project: (D, R), applied to the standardised numbers."""

    mean: Array
    scale: Array
    project: Array

    def __call__(self, vectors: Array) -> NDArray[np.float32]:
        """(N, D) -> (N, R) of unit length."""
        z = np.clip((vectors - self.mean) / self.scale, -CLIP, CLIP) @ self.project
        return np.asarray(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    def tensors(self, prefix: str) -> dict[str, NDArray[np.float32]]:
        """Named arrays, to be kept beside the weights; `from_tensors` is the way back."""
        return {
            f"{prefix}.mean": np.asarray(self.mean, np.float32),
            f"{prefix}.scale": np.asarray(self.scale, np.float32),
            f"{prefix}.project": np.asarray(self.project, np.float32),
        }

    @classmethod
    def from_tensors(cls, prefix: str, tensors: Mapping[str, Array]) -> "Standard":
        """Raises KeyError where one is missing and ValueError where their shapes do not belong together."""
        mean, scale, project = (tensors[f"{prefix}.{name}"] for name in ("mean", "scale", "project"))
        if mean.ndim != 1 or scale.shape != mean.shape or project.ndim != 2 or len(project) != len(mean):
            raise ValueError(
                f"{prefix}: mean {mean.shape}, scale {scale.shape} and project {project.shape} do not agree"
            )
        return cls(mean, scale, project)


def fit_standard(
    vectors: Array, identities: Sequence[str], shrinkage: float, rank: int, views: Array | None = None
) -> Standard:
    """Standardisation and linear discriminant analysis (Fisher 1936), from N tracks of known people.

    z: the standardised vectors, less what they tell of the view (`_without_view`) where views are given; S_w their
    covariance about each person's own mean, drawn by `shrinkage` towards tr(S_w)/D I (the target of Ledoit and Wolf
    2004); S_b the covariance of the people's means. The columns of `project` are the `rank` leading solutions of
    S_b u = l S_w u, u' S_w u = 1, times sqrt(l / (1 + l)): along each, the share of what is seen that belongs to the
    person, so that doubtful directions count less instead of being cut.

    vectors: (N, D). views: (N, K), from where each track was seen, as numbers that vectors can depend on linearly.
    Raises ValueError where nobody has two tracks that differ or there are not two people.
    """
    mean, scale = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), 1e-6)
    z = np.clip((vectors - mean) / scale, -CLIP, CLIP)
    keep = np.eye(z.shape[1]) if views is None else _without_view(z, views)
    z = z @ keep
    labels = np.asarray(identities)
    people = [z[labels == name] for name in np.unique(labels)]
    freedom = len(z) - len(people)
    if freedom < 1 or len(people) < 2:
        raise ValueError("nobody has two tracks, or there is one person: what tells people apart cannot be told")
    centres = np.stack([rows.mean(axis=0) for rows in people])
    residuals = np.concatenate([rows - centre for rows, centre in zip(people, centres, strict=True)])
    within = residuals.T @ residuals / freedom
    if not np.trace(within) > 0:
        raise ValueError(
            "the tracks of each person are the same to the last number: what tells people apart is unknown"
        )
    target = np.trace(within) / len(within) * np.eye(len(within))
    ratios, axes = eigh(np.cov(centres.T), (1 - shrinkage) * within + shrinkage * target)
    ratios, axes = np.maximum(ratios[::-1][:rank], 0.0), axes[:, ::-1][:, :rank]
    return Standard(mean, scale, keep @ axes * np.sqrt(ratios / (1 + ratios)))


def _without_view(z: Array, views: Array) -> Array:
    """(D, D) M such that z M is z without what it tells of the view it was seen from.

    The view is first told from z itself, v^ = z W, and what goes with it then taken off, z - v^ B, both by least
    squares with a ridge: a track that is to be compared need not come with its view.
    """
    v = views - views.mean(axis=0)
    told = np.linalg.solve(z.T @ z + VIEW_RIDGE * np.eye(z.shape[1]), z.T @ v)
    guess = z @ told
    goes_along = np.linalg.solve(guess.T @ guess + 1e-2 * VIEW_RIDGE * np.eye(v.shape[1]), guess.T @ z)
    return np.asarray(np.eye(z.shape[1]) - told @ goes_along)


def fuse(parts: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Unit vectors (N, R_i) and their weights, which sum to 1 -> (N, sum R_i) of unit length."""
    return np.concatenate([np.sqrt(w) * part for part, w in zip(parts, weights, strict=True)], axis=1).astype(
        np.float32
    )
