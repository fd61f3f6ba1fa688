"""What several clips of a person bring, and how they are best compared with a probe, on shots of walkers.

    python -m benchmarks.several SHOTS ... [--weights default] [--draws 40] [--seed 0]

SHOTS are folders as `pipeline.synthetic.shots` makes them, of people whom nothing was fitted to. In each draw half of
the people, at random, are enrolled from one, two and three of their shots, and their other shots ask; the other half
are strangers. A person is as like a probe as the nearest template is, as the mean of the templates is, or as the nearer
of both, which is what the tool does (`smsge.nearness`). Rank-1, and the detection and identification rate at 1 and 10 %
of strangers taken for somebody, all draws together.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.embed import load_embedder
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.pairs import read_shots, walks_of
from smsge.centring import centre_of, centred
from smsge.matching import threshold_at_far
from smsge.nearness import by_person, means_of, nearness

Compare = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
ENROLLED = (1, 2, 3)  # shots of a person


def nearest(probes: np.ndarray, templates: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(M, P) greatest cosines with a template of each person."""
    return np.maximum.reduceat(probes @ templates.T, starts, axis=1)


def mean(probes: np.ndarray, templates: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(M, P) cosines with the mean of each person's templates."""
    return probes @ means_of(templates, starts).T


COMPARED: dict[str, Compare] = {"the nearest": nearest, "their mean": mean, "the nearer of both": nearness}


def measure(vectors: np.ndarray, people: np.ndarray, shots: np.ndarray, count: int, draws: int, seed: int
            ) -> Mapping[str, tuple[float, float, float]]:  # fmt: skip
    """For each way of comparing: Rank-1, and DIR at 1 and 10 %, of people enrolled from `count` shots each."""
    generator, names = np.random.default_rng(seed), np.unique(people)
    right: dict[str, list[np.ndarray]] = {way: [] for way in COMPARED}
    alike: dict[str, list[np.ndarray]] = {way: [] for way in COMPARED}
    strange: dict[str, list[np.ndarray]] = {way: [] for way in COMPARED}
    for _ in range(draws):
        known = generator.permutation(names)[: len(names) // 2]
        held, asking = [], []
        for name in known:
            own = np.unique(shots[people == name])
            taken = generator.permutation(own)[: min(count, len(own) - 1)] if len(own) > 1 else own
            held += np.flatnonzero((people == name) & np.isin(shots, taken)).tolist()
            asking += np.flatnonzero((people == name) & ~np.isin(shots, taken)).tolist()
        centre = centre_of(vectors[held], people[held])
        whose, order, starts = by_person(people[held])
        templates = centred(vectors[held], centre)[order]
        strangers = ~np.isin(people, known)
        for way, compare in COMPARED.items():
            found = compare(centred(vectors[asking], centre), templates, starts)
            right[way].append(whose[found.argmax(axis=1)] == people[asking])
            alike[way].append(found.max(axis=1))
            strange[way].append(compare(centred(vectors[strangers], centre), templates, starts).max(axis=1))
    told = {}
    for way in COMPARED:
        hit, score, alarm = (np.concatenate(lists[way]) for lists in (right, alike, strange))
        rates = [float((hit & (score >= threshold_at_far(alarm, far))).mean()) for far in (0.01, 0.1)]
        told[way] = (float(hit.mean()), *rates)
    return told


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, nargs="+")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    embedder = load_embedder(EncoderSettings(weights=given.weights))
    print(f"| shots | enrolled from | {' | '.join(COMPARED)} |")
    print("|---" * (len(COMPARED) + 2) + "|")
    for folder in given.shots:
        shown = read_shots(folder, Settings(), embedder.frames)
        walks = walks_of(shown, embedder.lift)
        vectors, people, shots = embedder.join(embedder.describe(walks)), walks.people, walks.clips
        for count in ENROLLED:
            told = measure(vectors, people, shots, count, given.draws, given.seed)
            cells = [f"{100 * rank1:.1f}; {100 * low:.1f}, {100 * high:.1f}" for rank1, low, high in told.values()]
            print(f"| {folder.name} | {count} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
