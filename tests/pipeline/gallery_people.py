"""People for gallery tests: templates without an encoder, and an encoder without a network."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.gallery import ClipSource, Gallery
from pipeline.normalize import AS_SEEN
from pipeline.templates import Template, encoder_id
from pipeline.thresholds import Thresholds
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence

DIM = 16


@dataclass(frozen=True)
class FakeEmbedder:
    """Projects the mean skeleton with a random matrix of its own: equal skeletons, equal embeddings."""

    seed: int = 0
    dim: int = DIM
    threshold: float = 0.5

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds.single(self.threshold)

    @property
    def name(self) -> str:
        return f"fake-{self.seed}"

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.seed} {self.dim}".encode()).hexdigest()

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        matrix = np.random.default_rng(self.seed).normal(size=(14 * 3, self.dim))
        vectors = np.stack([s.joints.mean(0).ravel() for s in sequences]) @ matrix
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


ENCODER = FakeEmbedder()


def skeleton(seed: int, frames: int = 30) -> SkeletonSequence:
    """A skeleton whose joints float16 holds exactly, in two segments."""
    joints = np.random.default_rng(seed).normal(size=(frames, 14, 3)).astype(np.float16).astype(np.float32)
    return SkeletonSequence(joints, CASIA14, 15.0, np.repeat([0, 1], [frames // 2, frames - frames // 2]))


def template(seed: int, encoder: FakeEmbedder = ENCODER, quality: float = 0.75) -> Template:
    walk = skeleton(seed)
    return Template(encoder.embed([walk])[0], quality, walk, encoder.fingerprint)


def source(number: int, track: int = 1, clip: str | None = None) -> ClipSource:
    content = hashlib.sha256(str(number).encode()).hexdigest()
    return ClipSource(clip or f"/home/anna/clip{number}.mp4", content, track, 0.5, 4.5)


def open_gallery(path: Path, encoder: FakeEmbedder = ENCODER, create: bool = True, skeletons: str = AS_SEEN) -> Gallery:
    who = encoder_id(encoder)
    return Gallery.open(
        path, fingerprint=who.fingerprint, encoder_name=who.name, dim=who.dim, skeletons=skeletons, create=create
    )
