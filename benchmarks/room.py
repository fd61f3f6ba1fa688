"""Seven people enrolled from one camera of a room and searched for from its others, on another day in other clothes.

    python -m pipeline.synthetic.shots SHOTS --cast room --people 14 --shots 8 --seed 9007 --name room
    python -m benchmarks.room SHOTS [--weights selfsupervised]

Everybody walks round and round for twelve seconds, so each of the four cameras sees every side of them. The people,
in order of name, are taken seven at a time, and each camera in turn is the one from which they are enrolled, by its
shot of the first day; its shot of the second day, and those of the other cameras, are searched for. Plain descriptors
are standardised by the seven tracks enrolled, as in `pipeline.evaluate`. The last line is what searches call them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import DatasetError, UserError
from pipeline.evaluate import descriptors, read_walks
from pipeline.naming import Named, named
from pipeline.population import Take
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.shots import CAMERAS
from pipeline.walks import Walks
from smsge.bootstrap import mean_interval
from smsge.matching import matches_of

ENROLLED = 7


def galleries(walks: Walks) -> Iterator[tuple[Walks, Walks, Walks]]:
    """What is enrolled, what asks from the other cameras, and what asks from the same one."""
    shots = np.array([int(Path(clip).stem.removeprefix("shot_")) - 1 for clip in walks.clips])
    day, camera = np.divmod(shots, CAMERAS)
    names = np.unique(walks.people)
    for first in range(0, len(names) - ENROLLED + 1, ENROLLED):
        own = np.isin(walks.people, names[first : first + ENROLLED])
        for one in range(CAMERAS):
            here = camera == one
            groups = own & here & (day == 0), own & ~here & (day == 1), own & here & (day == 1)
            enrolled, others, same = (walks.only(np.flatnonzero(group)) for group in groups)
            yield enrolled, others, same


def measure(walks: Walks, embedder: TrackEmbedder) -> str:
    """A Markdown table, in per cent, and what searches call the probes."""
    right: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = defaultdict(lambda: ([], []))
    asking: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    called: list[tuple[int, Named]] = []
    for enrolled, *asked in galleries(walks):
        known = enrolled.people
        for number, probes in enumerate(asked):
            wanted = probes.people
            asking[number].append(wanted)
            found, joined = descriptors(embedder, enrolled, probes)
            for name, compare in found.items():
                similarity = compare(np.ones(len(known), bool))
                right[name][number].append(matches_of(similarity, wanted, known, ranks=(1,)).nearest == wanted)
            called.append((len(wanted), named(joined[0], known, joined[1], wanted, embedder.thresholds)))
    if not called:
        raise DatasetError(f"fewer than {ENROLLED} people can be used; film more of them")
    people = [np.concatenate(parts) for parts in asking]
    columns = [f"{name} ({len(whose)})" for name, whose in zip(("other cameras", "same camera"), people, strict=True)]
    head = f"| descriptor | {' | 95 % interval | '.join(columns)} | 95 % interval |"
    lines = [head, "|---" * 5 + "|"]
    lines += [
        f"| {name} | {' | '.join(map(_share, map(np.concatenate, both), people))} |" for name, both in right.items()
    ]
    tracks_asked, shares = zip(*called, strict=True)
    told = [100 * np.average([getattr(one, what) for one in shares], weights=tracks_asked)
            for what in ("right", "wrong", "stranger")]  # fmt: skip
    return "\n".join(lines) + (
        f"\n\n{told[0]:.1f} % of the tracks are called by their name and {told[1]:.1f} % by another; of strangers'"
        f" {told[2]:.1f} % are called by a name"
    )


def _share(right: np.ndarray, people: np.ndarray) -> str:
    low, high = mean_interval(right.astype(float), people)
    return f"{100 * right.mean():.1f} | {100 * low:.1f} to {100 * high:.1f}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, help="a folder as `pipeline.synthetic.shots --cast room` makes it")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    options = parser.parse_args(argv)
    takes = [Take(path.parent.name, path) for path in sorted(options.shots.glob("people/*/shot_*.npz"))]
    try:
        embedder = load_embedder(EncoderSettings(weights=options.weights))
        text = measure(read_walks(takes, embedder, Settings(), None), embedder)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
