"""People seen from one side by one camera, searched for before a camera that sees another side, on another day.

    python -m pipeline.synthetic.shots SHOTS --cast corridor --people 40 --shots 6 --seed 9020 --name cor
    python -m benchmarks.corridor SHOTS [--weights selfsupervised]

Everybody passes the cameras of three corridors, always the same way, once on each of two days. They are enrolled from
each camera and each day in turn, and asked for by what every camera saw on the other day. Each question is asked twice:
as if nothing were known of the camera, and with what the other people whom it filmed that day say of it, those enrolled
among them but not the probe's own person (`pipeline.cameras`); statistics are then standardised by their mean instead
of the gallery's. Next, what comes of it where somebody passes more often than others, if the first people were filmed
on more than two days (`--people 14 --shots 24` into the same folder); what searches call people, and strangers, where
one, three or nine are enrolled; and pairs of tracks as `reid verify` compares them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.cameras import Camera
from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import DatasetError, UserError
from pipeline.evaluate import read_walks
from pipeline.in_common import Common, about_centres, without_centre
from pipeline.population import Take
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.shots import CORRIDORS
from pipeline.thresholds import FAR
from pipeline.walks import Walks
from smsge.bootstrap import mean_interval
from smsge.centring import alike_of, centre_of, centred
from smsge.descriptors import over_windows, posture_statistics_of
from smsge.matching import cosine, standardise, statistics

SEVEN, ENROLLED, LEARNED, DRAWS = 7, (1, 3, 9), (8, 20), 40

OTHERS, OFTEN, STAFF = 20, (0, 3, 6), 7
"""People who pass once, how often somebody passes besides, and how many people are all who pass."""


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


def ranked(passed: Passed, embedder: TrackEmbedder) -> str:
    """Rank-1, as a Markdown table."""
    right: dict[str, dict[bool, list[tuple[str, bool, float]]]] = defaultdict(lambda: defaultdict(list))
    generator = np.random.default_rng(0)

    def off(rows: np.ndarray) -> np.ndarray:
        return Camera.of(passed.vectors[rows], 1, embedder).centre

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
                "reid, camera known": centred(vector, off(others)) @ templates.T,
            }
            for count in LEARNED:
                few = generator.choice(others, count, replace=False)
                similarity[f"reid, camera known from {count}"] = centred(vector, off(few)) @ templates.T
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
            people, hit, of_seven = map(np.array, zip(*both[same], strict=True))
            low, high = mean_interval(hit.astype(float), people)
            cells.append(f"{100 * hit.mean():.1f} | {100 * low:.1f} to {100 * high:.1f} | {100 * of_seven.mean():.1f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def often(passed: Passed, embedder: TrackEmbedder) -> str | None:
    """Rank-1 before another camera of those who pass on other days too, as a Markdown table: with a camera learned from
    others, who pass once, and from their own passes; and from the passes of a few people alone. None without them."""
    regulars = np.unique(passed.people[passed.day > 1])
    if len(regulars) < STAFF:
        return None
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    generator = np.random.default_rng(0)
    for same, gallery, probes in passed.questions():
        enrolled = passed.people[gallery]
        centre = centre_of(passed.vectors[gallery], enrolled)
        templates = centred(passed.vectors[gallery], centre)
        there = np.unique(passed.camera[probes])
        besides = np.flatnonzero((passed.day > 1) & (passed.camera == there))
        staff = besides[np.isin(passed.people[besides], generator.choice(regulars, STAFF, replace=False))]
        for probe in probes:
            person = passed.people[probe]
            if same or person not in enrolled or person not in regulars:
                continue
            others = generator.choice(probes[passed.people[probes] != person], OTHERS, replace=False)
            own = generator.permutation(besides[passed.people[besides] == person])
            learned = {
                f"{OTHERS} others and {times} times themselves": np.append(others, own[:times]) for times in OFTEN
            }
            if person in passed.people[staff]:
                learned[f"{STAFF} people alone, often"] = staff
            for name, rows in learned.items():
                plain = centre_of(passed.vectors[rows], rows)
                grouped = Camera.of(passed.vectors[rows], 1, embedder).centre
                ways = {"not known": centre, "every track once": plain, "everybody once": grouped}
                for way, off in ways.items():
                    (cosines,) = centred(passed.vectors[[probe]], off) @ templates.T
                    right[name][way].append(bool(enrolled[cosines.argmax()] == person))
    lines = ["| camera learned from | not known | every track once | everybody once |", "|---" * 4 + "|"]
    for name, told in right.items():
        count = len(told["not known"])
        lines.append(f"| {name} ({count}) | " + " | ".join(f"{100 * np.mean(hit):.1f}" for hit in told.values()) + " |")
    return "\n".join(lines)


def called(passed: Passed, embedder: TrackEmbedder) -> str:
    """What searches call probes where few are enrolled, as a Markdown table."""
    thresholds, generator, cameras = embedder.thresholds, np.random.default_rng(0), cameras_of(passed, embedder)
    told: dict[tuple[int, bool, str], tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for count in ENROLLED:
        for _ in range(DRAWS):
            for same, gallery, probes in passed.questions():
                held = generator.choice(gallery, count, replace=False)
                enrolled, vectors = passed.people[held], passed.vectors[held]
                centre, known = centre_of(vectors, enrolled), Common(count, alike_of(vectors, enrolled))
                templates = centred(vectors, centre)
                for probe in probes:
                    camera = cameras[probe]
                    ways = {"not known": (centre, known), "known": (camera.centre, camera.common)}
                    for name, (off, filmed) in ways.items():
                        (cosines,) = centred(passed.vectors[[probe]], off) @ templates.T
                        needed = about_centres(thresholds.among(FAR, count), known, filmed, thresholds.alike)
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


def cameras_of(passed: Passed, embedder: TrackEmbedder) -> dict[int, Camera]:
    """Of each track of the two days, its camera, learned from the other people whom it filmed that day."""
    found = {}
    for row in np.flatnonzero(passed.day < 2):
        filmed = passed.filmed(passed.day[row], passed.camera[row])
        others = filmed[passed.people[filmed] != passed.people[row]]
        found[int(row)] = Camera.of(passed.vectors[others], 1, embedder)
    return found


def verified(passed: Passed, embedder: TrackEmbedder) -> str:
    """Shares of pairs of tracks of two days that are called the same person, as a Markdown table."""
    thresholds, cameras = embedder.thresholds, cameras_of(passed, embedder)
    about = np.zeros_like(passed.vectors)
    for row, camera in cameras.items():
        about[row] = centred(passed.vectors[[row]], camera.centre)[0]
    told: dict[tuple[bool, bool, str], list[bool]] = defaultdict(list)
    for same, one, other in passed.questions():
        for a in one:
            for b in other:
                mine = bool(passed.people[a] == passed.people[b])
                alone, least = passed.vectors[a] @ passed.vectors[b], thresholds.at(FAR)
                told[same, mine, "not known"].append(bool(alone >= without_centre(least, thresholds.alike)))
                needed = about_centres(least, cameras[a].common, cameras[b].common, thresholds.alike)
                told[same, mine, "known"].append(bool(about[a] @ about[b] >= needed))
    lines = ["| cameras | pairs of | cameras not known | known |", "|---" * 4 + "|"]
    for same, where in ((False, "two"), (True, "one")):
        for mine, whom in ((True, "one person"), (False, "strangers")):
            both = [told[same, mine, name] for name in ("not known", "known")]
            shares = " | ".join(f"{100 * np.mean(passing):.2f}" for passing in both)
            lines.append(f"| {where} | {whom} ({len(both[0])}) | {shares} |")
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
        tables = (part(passed, embedder) for part in (ranked, often, called, verified))
        text = "\n\n".join(table for table in tables if table is not None)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
