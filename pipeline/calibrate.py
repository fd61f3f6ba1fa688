"""From trained weights to an encoder that can be searched with: what is usual, and from which similarity to believe it.

    python -m pipeline.calibrate --weights runs/kgbd/encoder.safetensors --people clips/ --out default.safetensors

`clips/` is a folder of folders, NAME/*.mp4 (rendered by `reid synthesize`, or footage of people who agreed to it), two
clips or more of each. Three quarters of the people say what is usual of each descriptor and what tells people apart;
the threshold is taken from the others, whom nothing was fitted to.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import normalize
from pipeline.embed import describe
from pipeline.errors import DatasetError, UserError
from pipeline.population import Take, read_takes
from pipeline.settings import Settings
from pipeline.sources import expand
from smsge import canonical
from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.descriptors import bone_lengths
from smsge.fusion import Standard, fit_standard, fuse
from smsge.matching import (
    cosine,
    equal_error_rate,
    pair_scores,
    retrieve,
    standardise,
    statistics,
    tar_at_far,
    threshold_at_far,
)
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]
Labels = tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]]
"""People of probes and gallery, clips of probes and gallery."""

FAR = 0.01
"""Share of impostor pairs that may pass the threshold."""


class Part(NamedTuple):
    """How a descriptor is joined: its weight in the cosine, and the shrinkage of its within-person covariance."""

    weight: float
    shrinkage: float


PARTS = {"encoder": Part(weight=0.7, shrinkage=0.05), "posture": Part(weight=0.3, shrinkage=0.5)}
"""Chosen by cross-validation over rendered people, who are in no table."""

RANK = 40
"""Directions kept of each descriptor; more changed nothing."""


@dataclass(frozen=True)
class Calibration:
    """standards: one a descriptor. threshold: the similarity passed by `FAR` of impostor pairs. report: what was
    measured on the people that nothing was fitted to."""

    standards: dict[str, Standard]
    weights: dict[str, float]
    threshold: float
    report: dict[str, float]


def calibrate(raw: Mapping[str, Array], identities: Sequence[str], sessions: Sequence[str]) -> Calibration:
    """raw: {descriptor: (N, D)} of N tracks with their people and clips; all are reported plainly too.

    Raises DatasetError for too few people.
    """
    people, clips = np.asarray(identities), np.asarray(sessions)
    names = np.unique(people)
    if len(names) < 8:
        raise DatasetError(f"{len(names)} people with usable clips are too few to calibrate on: give 8 or more")
    held_out = np.isin(people, names[3::4])
    standards = {
        name: fit_standard(raw[name][~held_out], people[~held_out].tolist(), part.shrinkage, RANK)
        for name, part in PARTS.items()
    }
    weights = {name: part.weight for name, part in PARTS.items()}
    joined = fuse([standards[name](raw[name][held_out]) for name in PARTS], list(weights.values()))
    plain = {
        name: standardise(vectors[held_out], *statistics(vectors[~held_out])) for name, vectors in sorted(raw.items())
    }
    labels = people[held_out], people[held_out], clips[held_out], clips[held_out]
    threshold = threshold_at_far(pair_scores(cosine(joined, joined), *labels)[1], FAR)
    report = {
        "people": float(len(np.unique(people[held_out]))),
        "tracks": float(held_out.sum()),
        "fitted_people": float(len(np.unique(people[~held_out]))),
        "fitted_tracks": float((~held_out).sum()),
        "far": FAR,
        **_figures("joined", joined, labels),
        **{key: figure for name, vectors in plain.items() for key, figure in _figures(name, vectors, labels).items()},
    }
    return Calibration(standards, weights, float(threshold), report)


def _figures(name: str, vectors: Array, labels: Labels) -> dict[str, float]:
    """Rank-1, mAP, equal error rate and true accepts at `FAR` of N vectors among one another."""
    similarity = cosine(vectors, vectors)
    found = retrieve(similarity, *labels, ranks=(1,))
    genuine, impostor = pair_scores(similarity, *labels)
    return {
        f"{name} rank1": found.rank[1],
        f"{name} mean_ap": found.mean_ap,
        f"{name} equal_error_rate": equal_error_rate(genuine, impostor)[0],
        f"{name} true_accept_rate": tar_at_far(genuine, impostor, FAR),
    }


def read_people(folder: Path, settings: Settings, cache: Path | None = None) -> list[SkeletonSequence]:
    """Every usable track of a folder of folders of clips. Raises DatasetError where clips lie outside such folders."""
    clips = expand([folder])
    loose = [clip.source for clip in clips if not clip.grouped]
    if loose:
        raise DatasetError(f"{loose[0]} is in nobody's folder: calibration needs {folder}/NAME/clip.mp4")
    return read_takes([Take(clip.name, Path(clip.source)) for clip in clips], settings, cache)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.calibrate", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="an encoder that `reid train` wrote")
    parser.add_argument("--people", type=Path, required=True, help="a folder of folders of clips")
    parser.add_argument("--out", type=Path, required=True, help="where the calibrated encoder goes")
    parser.add_argument("--cache", type=Path, help="a folder for extracted skeletons")
    options = parser.parse_args(argv)
    try:
        trained = load_checkpoint(options.weights)
        sequences = read_people(options.people, Settings(), options.cache)
        raw = describe(trained.model, sequences)
        raw["bones"] = np.stack([bone_lengths(sequence) for sequence in sequences])
        done = calibrate(raw, [s.identity for s in sequences], [s.session for s in sequences])
        arrays = {key: value for part, one in done.standards.items() for key, value in one.tensors(part).items()}
        metadata = trained.metadata | {
            "canonical": canonical.VERSION,
            "normalize": normalize.VERSION,
            "fps": Settings().normalize.fps,
            "weights": done.weights,
            "threshold": round(done.threshold, 4),
            "calibration": done.report,
        }
        tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
        save_checkpoint(options.out, trained.model, tensors, metadata, half=True)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    figures = "".join(f"\n{key:>30} {value:.3f}" for key, value in done.report.items())
    sys.stdout.write(f"{'threshold':>30} {done.threshold:.4f}{figures}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
