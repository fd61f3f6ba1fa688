"""Whole-walk direct matching: the encoder's row of the table, and the rows of the descriptors by hand beside it.

python -m smsge.evaluation --data KGBD --weights encoder.safetensors [--people 133-164] [--statistics 1-120]
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smsge.checkpoint import load_checkpoint
from smsge.config import parse_people
from smsge.datasets.kgbd import read_kgbd
from smsge.descriptors import bone_lengths, d13, d16, posture_statistics
from smsge.encoder import SMSGE
from smsge.errors import DatasetError, UserError
from smsge.matching import Retrieval, cosine, euclidean, retrieve, standardise, statistics
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]
Embedding = Callable[[Sequence[SkeletonSequence]], Array]
"""Sequences -> (N, D), one row each, not yet standardised."""


@dataclass(frozen=True)
class Row:
    """One way of describing a walk: its name, the size of its vector, and how well it finds people again."""

    name: str
    size: int
    retrieval: Retrieval


BASELINES: tuple[tuple[str, Callable[[SkeletonSequence], Array]], ...] = (
    ("D13", d13),
    ("D16", d16),
    ("bone lengths", bone_lengths),
    ("posture statistics", posture_statistics),
)


def embed_walks(
    encoder: SMSGE, sequences: Sequence[SkeletonSequence], frames: int | None = None, stride: int = 5, batch: int = 256
) -> Array:
    """Sequences -> (N, S * hidden): the mean over a walk's clips of the mean over k of F_k, not normalised.

    frames: length of the clips, the encoder's own if None. Runs where the encoder is. Raises DatasetError, naming the
    walk, if one is shorter than a clip.
    """
    frames = frames or encoder.config.frames
    device = next(encoder.parameters()).device
    encoder.eval()
    rows = []
    with torch.inference_mode():
        for sequence in sequences:
            clips = torch.from_numpy(sequence.windows(frames, stride))
            if len(clips) == 0:
                raise DatasetError(f"walk {sequence.session}: {len(sequence)} frames, {frames} are needed for one clip")
            parts = [encoder.embed(part.to(device)).float().cpu() for part in torch.split(clips, batch)]
            rows.append(torch.cat(parts).mean(dim=0).numpy())
    return np.stack(rows)


def describe(describer: Callable[[SkeletonSequence], Array]) -> Embedding:
    """A descriptor of one sequence -> one of many."""
    return lambda sequences: np.stack([describer(sequence) for sequence in sequences])


def evaluate_walks(
    sequences: Sequence[SkeletonSequence],
    embed: Embedding,
    name: str,
    training: Sequence[SkeletonSequence] = (),
    similarity: Callable[[Array, Array], Array] = euclidean,
) -> Row:
    """Each person's last walk is the probe, all their others are in the gallery; Rank-k and mAP.

    Vectors are standardised by mean and deviation over `training`, walks of other people, or over the gallery where
    there are none. Raises DatasetError if no person has two walks.
    """
    probes, gallery = split_last_walk(sequences)
    p, g = embed(probes), embed(gallery)
    mean, std = statistics(embed(training) if training else g)
    scores = similarity(standardise(p, mean, std), standardise(g, mean, std))
    retrieval = retrieve(
        scores,
        [probe.identity for probe in probes],
        [entry.identity for entry in gallery],
        [probe.session for probe in probes],
        [entry.session for entry in gallery],
    )
    return Row(name, p.shape[1], retrieval)


def split_last_walk(
    sequences: Sequence[SkeletonSequence],
) -> tuple[list[SkeletonSequence], list[SkeletonSequence]]:
    """(probes, gallery): of each person with two walks or more the last one, in the order given, and the rest. A
    person with one walk is in the gallery only: someone to be confused with."""
    walks: dict[str, list[SkeletonSequence]] = {}
    for sequence in sequences:
        walks.setdefault(sequence.identity, []).append(sequence)
    probes = [own[-1] for own in walks.values() if len(own) > 1]
    if not probes:
        raise DatasetError("no person has two walks: one is needed as probe and one for the gallery")
    return probes, [walk for own in walks.values() for walk in (own[:-1] if len(own) > 1 else own)]


def evaluate_kgbd(
    sequences: Sequence[SkeletonSequence], encoder: SMSGE, training: Sequence[SkeletonSequence] = ()
) -> list[Row]:
    """The table: four descriptors by hand by Euclidean distance, then the encoder by cosine; see `evaluate_walks`."""
    rows = [evaluate_walks(sequences, describe(describer), name, training) for name, describer in BASELINES]

    def embed(walks: Sequence[SkeletonSequence]) -> Array:
        return embed_walks(encoder, walks)

    return [*rows, evaluate_walks(sequences, embed, "SM-SGE", training, cosine)]


def format_table(rows: Sequence[Row]) -> str:
    """Rows as aligned text, in per cent."""
    lines = [f"{'whole walks':<20}{'size':>6}{'Rank-1':>9}{'Rank-5':>9}{'mAP':>8}"]
    for row in rows:
        r = row.retrieval
        figures = f"{100 * r.rank[1]:>9.1f}{100 * r.rank[5]:>9.1f}{100 * r.mean_ap:>8.1f}"
        lines.append(f"{row.name:<20}{row.size:>6}{figures}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m smsge.evaluation", description="Whole-walk matching on KGBD.")
    parser.add_argument("--data", required=True, help="KGBD: the folder of PersonNNN folders, or the .npz")
    parser.add_argument("--weights", required=True, help="an encoder's .safetensors")
    parser.add_argument("--people", default="133-164", help="who is searched for (default: %(default)s)")
    parser.add_argument("--statistics", default="1-120", help="whose walks give mean and deviation; '' for the gallery")
    parser.add_argument("--fps", type=float, default=15.0, help="skeletons a second (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        encoder = load_checkpoint(options.weights).model
        layout, others = encoder.config.layout, parse_people(options.statistics, "statistics")
        sequences = read_kgbd(options.data, layout, options.fps, parse_people(options.people))
        training = read_kgbd(options.data, layout, options.fps, others) if others else []
        table = format_table(evaluate_kgbd(sequences, encoder, training))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
