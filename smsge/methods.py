"""Ways of describing samples by vectors: the descriptors by hand, and what an encoder sees."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smsge.checkpoint import Checkpoint
from smsge.config import FORMS
from smsge.descriptors import DESCRIPTORS
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError
from smsge.matching import Similarity
from smsge.protocols import Reading
from smsge.prototypes import PrototypeHead, load_head
from smsge.samples import Samples
from smsge.sequence import SkeletonSequence
from smsge.training import Progress

Array = NDArray[np.floating]

ENCODER, HEAD, POSTURE = "SM-SGE", "SM-SGE + prototypes", "posture statistics"
"""Names of rows."""


@dataclass(frozen=True)
class Way:
    """One way of describing. similarity: how its vectors are compared. standardised: by mean and deviation over the
    training part first; otherwise the vectors are compared as they are."""

    name: str
    similarity: Similarity
    standardised: bool = True


@dataclass(frozen=True)
class Method:
    """One way, or several that share their work. vectors: samples -> one (N, D) for each of `ways`."""

    ways: tuple[Way, ...]
    vectors: Callable[[Samples], Sequence[Array]]


def _by_hand(samples: Samples) -> list[Array]:
    parts = [[describe(block, samples.layout) for describe in DESCRIPTORS.values()] for block in samples.blocks()]
    return [np.concatenate(own) for own in zip(*parts, strict=True)]


BY_HAND = Method(tuple(Way(name, "euclidean") for name in DESCRIPTORS), _by_hand)
"""D13, D16, bone lengths and posture statistics, over a clip or over a whole track."""


def encoder_method(checkpoint: Checkpoint, batch: int = 256, progress: Progress | None = None) -> Method:
    """SM-SGE, the mean over k of F_k, and, where the checkpoint has a head, the head's vector; one pass for both. A
    track's is the mean over its clips.

    Runs where `checkpoint.model` is. Raises CheckpointError if its head is damaged.
    """
    encoder, head = checkpoint.model, load_head(checkpoint)
    ways = (Way(ENCODER, "cosine"), *((Way(HEAD, "cosine", standardised=False),) if head else ()))
    return Method(ways, lambda samples: encode(encoder, head, samples, batch, progress))


def encode(
    encoder: SMSGE,
    head: PrototypeHead | None,
    samples: Samples,
    batch: int = 256,
    progress: Progress | None = None,
) -> list[Array]:
    """The mean over k of F_k, (N, S * hidden), not normalised, and the head's vectors (N, width) if there is a head."""
    device = next(encoder.parameters()).device
    encoder.eval()
    modules: list[Callable[[Tensor], Tensor]] = [encoder.embed, *([head.to(device)] if head else [])]
    clips = samples.clips
    parts: list[list[Array]] = [[] for _ in modules]
    with torch.inference_mode():
        for first in range(0, len(clips), batch):
            vectors = clips.take(np.arange(first, min(first + batch, len(clips)))).to(device)
            for module, own in zip(modules, parts, strict=True):
                vectors = module(vectors)
                own.append(vectors.float().cpu().numpy())
            if progress is not None:
                progress("encoding", min(first + batch, len(clips)), len(clips))
    return [samples.mean_of_clips(np.concatenate(own)) for own in parts]


def embed_walks(
    checkpoint: Checkpoint,
    sequences: Sequence[SkeletonSequence],
    frames: int | None = None,
    stride: int = 5,
    batch: int = 256,
) -> Array:
    """Sequences -> (N, D): the mean over a walk's clips of the head's vector, D = width, or, where the encoder's file
    has no head, of the mean over k of F_k, D = S * hidden; not normalised.

    frames: length of the clips, the encoder's own if None. Runs where the encoder is. Raises DatasetError, naming the
    walk, if one is shorter than a clip, and CheckpointError if the head is damaged.
    """
    encoder = checkpoint.model
    samples = Samples.of(sequences, "track", frames or encoder.config.frames, stride)
    return encode(encoder, load_head(checkpoint), samples, batch)[-1]


def encoder_reading(checkpoint: Checkpoint) -> Reading:
    """How the encoder wants its skeletons: layout and frames of its configuration, rate and form that it was trained
    with (15 a second and canonical where its file does not say). Raises CheckpointError if they cannot be used."""
    config, metadata = checkpoint.model.config, checkpoint.metadata
    fps, form = metadata.get("fps", 15.0), metadata.get("form", "canonical")
    rate = fps is None or (isinstance(fps, int | float) and 0 < fps < math.inf)
    if not rate or form not in FORMS:
        raise CheckpointError(
            f"the encoder's file asks for skeletons of form {form!r} at {fps!r} a second; get it again"
        )
    return Reading(config.layout, config.frames, fps, form)
