"""The template, which is what a gallery keeps of a person, and the one thing asked of an encoder: to make them.

A light module: no torch, so that a gallery can be listed, renamed in and forgotten from without loading a model.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.normalize import AS_SEEN
from pipeline.records import EncoderId
from pipeline.thresholds import Thresholds
from smsge.sequence import SkeletonSequence


@dataclass(frozen=True)
class Template:
    """One stretch of one person's walk, as an encoder sees it.

    embedding: (D,) float32 of unit length. quality: in [0, 1], from `pipeline.quality`. skeleton: what the embedding
    was made from, as the camera saw it, kept so that another encoder can make it again, with a lift of its own.
    fingerprint: of the encoder that made it.
    """

    embedding: np.ndarray
    quality: float
    skeleton: SkeletonSequence
    fingerprint: str


class Embedder(Protocol):
    """An encoder with all that comes before and after it, from skeletons to embeddings.

    fingerprint: changes whenever the same skeleton would get another embedding. name: for people to read. dim: D.
    frames: the least skeletons, without a break between them, that can be embedded.
    threshold: the similarity from which two templates are held to be of one person (false accept rate 1 %).
    thresholds: the same for other rates and more templates, as far as the encoder was calibrated for them.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def frames(self) -> int: ...

    @property
    def threshold(self) -> float: ...

    @property
    def thresholds(self) -> Thresholds: ...

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        """Embed N skeletons, as seen (`pipeline.normalize`): (N, D) float32, each row of unit length, row i for
        `sequences[i]`."""
        ...


def encoder_id(embedder: Embedder) -> EncoderId:
    """What a gallery keeps of the encoder that it belongs to."""
    return EncoderId(embedder.fingerprint, embedder.name, embedder.dim, AS_SEEN)
