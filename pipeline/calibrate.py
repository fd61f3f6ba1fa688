"""From trained weights to an encoder that can be searched with: what is usual, and from which similarity to believe it.

    python -m pipeline.calibrate --weights runs/kgbd/encoder.safetensors --people clips/ --out default.safetensors

`clips/` is a folder of folders, NAME/*.mp4 (rendered by `reid synthesize`, or footage of people who agreed to it), two
clips or more of each. Three quarters of the people say what is usual of each descriptor and what tells people apart;
how much each descriptor counts, but for one whose share is fixed, and the thresholds, are taken from the others.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import embed, normalize
from pipeline.embed import describe
from pipeline.errors import DatasetError, UserError
from pipeline.lift import Lift
from pipeline.population import Take, read_takes, walks_of
from pipeline.settings import Settings
from pipeline.sources import expand
from pipeline.thresholds import FAR, Thresholds
from pipeline.values import Progress, silent
from pipeline.walks import Walks
from smsge import canonical
from smsge.centring import as_in_a_gallery
from smsge.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
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

Array = NDArray[np.floating]
Labels = tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]]
"""People of probes and gallery, clips of probes and gallery."""


SHRINKAGE = {"encoder": 0.2, "statistics": 0.1, "statistics_seen": 0.1}
"""Of the within-person covariance of each descriptor that is joined."""

RANK = 64
"""Directions kept of each descriptor."""

STEP = 0.05
"""Between the weights of a descriptor that are tried."""

FIXED = {"statistics_seen": 0.2}
"""Weights that are not tried. Rendered people cannot tell what skeletons as given are worth, since of them the lift is
right; this much costs them less than a standard error."""

ONCE = 32
"""Tracks that are described at a time."""


@dataclass(frozen=True)
class Described:
    """N tracks of known people. raw: {descriptor: (N, D)}; people, clips: (N,) whose they are, and of which clip;
    views: (N, K) numbers that say from where each was seen; kinds: (N,) how each was filmed. Both None where nobody
    knows."""

    raw: Mapping[str, Array]
    people: NDArray[np.str_]
    clips: NDArray[np.str_]
    views: Array | None = None
    kinds: NDArray[np.str_] | None = None

    def only(self, which: NDArray[np.bool_]) -> "Described":
        """The tracks marked (N,)."""
        raw = {name: rows[which] for name, rows in self.raw.items()}
        views = None if self.views is None else self.views[which]
        kinds = None if self.kinds is None else self.kinds[which]
        return Described(raw, self.people[which], self.clips[which], views, kinds)

    def parted(self) -> tuple["Described", "Described"]:
        """Three quarters of the people, and the others. Raises DatasetError for too few people."""
        names = np.unique(self.people)
        if len(names) < 8:
            raise DatasetError(f"{len(names)} people with usable clips are too few to calibrate on: give 8 or more")
        others = np.isin(self.people, names[3::4])
        return self.only(~others), self.only(others)


@dataclass(frozen=True)
class Calibration:
    """standards: one a descriptor. weights: of each in the cosine. threshold: the similarity passed by `FAR` of
    impostor pairs; thresholds: the same for other rates and more templates. report: what was measured on the people
    that nothing was fitted to."""

    standards: dict[str, Standard]
    weights: dict[str, float]
    threshold: float
    thresholds: Thresholds
    report: dict[str, float]


def calibrate(fitted: Described, held: Described, progress: Progress = silent) -> Calibration:
    """fitted: people that the discriminants are fitted to; held: others, for the weights, the thresholds and the
    report.

    Raises DatasetError where nobody of the fitted has two tracks.
    """
    standards = _standards(fitted)
    parts = {name: standard(held.raw[name]) for name, standard in standards.items()}
    weights = _best_weights(parts, held, progress)
    joined = fuse([parts[name] for name in weights], list(weights.values()))
    plain = {name: standardise(rows, *statistics(fitted.raw[name])) for name, rows in sorted(held.raw.items())}
    labels = held.people, held.people, held.clips, held.clips
    similarity = as_in_a_gallery(joined, held.people)
    try:
        filmed = _as_filmed(similarity, joined, held)
        thresholds = Thresholds.fit(filmed, held.people, held.clips, np.random.default_rng(0), kinds=held.kinds)
    except DatasetError:  # too few people were held out to tell more
        thresholds = Thresholds.single(min(1.0, float(threshold_at_far(pair_scores(similarity, *labels)[1], FAR))))
    report = {
        "people": float(len(np.unique(held.people))),
        "tracks": float(len(held.people)),
        "fitted_people": float(len(np.unique(fitted.people))),
        "fitted_tracks": float(len(fitted.people)),
        "far": FAR,
        **_figures("joined", similarity, labels),
        **{
            key: value
            for name, rows in plain.items()
            for key, value in _figures(name, cosine(rows, rows), labels).items()
        },
    }
    return Calibration({name: standards[name] for name in weights}, weights, thresholds.at(FAR), thresholds, report)


def _as_filmed(similarity: Array, joined: NDArray[np.float32], held: Described) -> Array:
    """similarity (N, N), those of one kind of footage compared as in a gallery of that kind alone: so a site's cameras
    film everybody, and the gallery's centre knows what they have in common."""
    found = similarity.copy()
    for kind in [] if held.kinds is None else np.unique(held.kinds):
        own = held.kinds == kind
        found[np.ix_(own, own)] = as_in_a_gallery(joined[own], held.people[own])
    return found


def _standards(tracks: Described) -> dict[str, Standard]:
    try:
        return {
            name: fit_standard(tracks.raw[name], tracks.people.tolist(), shrinkage, RANK, tracks.views)
            for name, shrinkage in SHRINKAGE.items()
        }
    except ValueError as error:
        raise DatasetError(f"cannot calibrate: {error}") from error


def _best_weights(
    parts: Mapping[str, NDArray[np.float32]], held: Described, progress: Progress = silent
) -> dict[str, float]:
    """The mean of all weights whose mean average precision is within one standard error of the best: with so few people
    the very best are so by chance. They sum to 1, the encoder always counts, and `FIXED` ones are as they are.

    parts: {descriptor: (N, R)} of unit length, compared as in a gallery.
    """

    def alike(weights: Array) -> Array:
        return as_in_a_gallery(fuse(list(parts.values()), weights.tolist()), held.people)

    def precision(similarity: Array, which: NDArray[np.bool_]) -> float:
        probes = similarity[which], held.people[which], held.people, held.clips[which], held.clips
        return retrieve(*probes, ranks=(1,)).mean_ap

    tried = _shares(list(parts))
    found = np.zeros(len(tried))
    for number, weights in enumerate(tried):
        found[number] = precision(alike(weights), np.ones(len(held.people), bool))
        progress("weighing descriptors", number + 1, len(tried))
    best = alike(tried[found.argmax()])
    each = [precision(best, held.people == name) for name in np.unique(held.people)]
    error = float(np.nanstd(each)) / np.sqrt(len(each))
    shares = np.round(tried[found >= found.max() - error].mean(axis=0), 2)
    shares[0] += 1.0 - shares.sum()
    return {name: round(float(share), 2) for name, share in zip(parts, shares, strict=True) if share > 0}


def _shares(parts: Sequence[str]) -> Array:
    """(T, parts): all weights in steps of `STEP` that sum to 1, the first above 0, `FIXED` ones as they are."""
    steps = round(1 / STEP)
    choices = [[round(FIXED[part] / STEP)] if part in FIXED else range(steps + 1) for part in parts]
    grid = np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, len(parts))
    return np.asarray(np.round(grid[(grid.sum(axis=1) == steps) & (grid[:, 0] > 0)] * STEP, 6))


def _figures(name: str, similarity: Array, labels: Labels) -> dict[str, float]:
    """Rank-1, mAP, equal error rate and true accepts at `FAR` of N tracks among one another, (N, N)."""
    found = retrieve(similarity, *labels, ranks=(1,))
    genuine, impostor = pair_scores(similarity, *labels)
    return {
        f"{name} rank1": found.rank[1],
        f"{name} mean_ap": found.mean_ap,
        f"{name} equal_error_rate": equal_error_rate(genuine, impostor)[0],
        f"{name} true_accept_rate": tar_at_far(genuine, impostor, FAR),
    }


def read_people(folder: Path, settings: Settings, lift: Lift, cache: Path | None = None) -> Walks:
    """Every usable track of a folder of folders of clips. Raises DatasetError where clips lie outside such folders."""
    clips = expand([folder])
    loose = [clip.source for clip in clips if not clip.grouped]
    if loose:
        raise DatasetError(f"{loose[0]} is in nobody's folder: calibration needs {folder}/NAME/clip.mp4")
    tracks = read_takes([Take(clip.name, Path(clip.source)) for clip in clips], settings, cache)
    return walks_of(tracks, settings, lift)


def described(
    checkpoint: Checkpoint,
    walks: Walks,
    views: Array | None = None,
    kinds: NDArray[np.str_] | None = None,
    progress: Progress = silent,
) -> Described:
    """The raw descriptors of tracks that tell their identity and session; bone lengths too, for the report.

    Raises DatasetError where there is no track.
    """
    if not len(walks):
        raise DatasetError("nobody walks long enough in any of the clips: calibration needs two usable clips a person")
    parts: list[dict[str, Array]] = []
    for first in range(0, len(walks), ONCE):
        last = min(first + ONCE, len(walks))
        parts.append(describe(checkpoint, walks.only(range(first, last))))
        progress("describing tracks", last, len(walks))
    raw = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    raw["bones"] = np.stack([bone_lengths(walk) for walk in walks.given])
    return Described(raw, walks.people, walks.clips, views, kinds)


def write_calibrated(trained: Checkpoint, done: Calibration, out: Path, lift: Lift) -> Path:
    """The encoder with its calibration and the lift of the skeletons that both were made with, as
    `pipeline.embed.TrackEmbedder` reads it; the encoder in 16 bits."""
    arrays = {key: value for part, one in done.standards.items() for key, value in one.tensors(part).items()}
    arrays |= lift.tensors()
    metadata = trained.metadata | {
        "canonical": canonical.VERSION,
        "normalize": normalize.VERSION,
        "descriptors": embed.VERSION,
        "fps": Settings().normalize.fps,
        "weights": done.weights,
        "threshold": round(done.threshold, 4),
        "thresholds": done.thresholds.json(),
        "calibration": done.report,
    }
    tensors = trained.tensors | {key: torch.from_numpy(value) for key, value in arrays.items()}
    save_checkpoint(out, trained.model, tensors, metadata, half=True)
    return out


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
        lift = Lift()  # an encoder that `reid train` made of footage alone has seen skeletons as they are
        tracks = described(trained, read_people(options.people, Settings(), lift, options.cache))
        done = calibrate(*tracks.parted())
        write_calibrated(trained, done, options.out, lift)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    figures = "".join(f"\n{key:>30} {value:.3f}" for key, value in done.report.items())
    sys.stdout.write(f"{'threshold':>30} {done.threshold:.4f}{figures}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
