"""How often rendered people are found again, by how differently the camera sees them: a table for an encoder.

    python -m pipeline.views SHOTS --weights default --fitted TRAINING_SHOTS

`SHOTS` is a folder as `pipeline.synthetic.shots` makes it, of people whom nothing was fitted to. Every pair of tracks
of one person from two shots is one question: the first is the probe, the second stands in a gallery beside one track of
everybody else, the one of theirs whose view differs from the probe's by most nearly as much. So views do not tell
who is who, and chance is one in as many people as there are. The last lines are what the encoder's thresholds let pass,
of pairs and in a search.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import DatasetError, UserError
from pipeline.in_common import Common
from pipeline.naming import named
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.estimator import facing
from pipeline.synthetic.pairs import Shown, read_shots, walks_of
from pipeline.thresholds import FAR, Thresholds
from smsge.bootstrap import mean_interval
from smsge.centring import alike_of, as_in_a_gallery, centre_of, centred
from smsge.descriptors import bone_lengths, over_windows, posture_statistics_of
from smsge.matching import cosine, pair_scores, standardise, statistics

Array = NDArray[np.floating]

EDGES = (0, 30, 60, 90, 120, 150, 180)
"""Degrees between which differences of azimuth are told together."""

FEW = 7
"""People of a small gallery, as a household or an office has it."""


@dataclass(frozen=True)
class Question:
    """probe, mate: track numbers. others: one of each other person. bin: of the difference, in EDGES."""

    probe: int
    mate: int
    others: NDArray[np.int64]
    bin: int


def azimuth(shown: Shown) -> float:
    """Degrees: the mean direction from which the camera sees the person; 0 is the front."""
    angles = np.concatenate([facing(pair.true, pair.fps) for pair in shown.pairs])
    return float(np.degrees(np.angle(np.exp(1j * angles).mean())))


def questions(people: NDArray[np.str_], shots: NDArray[np.str_], azimuths: Array) -> list[Question]:
    """Every ordered pair of tracks (N,) of one person and two shots; none where nobody has two."""
    apart = np.abs((azimuths[:, None] - azimuths[None] + 180) % 360 - 180)
    found = []
    for probe, mate in zip(*np.nonzero((people[:, None] == people) & (shots[:, None] != shots)), strict=True):
        off = np.abs(apart[probe] - apart[probe, mate])
        order = np.argsort(off, kind="stable")
        strangers = order[people[order] != people[probe]]
        first = np.unique(people[strangers], return_index=True)[1]
        number = min(int(np.searchsorted(EDGES, apart[probe, mate], "right")) - 1, len(EDGES) - 2)
        found.append(Question(int(probe), int(mate), strangers[first], number))
    return found


def nearer(similarity: Array, asked: Sequence[Question]) -> NDArray[np.int64]:
    """(Q,) how many others are as near as the mate or nearer: 0 where it is found. similarity: (N, N)."""
    return np.array([(similarity[q.probe, q.others] >= similarity[q.probe, q.mate]).sum() for q in asked], np.int64)


def found_among(people: int, before: NDArray[np.int64], others: NDArray[np.int64]) -> Array:
    """(Q,) how likely the mate is first where only `people` are enrolled, the mate and others at random.

    before: (Q,) of the `others` (Q,), as `nearer` tells; nan where there are too few others.
    """
    drawn = people - 1
    shares = comb(others - before, drawn) / np.maximum(comb(others, drawn), 1)
    return np.where(others >= drawn, shares, np.nan)


def table(similarities: Mapping[str, Array], people: NDArray[np.str_], asked: Sequence[Question]) -> str:
    """A Markdown row a descriptor: per cent of questions answered rightly, by difference of azimuth and in all, with
    the 95 % interval over people of the last; and in all where only `FEW` people are enrolled."""
    bins = np.array([question.bin for question in asked])
    who = people[[question.probe for question in asked]]
    columns = [f"{a}-{b}° ({int((bins == n).sum())})" for n, (a, b) in enumerate(itertools.pairwise(EDGES))]
    lines = [f"| descriptor | {' | '.join(columns)} | all ({len(asked)}) | 95 % interval | of {FEW} people |"]
    lines.append("|---" * (len(columns) + 4) + "|")
    others = np.array([len(question.others) for question in asked])
    for name, similarity in similarities.items():
        before = nearer(similarity, asked)
        right = before == 0
        shares = [f"{100 * right[bins == n].mean():.1f}" if (bins == n).any() else "-" for n in range(len(EDGES) - 1)]
        low, high = mean_interval(right.astype(float), who)
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        few = float(found_among(FEW, before, others).mean())
        told = "–" if math.isnan(few) else f"{100 * few:.1f}"
        lines.append(f"| {name} | {' | '.join(shares)} | {100 * right.mean():.1f} | {interval} | {told} |")
    return "\n".join(lines)


def similarities(
    embedder: TrackEmbedder, shown: Sequence[Shown], fitted: Sequence[Shown]
) -> tuple[dict[str, Array], Array]:
    """{descriptor: (N, N)}, and the embeddings (N, D); plain descriptors are those of skeletons as the pose estimator
    gives them, standardised by the tracks of `fitted`."""
    walks = [walks_of(part, embedder.lift) for part in (shown, fitted)]
    given, lifted = ([getattr(part, name) for part in walks] for name in ("given", "lifted"))
    posture = partial(over_windows, posture_statistics_of)
    found = {
        name: _alike(*(np.stack([descriptor(sequence) for sequence in part]) for part in parts))
        for name, descriptor, parts in (
            ("bone lengths", bone_lengths, given),
            ("posture statistics", posture, given),
            ("posture statistics, lifted", posture, lifted),
        )
    }
    raw, base = (embedder.describe(part) for part in walks)
    found["SM-SGE alone"] = _alike(raw["encoder"], base["encoder"])
    for part, standard in embedder.standards.items():
        rows = standard(raw[part])
        found[f"{part} as calibrated"] = cosine(rows, rows)
    joined = embedder.join(raw)
    about = centred(joined, centre_of(joined, walks[0].people))
    return found | {f"reid: {embedder.name}": cosine(about, about)}, joined


def _alike(own: Array, usual: Array) -> Array:
    rows = standardise(own, *statistics(usual))
    return np.asarray(cosine(rows, rows))


def strangers(embeddings: Array, people: NDArray[np.str_], shots: NDArray[np.str_], threshold: float) -> str:
    """What the threshold lets pass of pairs of different people, and of one person in two shots."""
    similarity = as_in_a_gallery(embeddings, people)
    genuine, impostor = pair_scores(similarity, people, people, shots, shots)
    shares = [f"{100 * (scores >= threshold).mean():.2f} % of {len(scores)}" for scores in (impostor, genuine)]
    return f"threshold {threshold:.3f}: accepts {shares[0]} pairs of strangers, {shares[1]} pairs of one person"


def searched(embeddings: Array, people: NDArray[np.str_], shots: NDArray[np.str_], thresholds: Thresholds) -> str:
    """What a search says of tracks (N, D): the first of everybody is enrolled, and each track of another shot asks."""
    enrolled = np.unique(people, return_index=True)[1]
    asking = np.flatnonzero(~np.isin(shots, shots[enrolled]))
    shares = named(embeddings[enrolled], people[enrolled], embeddings[asking], people[asking], thresholds)
    least = thresholds.asked(FAR, Common(len(enrolled), alike_of(embeddings[enrolled], people[enrolled])))
    return (
        f"{len(enrolled)} enrolled by one track, match from {least:.3f}: of {len(asking)}"
        f" tracks {100 * shares.right:.1f} % are called by their name and {100 * shares.wrong:.1f} % by another; of"
        f" strangers' {100 * shares.stranger:.1f} % are called by a name"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.views", description=__doc__)
    parser.add_argument("shots", type=Path, help="a folder of shots with people/ and truth/ in it")
    parser.add_argument("--fitted", type=Path, required=True, help="shots that plain descriptors are standardised by")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    options = parser.parse_args(argv)
    try:
        embedder, settings = load_embedder(EncoderSettings(weights=options.weights)), Settings()
        shown, fitted = (read_shots(folder, settings, embedder.frames) for folder in (options.shots, options.fitted))
        people = np.array([one.sequence.identity for one in shown])
        shots = np.array([one.sequence.session for one in shown])
        asked = questions(people, shots, np.array(list(map(azimuth, shown))))
        if not asked or not fitted:
            raise DatasetError(f"{options.shots}: nobody is usable in two shots; film more of each person")
        found, embeddings = similarities(embedder, shown, fitted)
        last = strangers(embeddings, people, shots, embedder.threshold)
        search = searched(embeddings, people, shots, embedder.thresholds)
        text = f"{table(found, people, asked)}\n\n{last}\n{search}"
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
