"""Several descriptions of one track joined into one unit vector, whose cosine is the weighted mean of their cosines.

Raw descriptors cannot be joined as they are: the encoder's states all point much the same way, and lengths and angles
differ in unit and spread. Each is first standardised by what is usual among many people seen by the same pose
estimator, and turned so that what differs between two clips of ONE person counts less than what differs between people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

CLIP = 4.0
"""Standard deviations beyond which a number is held to be a fault of the skeleton, not a trait of the person."""


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


def fit_standard(vectors: Array, identities: Sequence[str], shrinkage: float) -> Standard:
    """Standardisation and within-class covariance normalisation, from N tracks of known people.

    With z the standardised vectors and S_w their covariance about each person's own mean, project = S^(-1/2), S =
    (1 - shrinkage) S_w + shrinkage tr(S_w)/D I (Hatch, Kajarekar and Stolcke 2006, with the shrinkage of Ledoit and
    Wolf's target). shrinkage 1 leaves plain standardising. vectors: (N, D). Raises ValueError where nobody has two.
    """
    mean, scale = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), 1e-6)
    z = np.clip((vectors - mean) / scale, -CLIP, CLIP)
    labels = np.asarray(identities)
    people = [z[labels == name] for name in np.unique(labels)]
    residuals = np.concatenate([rows - rows.mean(axis=0) for rows in people])
    freedom = len(z) - len(people)
    if freedom < 1:
        raise ValueError("nobody has two tracks: what varies within a person cannot be told")
    within = residuals.T @ residuals / freedom
    target = np.trace(within) / len(within) * np.eye(len(within))
    values, axes = np.linalg.eigh((1 - shrinkage) * within + shrinkage * target)
    return Standard(mean, scale, (axes / np.sqrt(np.maximum(values, 1e-9))) @ axes.T)


def fuse(parts: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Unit vectors (N, R_i) and their weights, which sum to 1 -> (N, sum R_i) of unit length."""
    return np.concatenate([np.sqrt(w) * part for part, w in zip(parts, weights, strict=True)], axis=1).astype(
        np.float32
    )
