"""How alike two sightings of people are, beside where they are: pose, build and the colours of their clothes.

The colours are looked up in the frame while it is there, live only as long as the tracker and are never stored.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from pipeline.motion import size_of
from pipeline.values import Person

TRUNK = np.array([11, 12, 23, 24])  # shoulders and hips in MediaPipe's numbering
BODY = np.array([0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28])
_LIMBS = np.array([(11, 13), (12, 14), (13, 15), (14, 16), (23, 25), (24, 26), (25, 27), (26, 28)])
POSE_SPREAD, POSE_DRIFT = 0.05, 0.35  # sizes, and sizes a second: how far a body's landmarks stray by themselves
BUILD_SPREAD = 0.2  # of the logarithm of a limb's share, in one frame
COLOUR_SPREAD = 0.1  # of full scale


def _spots() -> np.ndarray:
    """(4, 6, 33): where to look for the colours of upper trunk, lower trunk, thighs, shins: mixes of landmarks."""
    spots = np.zeros((4, 6, 33))
    patches = (
        ((0.4, 0.3, 0.15, 0.15), (0.3, 0.4, 0.15, 0.15), (0.35, 0.35, 0.15, 0.15)),
        ((0.25, 0.2, 0.3, 0.25), (0.2, 0.25, 0.25, 0.3), (0.15, 0.15, 0.35, 0.35)),
    )
    for group, patch in zip(spots, patches, strict=False):
        group[:, TRUNK] = np.repeat(patch, 2, axis=0)  # each counts twice, which changes no median
    for group, top, bottom in zip(spots[2:], (23, 25), (25, 27), strict=True):
        for row, (side, part) in zip(group, product((0, 1), (0.3, 0.5, 0.7)), strict=True):
            row[[top + side, bottom + side]] = 1 - part, part
    return spots


_SPOTS = _spots()


@dataclass(frozen=True)
class Sighting:
    """What one person looks like in one frame.

    trunk: (2,) pixels. size: pixels. pose: (13, 2) landmarks about the trunk in sizes. build: (8,) logarithms of
    limb lengths relative to each other. colours: (4, 3) in [0, 1], NaN where outside the frame, or None.
    confidence: mean visibility of the body's landmarks.
    """

    trunk: np.ndarray
    size: float
    pose: np.ndarray
    build: np.ndarray
    colours: np.ndarray | None
    confidence: float


def sighting(person: Person, rgb: np.ndarray | None) -> Sighting:
    """Measure `person` in the frame `rgb` (H, W, 3), or without colours where it is None."""
    size = size_of(person.box)
    trunk = person.image[TRUNK].mean(0)
    limbs = np.log(np.linalg.norm(np.diff(person.world[_LIMBS], axis=1)[:, 0], axis=1) + 1e-3)
    return Sighting(
        trunk=trunk,
        size=size,
        pose=(person.image[BODY] - trunk) / size,
        build=limbs - limbs.mean(),
        colours=None if rgb is None else _colours(person.image, rgb),
        confidence=float(person.visibility[BODY].mean()),
    )


def _colours(image: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """(4, 3): median colours of the upper and lower trunk, the thighs and the shins."""
    columns, rows = np.moveaxis(np.round(_SPOTS @ image).astype(np.int64), -1, 0)
    inside = (columns >= 0) & (columns < rgb.shape[1]) & (rows >= 0) & (rows < rgb.shape[0])
    picked = np.full((*inside.shape, 3), np.nan)
    picked[inside] = rgb[rows[inside], columns[inside]]
    picked.sort(axis=1)  # NaN last, so that the medians of the others lie where their number says
    count, group = inside.sum(axis=1), np.arange(len(picked))
    return np.asarray((picked[group, (count - 1) // 2] + picked[group, count // 2]) / 2 / 255)


def unlikeness(seen: Sighting, build: np.ndarray, colours: np.ndarray | None, last: Sighting, gap: float) -> float:
    """A squared distance of `seen` from a track: what it looked like `last`, `gap` seconds ago, and on average.

    Each term is capped, so that one bad frame or another light cannot break a track.
    """
    pose = float(np.sqrt(np.mean(np.sum((seen.pose - last.pose) ** 2, 1))))
    cost = min((pose / (POSE_SPREAD + POSE_DRIFT * gap)) ** 2, 9.0)
    cost += min(float(np.mean((seen.build - build) ** 2)) / BUILD_SPREAD**2, 4.0)
    if seen.colours is not None and colours is not None:
        off = np.abs(seen.colours - colours).mean(1)
        off = off[np.isfinite(off)]
        if len(off):
            cost += min((float(off.mean()) / COLOUR_SPREAD) ** 2, 12.0)
    return cost
