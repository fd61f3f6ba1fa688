"""The people of a protocol enrolled from each of its scenes in turn, and looked for by every single pass of the others.

    python -m benchmarks.scenes configs/evaluate/kth.yaml --root DATA [--weights selfsupervised] [--cache FOLDER]

`pipeline.evaluate` asks with whole tracks, from one scene only: of KTH that is 27 probes, too few to choose between two
encoders by. Here every scene (`enrol` and each set of `probes`) is the gallery once, of whole tracks, and each
uninterrupted stretch of a track from another scene asks by itself, if the encoder's window fits into it. Who is not
enrolled does not ask. Descriptors are standardised as in `pipeline.evaluate`; intervals are of draws of people, and
as few people are in them as before. The last two rows know the camera (`pipeline.cameras`) from the tracks of the other
people in the scene, and standardise posture statistics by their mean. Lines below the table tell what a search would
call the passes, who each ask once more as strangers, at two rates of strangers that may be called by a name.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np

from pipeline.cameras import Camera
from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import UserError
from pipeline.evaluate import Protocol, descriptors, load_protocol, read_walks
from pipeline.naming import Named, named
from pipeline.settings import EncoderSettings, Settings
from pipeline.walks import Walks
from smsge.bootstrap import mean_interval
from smsge.centring import centre_of, centred
from smsge.descriptors import over_windows, posture_statistics_of
from smsge.matching import Matches, cosine, matches_of, standardise, statistics
from smsge.nearness import by_person, nearness
from smsge.openset import FARS
from smsge.sequence import SkeletonSequence


def passes(sequence: SkeletonSequence, frames: int) -> list[SkeletonSequence]:
    """Each uninterrupted stretch of a track that holds `frames`, as a track of its own."""
    return [
        replace(sequence, joints=stretch, segment=np.zeros(len(stretch), int))
        for stretch in sequence.stretches()
        if len(stretch) >= frames
    ]


def with_cameras(gallery: Walks, probes: Walks, others: Walks, embedder: TrackEmbedder) -> dict[str, np.ndarray]:
    """{descriptor: (P, G)}, each probe about what the other people who were filmed there say of the camera, the gallery
    about its own centre; with the tool every track is as near as its person is."""
    usual = np.array([np.flatnonzero(others.people != person) for person in probes.people], object)
    enrolled, asking, filmed = (embedder.join(embedder.describe(walks)) for walks in (gallery, probes, others))
    names, order, starts = by_person(gallery.people)
    centres = np.stack([Camera.of(filmed[rows], 1, embedder).centre for rows in usual])
    templates = centred(enrolled, centre_of(enrolled, gallery.people))[order]
    near = nearness(centred(asking, centres), templates, starts)[:, np.searchsorted(names, gallery.people)]
    enrolled, asking, filmed = (np.stack([over_windows(posture_statistics_of, one) for one in walks.given])
                                for walks in (gallery, probes, others))  # fmt: skip
    mean, deviation = statistics(enrolled)
    means = np.stack([filmed[rows].mean(axis=0) for rows in usual])
    posture = cosine(standardise(asking, means, deviation), standardise(enrolled, mean, deviation))
    return {"posture statistics": posture, f"reid: {embedder.name}": near}


def measure(protocol: Protocol, embedder: TrackEmbedder, settings: Settings, cache: Path | None) -> str:
    """A Markdown table, in per cent, over all pairs of scenes together."""
    scenes = [read_walks(takes, embedder, settings, cache) for takes in (protocol.enrol, *protocol.probes.values())]
    found: dict[str, list[Matches]] = defaultdict(list)
    called: dict[float, list[Named]] = defaultdict(list)
    asked: list[np.ndarray] = []
    for gallery, others in permutations(scenes, 2):
        known = gallery.people
        probes = Walks(*([one for whole in part if whole.identity in known for one in passes(whole, embedder.frames)]
                          for part in (others.given, others.lifted)))  # fmt: skip
        wanted = probes.people
        asked.append(wanted)
        described, joined = descriptors(embedder, gallery, probes)
        for name, compare in described.items():
            found[name].append(matches_of(compare(np.ones(len(known), bool)), wanted, known, ranks=(1,)))
        aware = with_cameras(gallery, probes, others, embedder)
        for name, similarity in aware.items():
            found[f"{name}, camera known"].append(matches_of(similarity, wanted, known, ranks=(1,)))
        for far in FARS:
            called[far].append(named(joined[0], known, joined[1], wanted, embedder.thresholds, far))
    people, each = np.concatenate(asked), [len(wanted) for wanted in asked]
    lines = [f"| descriptor | Rank-1 ({len(people)}) | 95 % interval | mAP |", "|---" * 4 + "|"]
    for name, matches in found.items():
        right = np.concatenate([one.nearest == wanted for one, wanted in zip(matches, asked, strict=True)])
        low, high = mean_interval(right.astype(float), people)
        precision = np.average([one.retrieval.mean_ap for one in matches], weights=each)
        shares = [f"{100 * share:.1f}" for share in (right.mean(), low, high, precision)]
        lines.append("| {} | {} | {} to {} | {} |".format(name, *shares))
    for far, told in called.items():
        right, wrong, stranger = (100 * np.average([getattr(one, name) for one in told], weights=each)
                                  for name in ("right", "wrong", "stranger"))  # fmt: skip
        lines.append(f"\nof strangers {100 * far:g} % may be called by a name: {stranger:.1f} % are; of the others"
                     f" {right:.1f} % are called by their own, {wrong:.1f} % by another")  # fmt: skip
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", type=Path, help="as `pipeline.evaluate` reads it, with two scenes or more")
    parser.add_argument("--root", type=Path, default=Path(), help="where the protocol's clips lie")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    parser.add_argument("--cache", type=Path, help="a folder for extracted skeletons")
    options = parser.parse_args(argv)
    try:
        embedder = load_embedder(EncoderSettings(weights=options.weights))
        text = measure(load_protocol(options.protocol, options.root), embedder, Settings(), options.cache)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
