"""How often people are found again in footage: the shipped encoder beside plain descriptors, on the same tracks.

    python -m pipeline.evaluate configs/evaluate/samples.yaml --root sample_videos

A protocol is a YAML file: `enrol` and one or more sets of `probes`, each {person: [clip, ...]}; a clip is a path below
the root, or {clip: path, tracks: [1]} where several people are in it.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.embed import TrackEmbedder, load_embedder
from pipeline.errors import ConfigError, UserError
from pipeline.naming import Named, named
from pipeline.population import Take, read_takes, walks_of
from pipeline.settings import EncoderSettings, Settings
from pipeline.walks import Walks
from smsge.bootstrap import mean_interval
from smsge.centring import centre_of, centred
from smsge.descriptors import bone_lengths, over_windows, posture_statistics_of
from smsge.matching import cosine, matches_of, pair_scores, standardise, statistics
from smsge.nearness import by_person, nearness
from smsge.openset import FARS, leave_people_out

Array = NDArray[np.floating]

Compare = Callable[[NDArray[np.bool_]], Array]
"""Which of G tracks are enrolled -> cosines (P, G) of P probes with them; the columns of the others do not count."""


@dataclass(frozen=True)
class Protocol:
    """Who is enrolled from which clips, and which clips are searched: {name of the set: takes}."""

    title: str
    enrol: list[Take]
    probes: dict[str, list[Take]]


@dataclass(frozen=True)
class Line:
    """One descriptor on one set of probes. rank1, mean_ap: of single tracks; clip_rank1: of whole clips, the tracks of
    a clip voting with the sum of their similarities to each person. tracks, clips: how many probes that is.
    interval: where rank1 is in 95 of 100 draws of as many people (`smsge.bootstrap`). identified: {share of strangers'
    tracks that raise a false alarm: share of the enrolled people's tracks that are found and raise one}, with half of
    the people enrolled (`smsge.openset.leave_people_out`). Both nan where there are too few people.
    false_accepts, true_accepts: shares of impostor and genuine pairs at or above the encoder's threshold; named: what
    searches call the probes. None for a descriptor without a threshold."""

    probes: str
    descriptor: str
    rank1: float
    mean_ap: float
    clip_rank1: float
    tracks: int
    clips: int
    interval: tuple[float, float]
    identified: dict[float, float]
    false_accepts: float | None = None
    true_accepts: float | None = None
    named: Named | None = None


def load_protocol(path: Path, root: Path) -> Protocol:
    """Raises ConfigError where the file is not a protocol, naming what is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Protocol(
            str(data.get("title", path.stem)),
            _takes(data["enrol"], root),
            {str(name): _takes(takes, root) for name, takes in data["probes"].items()},
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not a protocol ({error!r}): it needs enrol and probes, as {{person: [clip]}}"
        ) from error


def _takes(people: Mapping[str, Sequence[str | Mapping[str, Any]]], root: Path) -> list[Take]:
    takes = []
    for person, clips in people.items():
        for clip in clips:
            name, tracks = (clip, None) if isinstance(clip, str) else (clip["clip"], tuple(clip["tracks"]))
            takes.append(Take(str(person), root / name, tracks))
    return takes


def evaluate(protocol: Protocol, embedder: TrackEmbedder, settings: Settings, cache: Path | None = None) -> list[Line]:
    """Every descriptor on every set of probes.

    The plain descriptors are standardised by the mean and deviation of the enrolled tracks and compared by cosine, bone
    lengths and posture statistics those of skeletons as the pose estimator gives them; the last row is what the tool
    does, about the centre of those enrolled. A probe clip without a usable track counts as a miss.
    """
    gallery = read_walks(protocol.enrol, embedder, settings, cache)
    lines: list[Line] = []
    for name, takes in protocol.probes.items():
        probes = read_walks(takes, embedder, settings, cache)
        described, joined = descriptors(embedder, gallery, probes)
        enrolled, asked = gallery.people, probes.people
        own = [_line(name, descriptor, compare, gallery, probes, takes) for descriptor, compare in described.items()]
        tool = _accepts(own[-1], embedder.threshold, described[own[-1].descriptor], enrolled, asked)
        shares = named(joined[0], enrolled, joined[1], asked, embedder.thresholds)
        lines += [*own[:-1], replace(tool, named=shares)]
    return lines


def read_walks(takes: Sequence[Take], embedder: TrackEmbedder, settings: Settings, cache: Path | None) -> Walks:
    """The tracks of all takes that a search would not refuse, with identity and session; raises as `read_takes`."""
    return walks_of(read_takes(takes, settings, cache), settings, embedder.lift, embedder.frames)


def descriptors(
    embedder: TrackEmbedder, gallery: Walks, probes: Walks
) -> tuple[dict[str, Compare], tuple[Array, Array]]:
    """{descriptor: how it compares probes with the gallery, that of the tool last}, and the embeddings of both."""
    raw_gallery, raw_probes = (embedder.describe(part) for part in (gallery, probes))
    for raw, part in ((raw_gallery, gallery), (raw_probes, probes)):
        raw["bones"] = np.stack([bone_lengths(sequence) for sequence in part.given])
        for name, sequences in (("given", part.given), ("lifted", part.lifted)):
            raw[name] = np.stack([over_windows(posture_statistics_of, sequence) for sequence in sequences])

    def plain(part: str) -> Compare:
        usual = statistics(raw_gallery[part])
        return _as_they_are(standardise(raw_gallery[part], *usual), standardise(raw_probes[part], *usual))

    joined = embedder.join(raw_gallery), embedder.join(raw_probes)
    described = {
        "bone lengths": plain("bones"),
        "posture statistics": plain("given"),
        "posture statistics, lifted": plain("lifted"),
        "SM-SGE alone": plain("encoder"),
        **{
            f"{part} as calibrated": _as_they_are(standard(raw_gallery[part]), standard(raw_probes[part]))
            for part, standard in embedder.standards.items()
        },
        f"reid: {embedder.name}": _about_their_centre(*joined, gallery.people),
    }
    return described, joined


def _as_they_are(gallery: Array, probes: Array) -> Compare:
    similarity = cosine(probes, gallery)
    return lambda enrolled: similarity


def _about_their_centre(gallery: Array, probes: Array, people: NDArray[np.str_]) -> Compare:
    """As a search does: about the centre of those enrolled, every track as near as its person is."""
    names, order, starts = by_person(people)

    def compare(enrolled: NDArray[np.bool_]) -> Array:
        centre = centre_of(gallery[enrolled], people[enrolled])
        likeness = nearness(centred(probes, centre), centred(gallery, centre)[order], starts)
        return likeness[:, np.searchsorted(names, people)]

    return compare


def _line(name: str, descriptor: str, compare: Compare, gallery: Walks, probes: Walks, takes: list[Take]) -> Line:
    similarity = compare(np.ones(len(gallery), bool))
    enrolled, wanted = gallery.people, probes.people
    matches = matches_of(similarity, wanted, enrolled, ranks=(1,))
    found = matches.retrieval
    people = np.unique(enrolled)
    best = np.stack([similarity[:, enrolled == person].max(axis=1) for person in people], axis=1)
    right = 0
    for take in takes:
        own = (probes.clips == str(take.clip)) & (wanted == take.person)
        right += bool(own.any()) and people[best[own].sum(axis=0).argmax()] == take.person
    return Line(
        name, descriptor, found.rank[1], found.mean_ap, right / len(takes), len(probes), len(takes),
        interval=mean_interval(matches.nearest == wanted, wanted),
        identified=leave_people_out(compare, wanted, enrolled).rate,
    )  # fmt: skip


def _accepts(line: Line, threshold: float, compare: Compare, enrolled: NDArray[np.str_],
             wanted: NDArray[np.str_]) -> Line:  # fmt: skip
    """The tool's own line with what its threshold lets pass. Whose own person is enrolled is no stranger, so pairs of
    different people are compared in the gallery without the probe's person."""
    every = compare(np.ones(len(enrolled), bool))
    genuine, _ = pair_scores(every, wanted, enrolled)
    others = {person: enrolled != person for person in np.unique(wanted)}
    impostor = [compare(left)[wanted == person][:, left].ravel() for person, left in others.items() if left.any()]
    kinds = np.concatenate([np.zeros(0), *impostor]), genuine
    passed = [float((scores >= threshold).mean()) if len(scores) else float("nan") for scores in kinds]
    return replace(line, false_accepts=passed[0], true_accepts=passed[1])


def table(protocol: Protocol, lines: Sequence[Line]) -> str:
    """The lines as a Markdown table, in per cent; a dash where there are too few people for a figure."""
    rates = f"DIR at {', '.join(f'{100 * far:g}' for far in FARS)} % false alarms"
    columns = (
        "probes", "descriptor", "Rank-1 of tracks", "95 % interval", "mAP", "Rank-1 of clips", rates,
        "false, true accepts", "named right, wrong; strangers",
    )  # fmt: skip
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|"
    rows = [
        f"| {line.probes} | {line.descriptor} "
        f"| {100 * line.rank1:.1f} ({line.tracks}) | {_shares(line.interval, ' to ')} "
        f"| {100 * line.mean_ap:.1f} | {100 * line.clip_rank1:.1f} ({line.clips}) "
        f"| {_shares([line.identified[far] for far in FARS], ', ')} | {_accepted(line)} | {_named(line)} |"
        for line in lines
    ]
    return "\n".join([f"{protocol.title}\n", head, *rows])


def _accepted(line: Line) -> str:
    if line.false_accepts is None or line.true_accepts is None:
        return ""
    return _shares((line.false_accepts, line.true_accepts), ", ")


def _named(line: Line) -> str:
    if line.named is None:
        return ""
    told = line.named
    return f"{_shares((told.right, told.wrong), ', ')}; {_shares((told.stranger,), '')}"


def _shares(shares: Sequence[float], between: str) -> str:
    return between.join(f"{100 * share:.1f}" for share in shares) if np.isfinite(shares).all() else "–"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluate", description=__doc__)
    parser.add_argument("protocol", type=Path)
    parser.add_argument("--root", type=Path, default=Path(), help="where the protocol's clips lie")
    parser.add_argument("--weights", default="default", help="an encoder that ships, or a path")
    parser.add_argument("--cache", type=Path, help="a folder for extracted skeletons")
    options = parser.parse_args(argv)
    try:
        protocol = load_protocol(options.protocol, options.root)
        lines = evaluate(protocol, load_embedder(EncoderSettings(weights=options.weights)), Settings(), options.cache)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(table(protocol, lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
