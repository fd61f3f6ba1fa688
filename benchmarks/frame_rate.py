"""What fewer frames cost and save: the same footage posed at several strides, and who is found again at each.

    python -m benchmarks.frame_rate configs/evaluate/kth.yaml --root DATA --cache DIR [--strides 1 2 3 4] [--json]
    python -m benchmarks.frame_rate DIR/rounds.yaml --root DIR --film 10 --cache DIR/cache

A protocol is one that `python -m pipeline.evaluate` reads. --film N renders N people first, each walking twice round a
loop before a good camera, at 60 frames a second, into the protocol's folder.

The first stride is what the others are compared with. For each: frames posed in a second of footage and the processors'
seconds that took, decoding included; seconds of usable tracks, and how many those are; Rank-1 with its interval and mAP
of single tracks, enrolled and searched at this stride; Rank-1 of the same against people enrolled at the first one;
tracks whose first name is another than at the first stride; and the similarity of each track's embedding to that of
the same track at the first stride, about the centre of those enrolled: the median and the tenth percentile. Beside
it stands, for scale, what a search compares: tracks of the same person in different clips, and of different people.

The cache keeps what was extracted and what that cost; the strides take turns, clip by clip.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.embed import load_embedder
from pipeline.errors import UserError
from pipeline.evaluate import Protocol, load_protocol
from pipeline.extract import extract
from pipeline.population import Take
from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.probes import Reader
from pipeline.settings import EncoderSettings, Settings
from pipeline.skeletons import save_skeletons
from pipeline.synthetic.scene import render
from pipeline.synthetic.shots import Rounds
from pipeline.values import Frame, Person, PoseTrack
from pipeline.video import content_id
from pipeline.video_writer import VideoWriter
from smsge.bootstrap import mean_interval
from smsge.centring import centre_of, centred
from smsge.matching import Matches, cosine, matches_of

FILM_FPS, FILM_SEED = 60.0, 9003


@dataclass(frozen=True)
class Cost:
    """Of one clip: frames posed, the processors' seconds, and seconds of footage."""

    posed: int
    cpu: float
    footage: float


@dataclass(frozen=True)
class Seen:
    """One usable track: whose it is, of which clip, and its embedding (D,)."""

    person: str
    clip: Path
    track: PoseTrack
    embedding: np.ndarray


@dataclass(frozen=True)
class Line:
    """One set of probes at one stride, against the first stride; see the module's docstring."""

    probes: str
    stride: int
    fps: float
    cpu: float
    seconds: float
    tracks: int
    rank1: float
    interval: tuple[float, float]
    mean_ap: float
    rank1_of_first: float
    compared: int
    renamed: int
    likeness: tuple[float, float]
    same_person: float
    others: float


class _Counting:
    """A pose estimator that counts its frames."""

    def __init__(self, pose: PoseEstimator) -> None:
        self._pose, self.count = pose, 0

    def __enter__(self) -> "_Counting":
        return self

    def __exit__(self, *_: object) -> None:
        """The estimator belongs to somebody else."""

    def __call__(self, frame: Frame) -> list[Person]:
        self.count += 1
        return self._pose(frame)


def pose_all(protocol: Protocol, strides: Sequence[int], cache: Path) -> None:
    """Extract every clip at every stride, but for what the cache has."""
    takes = [*protocol.enrol, *(take for takes in protocol.probes.values() for take in takes)]
    clips = sorted({take.clip for take in takes})
    with MediaPipePose(Settings().pose) as pose:
        for number, clip in enumerate(clips, start=1):
            for stride in strides:
                kept = _kept(cache, stride, clip)
                if kept.exists():
                    continue
                kept.parent.mkdir(parents=True, exist_ok=True)
                counting, begun = _Counting(pose), time.process_time()
                found = extract(clip, _settings(stride), pose=counting)
                cost = Cost(counting.count, time.process_time() - begun, found.duration)
                kept.with_suffix(".json").write_text(json.dumps(asdict(cost)), encoding="utf-8")
                save_skeletons(kept, found)
            print(f"{number} of {len(clips)} clips: {clip.name}", file=sys.stderr)


def measure(protocol: Protocol, strides: Sequence[int], cache: Path) -> list[Line]:
    """Every set of probes at every stride. Raises UserError."""
    embedder = load_embedder(EncoderSettings())
    lines: list[Line] = []
    with Reader(Settings(), embedder=embedder) as reader:
        first: dict[str, list[Seen]] = {}
        for stride in strides:
            sets = {"": protocol.enrol, **protocol.probes}
            now = {name: [seen for take in takes for seen in _usable(reader, take, stride, strides[0], cache)]
                   for name, takes in sets.items()}  # fmt: skip
            first = first or now
            lines += [_line(name, protocol.probes[name], stride, now, first, cache) for name in protocol.probes]
    return lines


def _line(name: str, takes: Sequence[Take], stride: int, now: Mapping[str, list[Seen]],
          first: Mapping[str, list[Seen]], cache: Path) -> Line:  # fmt: skip
    costs = [Cost(**json.loads(file.read_text("utf-8"))) for take in takes
             if (file := _kept(cache, stride, take.clip).with_suffix(".json")).exists()]  # fmt: skip
    footage = sum(cost.footage for cost in costs)
    matches = _matches(now[name], now[""])
    people = np.array([seen.person for seen in now[name]])
    before = _matches(first[name], first[""]).nearest
    pairs = [(old, new) for old, seen in enumerate(first[name]) if (new := _same(seen, now[name])) is not None]
    centre = centre_of(_vectors(first[""]), [seen.person for seen in first[""]])
    olds, news = (centred(_vectors(part), centre) for part in (first[name], now[name]))
    likeness = [float(olds[old] @ news[new]) for old, new in pairs]
    similar = cosine(centred(_vectors(now[name]), centre), centred(_vectors(now[""]), centre))
    own = people[:, None] == np.array([seen.person for seen in now[""]])[None]
    return Line(
        probes=name,
        stride=stride,
        fps=sum(cost.posed for cost in costs) / footage if footage else float("nan"),
        cpu=sum(cost.cpu for cost in costs) / footage if footage else float("nan"),
        seconds=float(sum(seen.track.end - seen.track.start for seen in now[name])),
        tracks=len(now[name]),
        rank1=matches.retrieval.rank[1],
        interval=mean_interval(matches.nearest == people, people),
        mean_ap=matches.retrieval.mean_ap,
        rank1_of_first=_matches(now[name], first[""]).retrieval.rank[1],
        compared=len(pairs),
        renamed=sum(matches.nearest[new] != before[old] for old, new in pairs),
        likeness=(float(np.median(likeness)), float(np.quantile(likeness, 0.1))),
        same_person=float(similar[own].mean()),
        others=float(similar[~own].mean()),
    )


def _matches(probes: Sequence[Seen], enrolled: Sequence[Seen]) -> Matches:
    """As a search has it: about the centre of those enrolled."""
    names = np.array([seen.person for seen in enrolled])
    centre = centre_of(_vectors(enrolled), names)
    similarity = cosine(centred(_vectors(probes), centre), centred(_vectors(enrolled), centre))
    return matches_of(similarity, np.array([seen.person for seen in probes]), names, ranks=(1,))


def _vectors(part: Sequence[Seen]) -> np.ndarray:
    return np.stack([seen.embedding for seen in part])


def _usable(reader: Reader, take: Take, stride: int, first: int, cache: Path) -> list[Seen]:
    """The usable tracks of a take; which of a clip's tracks are theirs is said of those at the first stride."""
    probes = reader.read(str(_kept(cache, stride, take.clip))).probes
    found = [
        Seen(take.person, take.clip, probe.track, probe.template.embedding)
        for probe in probes
        if probe.template is not None
    ]
    if take.tracks is None:
        return found
    at_first = [Seen(take.person, take.clip, probe.track, np.zeros(0))
                for probe in reader.read(str(_kept(cache, first, take.clip))).probes]  # fmt: skip
    owners = [_same(seen, at_first) for seen in found]
    return [seen for seen, owner in zip(found, owners, strict=True)
            if owner is not None and at_first[owner].track.id in take.tracks]  # fmt: skip


def _same(seen: Seen, others: Sequence[Seen]) -> int | None:
    """The number of the track that shows the same body in the same frames; None where there is none."""
    shared = [_shared(seen.track, other.track) if other.clip == seen.clip else 0 for other in others]
    return int(np.argmax(shared)) if max(shared, default=0) else None


def _shared(a: PoseTrack, b: PoseTrack) -> int:
    """In how many frames the two have boxes that overlap by half."""
    _, in_a, in_b = np.intersect1d(a.frames, b.frames, return_indices=True)
    boxes = a.boxes[in_a], b.boxes[in_b]
    sides = np.minimum(boxes[0][:, 2:], boxes[1][:, 2:]) - np.maximum(boxes[0][:, :2], boxes[1][:, :2])
    both = np.prod(np.maximum(sides, 0), axis=1)
    whole = sum(np.prod(part[:, 2:] - part[:, :2], axis=1) for part in boxes) - both
    return int((both > 0.5 * whole).sum())


def _kept(cache: Path, stride: int, clip: Path) -> Path:
    return cache / f"stride_{stride}" / f"{content_id(clip)}.npz"


def _settings(stride: int) -> Settings:
    settings = Settings()
    return replace(settings, video=replace(settings.video, stride=stride))


def film(out: Path, people: int) -> None:
    """Render people who walk round twice, and write the protocol `out` for them."""
    cast = Rounds(FILM_SEED)
    rounds: list[dict[str, list[str]]] = [{}, {}]
    for person in range(1, people + 1):
        for shot in (1, 2):
            name = f"person_{person:02d}"
            clip = out.parent / name / f"round_{shot}.mp4"
            rounds[shot - 1][name] = [str(clip.relative_to(out.parent))]
            if clip.exists():
                continue
            scene, spoil = cast(person, shot)
            scene = replace(scene, fps=FILM_FPS)
            with VideoWriter(clip, scene.camera.width, scene.camera.height_px, scene.fps, crf=18) as writer:
                for frame in render(scene):
                    writer.write(spoil(frame.rgb), frame.time)
            print(f"filmed {clip}", file=sys.stderr)
    protocol = {"title": f"{people} rendered people", "enrol": rounds[0], "probes": {"second round": rounds[1]}}
    out.write_text(yaml.safe_dump(protocol), encoding="utf-8")


def table(lines: Sequence[Line]) -> str:
    """A Markdown table; shares in per cent."""
    head = (
        "probes", "stride", "frames/s posed", "CPU s per s", "s of tracks (tracks)", "Rank-1", "95 % interval", "mAP",
        "Rank-1, enrolled at the first", "first name changed", "likeness to the first: median, 10th percentile",
        "same person, others",
    )  # fmt: skip
    rows = [
        f"| {line.probes} | {line.stride} | {line.fps:.1f} | {line.cpu:.2f} | {line.seconds:.0f} ({line.tracks}) "
        f"| {100 * line.rank1:.1f} | {100 * line.interval[0]:.0f} to {100 * line.interval[1]:.0f} "
        f"| {100 * line.mean_ap:.1f} | {100 * line.rank1_of_first:.1f} | {line.renamed} of {line.compared} "
        f"| {line.likeness[0]:.3f}, {line.likeness[1]:.3f} | {line.same_person:.2f}, {line.others:.2f} |"
        for line in lines
    ]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", type=Path)
    parser.add_argument("--root", type=Path, default=Path(), help="where the protocol's clips lie")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for what was extracted")
    parser.add_argument("--strides", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--film", type=int, metavar="N", help="render N people first")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    try:
        if given.film:
            film(given.protocol, given.film)
        protocol = load_protocol(given.protocol, given.root)
        pose_all(protocol, given.strides, given.cache)
        lines = measure(protocol, given.strides, given.cache)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps([asdict(line) for line in lines]) if given.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
