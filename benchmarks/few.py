"""What searches call strangers, and those enrolled, in galleries of few people.

    python -m benchmarks.few [SHOTS ...] [--scenes PROTOCOL ... --root DATA] [--weights selfsupervised] [--cache FOLDER]

So many people at random are enrolled: of SHOTS (folders as `pipeline.synthetic.shots` makes them) by one shot each, and
every other shot asks; of a protocol (as `pipeline.evaluate` reads it) by their tracks of one scene, and every track of
another scene asks. Each draw is another gallery. Per cent of strangers' tracks that are called by a name where 1 % may
be, then of the others that are called by their own: as a search asks (`Thresholds.asked`); as it asks where the
camera is known (`pipeline.cameras`) from the other people in the scene; and as it would if people filmed alike had
nothing in common.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.cameras import FEWEST, Camera
from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import UserError
from pipeline.evaluate import load_protocol, read_walks
from pipeline.in_common import Common, about_centres
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.pairs import read_shots, walks_of
from pipeline.thresholds import FAR
from pipeline.walks import Walks
from smsge.centring import alike_of, centre_of, centred
from smsge.nearness import by_person, nearness

ENROLLED = (1, 2, 3, 5, 9)


@dataclass(frozen=True)
class Tracks:
    """N tracks: vectors (N, D) of unit length, whose they are, and what they were filmed in, (N,) both: nothing that is
    enrolled asks for what was filmed in the same."""

    vectors: np.ndarray
    people: np.ndarray
    taken: np.ndarray


def of_shots(folder: Path, embedder: TrackEmbedder) -> Tracks:
    """Each shot of a person is one of its own."""
    walks = walks_of(read_shots(folder, Settings(), embedder.frames), embedder.lift)
    return Tracks(embedder.join(embedder.describe(walks)), walks.people, walks.clips)


def of_scenes(path: Path, root: Path, embedder: TrackEmbedder, cache: Path | None) -> Tracks:
    """What was filmed in one scene is one."""
    protocol = load_protocol(path, root)
    parts = [read_walks(takes, embedder, Settings(), cache) for takes in (protocol.enrol, *protocol.probes.values())]
    walks = Walks(*([one for part in parts for one in getattr(part, way)] for way in ("given", "lifted")))
    scenes = np.repeat([f"scene {number}" for number in range(len(parts))], [len(part) for part in parts])
    return Tracks(embedder.join(embedder.describe(walks)), walks.people, scenes)


def drawn(tracks: Tracks, count: int, draws: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Galleries of `count` people: which tracks (N,) are enrolled, and which ask."""
    generator, names = np.random.default_rng(seed), np.unique(tracks.people)
    takes = {name: np.unique(tracks.taken[tracks.people == name]) for name in names}
    everywhere = np.unique(np.concatenate(list(takes.values())))
    alone = len(everywhere) == sum(map(len, takes.values()))  # no two people are in one shot
    for _ in range(draws):
        known = generator.permutation(names)[:count]
        held = [generator.choice(takes[name]) for name in known] if alone else [generator.choice(everywhere)]
        enrolled = np.isin(tracks.people, known) & np.isin(tracks.taken, held)
        if len(np.unique(tracks.people[enrolled])) == count:
            yield enrolled, ~np.isin(tracks.taken, held)


def cameras(tracks: Tracks, embedder: TrackEmbedder) -> tuple[np.ndarray, list[Common]] | None:
    """What each track's camera makes of everybody, by the other people whom it filmed: what is taken off (N, D), and
    how well that is known of each; None where it filmed too few."""
    centres, known = np.zeros_like(tracks.vectors), []
    for row, (person, taken) in enumerate(zip(tracks.people, tracks.taken, strict=True)):
        others = tracks.vectors[(tracks.taken == taken) & (tracks.people != person)]
        if len(others) < FEWEST:
            return None
        camera = Camera.of(others, 1, embedder)
        centres[row] = camera.centre
        known.append(camera.common)
    return centres, known


def measure(tracks: Tracks, count: int, draws: int, seed: int, embedder: TrackEmbedder) -> list[tuple[float, float]]:
    """Per cent of strangers called by a name, and of the others by their own: as a search asks; as it does where the
    camera is known, if it can be here; and as it would if people had nothing in common."""
    told: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {way: ([], []) for way in ("asked", "camera", "bare")}
    filmed, thresholds = cameras(tracks, embedder), embedder.thresholds
    for enrolled, asks in drawn(tracks, count, draws, seed):
        vectors, people, wanted = tracks.vectors[enrolled], tracks.people[enrolled], tracks.people[asks]
        centre, gallery = centre_of(vectors, people), Common(count, alike_of(vectors, people))
        names, order, starts = by_person(people)
        templates, held = centred(vectors, centre)[order], [int((people == name).sum()) for name in names]
        bare = np.array([thresholds.among(FAR, count, many) for many in held])
        asked = np.array([about_centres(least, gallery, gallery, thresholds.alike) for least in bare])
        ways = {"asked": (centre, asked), "bare": (centre, bare)}
        if filmed is not None:
            known = [filmed[1][row] for row in np.flatnonzero(asks)]
            each = [[about_centres(least, gallery, one, thresholds.alike) for least in bare] for one in known]
            ways["camera"] = filmed[0][asks], np.array(each)
        for way, (off, needed) in ways.items():
            similarity = nearness(centred(tracks.vectors[asks], off), templates, starts)
            best = similarity.argmax(axis=1)
            named = similarity.max(axis=1) >= np.broadcast_to(needed, similarity.shape)[np.arange(len(best)), best]
            enrolled_too = np.isin(wanted, names)
            told[way][0].append(named[~enrolled_too])
            told[way][1].append((named & (names[best] == wanted))[enrolled_too])
    return [
        tuple(100 * float(np.concatenate(part).mean()) if part else np.nan for part in way) for way in told.values()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path, nargs="*")
    parser.add_argument("--scenes", type=Path, nargs="+", default=[], help="protocols, with two scenes or more")
    parser.add_argument("--root", type=Path, default=Path(), help="where the protocols' clips lie")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    parser.add_argument("--cache", type=Path, help="a folder for extracted skeletons")
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    print("| footage | enrolled | strangers named, others by their own | camera known | if nothing were in common |")
    print("|---" * 5 + "|")
    try:
        embedder = load_embedder(EncoderSettings(weights=given.weights))
        footage = [(folder.name, of_shots(folder, embedder)) for folder in given.shots]
        footage += [(path.stem, of_scenes(path, given.root, embedder, given.cache)) for path in given.scenes]
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for name, tracks in footage:
        for count in [count for count in ENROLLED if count < len(np.unique(tracks.people))]:
            shares = measure(tracks, count, given.draws, given.seed, embedder)
            cells = ["" if np.isnan(right) else f"{strangers:.2f}, {right:.0f}" for strangers, right in shares]
            print(f"| {name} | {count} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
