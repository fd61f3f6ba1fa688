"""What searches call people whose names are known: by their own name, by another, and strangers by a name at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.in_common import Common
from pipeline.thresholds import FAR, Thresholds
from smsge.centring import alike_of, centre_of, centred
from smsge.nearness import by_person, nearness

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Named:
    """Shares of the probes: right, called by their own name, and wrong, by another, while they are enrolled; stranger,
    called by a name while they are not. nan where nobody is left to be compared with."""

    right: float
    wrong: float
    stranger: float


def named(
    gallery: Array,
    enrolled: NDArray[np.str_],
    probes: Array,
    asking: NDArray[np.str_],
    thresholds: Thresholds,
    far: float = FAR,
) -> Named:
    """Each probe is searched twice, as it is, and as a stranger's: without the templates of its own person.

    gallery (N, D), probes (M, D): embeddings of unit length; enrolled (N,), asking (M,): whose they are. far: the share
    of strangers who may be called by a name.
    """
    right, wrong, stranger = [], [], []
    for vector, person in zip(probes, asking, strict=True):
        name = _name(vector, gallery, enrolled, thresholds, far)
        right.append(name == person)
        wrong.append(name not in (None, person))
        others = enrolled != person
        if others.any():
            stranger.append(_name(vector, gallery[others], enrolled[others], thresholds, far) is not None)
    return Named(*(float(np.mean(told)) if told else float("nan") for told in (right, wrong, stranger)))


def _name(vector: Array, gallery: Array, enrolled: NDArray[np.str_], thresholds: Thresholds, far: float) -> str | None:
    centre = centre_of(gallery, enrolled.tolist())
    names, order, starts = by_person(enrolled)
    similarity = nearness(centred(vector[None], centre), centred(gallery, centre)[order], starts)[0]
    best = int(similarity.argmax())
    templates = int((enrolled == names[best]).sum())
    needed = thresholds.asked(far, Common(len(names), alike_of(gallery, enrolled)), templates)
    return str(names[best]) if similarity[best] >= needed else None
