"""People seen from one side by one camera, searched for before a camera that sees another side, on another day.

    python -m pipeline.synthetic.shots SHOTS --cast corridor --people 40 --shots 6 --seed 9020 --name cor
    python -m benchmarks.corridor SHOTS [--weights selfsupervised]

Everybody passes the cameras of three corridors, always the same way, once on each of two days. They are enrolled from
each camera and each day in turn, and asked for by what every camera saw on the other day. Each question is asked twice:
as if nothing were known of the camera, and with what the other people whom it filmed that day say of it, those enrolled
among them but not the probe's own person (`pipeline.cameras`); statistics are then standardised by their mean instead
of the gallery's. The last rows are of a camera that one person passes more often than others. Next, what searches call
these people, and strangers, where one, three or nine are enrolled; and pairs of tracks as `reid verify` compares them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import DatasetError, UserError
from pipeline.evaluate import read_walks
from pipeline.population import Take
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.shots import CORRIDORS
from pipeline.thresholds import FAR, Common, about_centres
from pipeline.walks import Walks
from smsge.bootstrap import mean_interval
from smsge.centring import PRIOR, alike_of, centre_of, centred
from smsge.descriptors import over_windows, posture_statistics_of
from smsge.matching import cosine, standardise, statistics

SEVEN, ENROLLED, LEARNED, DRAWS = 7, (1, 3, 9), (8, 20), 40

OFTEN = (3, 10)
"""Times that somebody passes among 20 others, once each: their own pass of another day, counted so often."""


@dataclass(frozen=True)
class Passed:
    """N tracks: whose they are, on which day and by which camera they were filmed (N,), their embeddings and their
    posture statistics (N, D)."""

    people: np.ndarray
    day: np.ndarray
    camera: np.ndarray
    vectors: np.ndarray
    posture: np.ndarray

    @classmethod
    def of(cls, walks: Walks, embedder: TrackEmbedder) -> "Passed":
        shots = np.array([int(Path(clip).stem.removeprefix("shot_")) - 1 for clip in walks.clips])
        posture = [over_windows(posture_statistics_of, sequence) for sequence in walks.given]
        vectors = embedder.join(embedder.describe(walks))
        return cls(walks.people, *np.divmod(shots, len(CORRIDORS)), vectors, np.stack(posture))

    def filmed(self, day: int, camera: int) -> np.ndarray:
        """Rows of what one camera saw on one day."""
        return np.flatnonzero((self.day == day) & (self.camera == camera))

    def questions(self) -> Iterator[tuple[bool, np.ndarray, np.ndarray]]:
        """Whether the camera is the same, and the rows of the gallery and of the probes."""
        cameras = range(len(CORRIDORS))
        for day in (0, 1):
            for here in cameras:
                for there in cameras:
                    yield here == there, self.filmed(day, here), self.filmed(1 - day, there)


def camera_of(vectors: np.ndarray) -> tuple[np.ndarray, Common]:
    """What is taken off, and how well it is known, as `pipeline.cameras.Camera` has it."""
    alike = alike_of(vectors, np.arange(len(vectors)))
    return vectors.sum(axis=0) / (len(vectors) + PRIOR), Common(len(vectors), alike)


def ranked(passed: Passed) -> str:
    """Rank-1, as a Markdown table."""
    right: dict[str, dict[bool, list[tuple[str, bool, float]]]] = defaultdict(lambda: defaultdict(list))
    generator = np.random.default_rng(0)
    for same, gallery, probes in passed.questions():
        enrolled = passed.people[gallery]
        centre = centre_of(passed.vectors[gallery], enrolled)
        templates = centred(passed.vectors[gallery], centre)
        mean, deviation = statistics(passed.posture[gallery])
        postures = standardise(passed.posture[gallery], mean, deviation)
        for probe in probes:
            own = enrolled == passed.people[probe]
            if not own.any():
                continue
            others = probes[passed.people[probes] != passed.people[probe]]
            usual = passed.posture[others].mean(axis=0)
            vector, posture = passed.vectors[[probe]], passed.posture[[probe]]
            similarity = {
                "posture statistics": cosine(standardise(posture, mean, deviation), postures),
                "posture statistics, camera known": cosine(standardise(posture, usual, deviation), postures),
                "reid": centred(vector, centre) @ templates.T,
                "reid, camera known": centred(vector, camera_of(passed.vectors[others])[0]) @ templates.T,
            }
            for count in LEARNED:
                few = passed.vectors[generator.choice(others, count, replace=False)]
                similarity[f"reid, camera known from {count}"] = centred(vector, camera_of(few)[0]) @ templates.T
            again = np.flatnonzero((passed.camera == passed.camera[probe]) & (passed.day != passed.day[probe])
                                   & (passed.people == passed.people[probe]))  # fmt: skip
            for times in OFTEN if len(again) and not same else ():
                often = np.concatenate([few, np.repeat(passed.vectors[again[:1]], times, axis=0)])
                similarity[f"reid, camera known from 20 and {times} times themselves"] = (
                    centred(vector, camera_of(often)[0]) @ templates.T
                )
            for name, (cosines,) in similarity.items():
                best, rivals = cosines[own].max(), cosines[~own]
                of_seven = np.prod([1 - (rivals >= best).sum() / (len(rivals) - taken) for taken in range(SEVEN - 1)])
                right[name][same].append((passed.people[probe], best > rivals.max(), float(max(of_seven, 0.0))))
    count = [len(next(iter(right.values()))[same]) for same in (False, True)]
    lines = ["| | " + " | 95 % interval | of 7 people | ".join(
        f"{name} ({number})" for name, number in zip(("other cameras", "the same camera"), count, strict=True)
    ) + " | 95 % interval | of 7 people |", "|---" * 7 + "|"]  # fmt: skip
    for name, both in right.items():
        cells = []
        for same in (False, True):
            if not both[same]:
                cells.append(" | | ")
                continue
            people, hit, of_seven = map(np.array, zip(*both[same], strict=True))
            low, high = mean_interval(hit.astype(float), people)
            cells.append(f"{100 * hit.mean():.1f} | {100 * low:.1f} to {100 * high:.1f} | {100 * of_seven.mean():.1f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def called(passed: Passed, embedder: TrackEmbedder) -> str:
    """What searches call probes where few are enrolled, as a Markdown table."""
    thresholds, generator = embedder.thresholds, np.random.default_rng(0)
    told: dict[tuple[int, bool, str], tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for count in ENROLLED:
        for _ in range(DRAWS):
            for same, gallery, probes in passed.questions():
                held = generator.choice(gallery, count, replace=False)
                enrolled, vectors = passed.people[held], passed.vectors[held]
                centre, known = centre_of(vectors, enrolled), Common(count, alike_of(vectors, enrolled))
                templates = centred(vectors, centre)
                for probe in probes:
                    others = probes[passed.people[probes] != passed.people[probe]]
                    learned = camera_of(passed.vectors[others])
                    for name, (off, probes_known) in {"not known": (centre, known), "known": learned}.items():
                        (cosines,) = centred(passed.vectors[[probe]], off) @ templates.T
                        needed = about_centres(thresholds.among(FAR, count), known, probes_known, thresholds.alike)
                        named = cosines.max() >= needed
                        right, stranger = told[count, same, name]
                        if passed.people[probe] in enrolled:
                            right.append(named and enrolled[cosines.argmax()] == passed.people[probe])
                        else:
                            stranger.append(named)
    lines = ["| enrolled | camera | not known | known |", "|---" * 4 + "|"]
    for count in ENROLLED:
        for same, where in ((False, "another"), (True, "the same")):
            shares = [[100 * np.mean(one) for one in told[count, same, name]] for name in ("not known", "known")]
            cells = [f"{right:.0f}, {stranger:.2f}" for right, stranger in shares]
            lines.append(f"| {count} | {where} | {' | '.join(cells)} |")
    return "\n".join(lines)


def verified(passed: Passed, embedder: TrackEmbedder) -> str:
    """Shares of pairs of tracks of two days that are called the same person, as a Markdown table."""
    thresholds, nobody = embedder.thresholds, Common(0)
    told: dict[tuple[bool, bool, str], list[bool]] = defaultdict(list)
    for same, one, other in passed.questions():
        for a in one:
            for b in other:
                mine = passed.people[a] == passed.people[b]
                pair = [passed.people[a], passed.people[b]]
                rest = [camera_of(passed.vectors[rows[~np.isin(passed.people[rows], pair)]]) for rows in (one, other)]
                nothing = np.zeros(passed.vectors.shape[1])
                for name, sides in {"not known": [(nothing, nobody)] * 2, "known": rest}.items():
                    left, right = (centred(passed.vectors[[row]], off)[0] for row, (off, _) in zip((a, b), sides,
                                   strict=True))  # fmt: skip
                    needed = about_centres(thresholds.at(FAR), sides[0][1], sides[1][1], thresholds.alike)
                    told[same, bool(mine), name].append(bool(left @ right >= needed))
    lines = ["| cameras | pairs of | cameras not known | known |", "|---" * 4 + "|"]
    for same, where in ((False, "two"), (True, "one")):
        for mine, whom in ((True, "one person"), (False, "strangers")):
            both = [told[same, mine, name] for name in ("not known", "known")]
            lines.append(f"| {where} | {whom} ({len(both[0])}) | " + " | ".join(f"{100 * np.mean(x):.2f}" for x in both)
                         + " |")  # fmt: skip
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, help="a folder as `pipeline.synthetic.shots --cast corridor` makes it")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    options = parser.parse_args(argv)
    takes = [Take(path.parent.name, path) for path in sorted(options.shots.glob("people/*/shot_*.npz"))]
    try:
        embedder = load_embedder(EncoderSettings(weights=options.weights))
        passed = Passed.of(read_walks(takes, embedder, Settings(), None), embedder)
        if len(np.unique(passed.people)) <= max(*ENROLLED, *LEARNED):
            raise DatasetError(f"{options.shots}: too few people can be used; film more of them")
        text = "\n\n".join((ranked(passed), called(passed, embedder), verified(passed, embedder)))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
