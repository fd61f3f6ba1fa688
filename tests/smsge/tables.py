"""Tables of an evaluation with known figures: people as points, methods as noise about them."""

from collections.abc import Sequence

import numpy as np

from smsge.bootstrap import mean_interval
from smsge.evaluation import Curves, Row, Table
from smsge.matching import Verification, cosine, equal_error_rate, retrieve, tar_at_far, threshold_at_far

NOISE = {
    "D13": 2.6,
    "D16": 2.2,
    "bone lengths": 1.9,
    "posture statistics": 1.5,
    "SM-SGE": 1.3,
    "SM-SGE + prototypes": 0.9,
    "SM-SGE + prototypes + posture statistics": 0.7,
}


def table(
    people: Sequence[str], each: int = 3, split: str = "KGBD: last walk", level: str = "clip", dimensions: int = 24
) -> Table:
    """`each` probes and as many gallery entries of every person, by seven methods, the worst first."""
    return Table(
        split=split,
        protocol="matching",
        level=level,
        probes=each * len(people),
        gallery=each * len(people),
        people=len(people),
        rows=tuple(_row(method, noise, tuple(sorted(people)), each, dimensions) for method, noise in NOISE.items()),
    )


def _row(method: str, noise: float, people: tuple[str, ...], each: int, dimensions: int) -> Row:
    rng = np.random.default_rng(len(method))
    centres = np.repeat(rng.normal(size=(len(people), dimensions)), each, axis=0)
    labels = np.repeat(people, each)
    probes, gallery = (centres + noise * rng.normal(size=centres.shape) for _ in range(2))
    scores = cosine(probes, gallery)
    same = labels[:, None] == labels[None]
    genuine, impostor = np.sort(scores[same]), np.sort(scores[~same])
    confusion = np.zeros((len(people), len(people)), np.int64)
    numbers = np.repeat(np.arange(len(people)), each)
    np.add.at(confusion, (numbers, numbers[scores.argmax(axis=1)]), 1)
    return Row(
        method,
        dimensions,
        retrieve(scores, labels, labels),
        mean_interval(labels[scores.argmax(axis=1)] == labels, labels),
        Verification(
            eer=equal_error_rate(genuine, impostor)[0],
            tar=tar_at_far(genuine, impostor, 0.01),
            threshold=threshold_at_far(impostor, 0.01),
        ),
        Curves(
            genuine=genuine,
            impostor=impostor,
            confusion=confusion,
            people=people,
            embedding=np.concatenate([probes, gallery]),
            embedding_labels=(*labels, *labels),
        ),
    )
