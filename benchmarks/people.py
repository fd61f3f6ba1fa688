"""How many of the people in a frame are found, and whether they stay who they are: rendered scenes with known truth.

    python benchmarks/people.py [--people 1 2 4 8] [--tall 60 80 120 200 400] [--seconds 4] [--seed 1 …] [--json]

Each scene is 1280 x 720 at 12 frames a second: people on straight lines, half of them to the left and half to the
right, each in a lane of their own before a camera 20 m away, so that they cross and cover each other. A track's
sighting is a true person when most of its twelve joints lie within a tenth of the body's height of the true ones.
People of whom less than six tenths are in view, because somebody nearer covers them or they are half outside the
picture, are neither missed nor wrong, and the first second of a scene, in which everybody has to be found, is told
separately. "Apart" is the recall of those beside whom nobody else is within half a body's height. A switch is a true
person whose track's number changes; a swap is a switch to a number that was somebody else's before. Where two bodies
lie on each other, a sighting that fits both is taken for the one whose number it has, as in the CLEAR MOT measures
(Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance", EURASIP JIVP 2008).

Recall and precision are those of what a user is shown, not of the detector alone: of the tracks that `extract` would
give, with people between two sightings of them where they are drawn then (`pipeline.bridging`). "Seen" is the recall of
the sightings themselves.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, product
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.bridging import placed_by_frame
from pipeline.people import JOINTS
from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.settings import PoseSettings
from pipeline.synthetic.background import draw_background
from pipeline.synthetic.camera import Camera
from pipeline.synthetic.casting import along_line, draw_light, draw_person, on_a_day
from pipeline.synthetic.scene import Scene, Truth, render, truth
from pipeline.tracking import Tracker
from pipeline.values import Frame, PoseTrack

WIDTH, HEIGHT, FPS, DISTANCE = 1280, 720, 12.0, 20.0
FINDING = 1.0  # seconds in which everybody has to be found
NEAR = 0.1  # body heights between a joint found and the true one
IN_VIEW = 0.6  # of a body
BESIDE = 0.5  # body heights between the middles of two people who are not apart
BONES = (("head", "neck"), ("neck", "left hip"), ("neck", "right hip"), ("left shoulder", "right shoulder"),
         ("left shoulder", "left hip"), ("right shoulder", "right hip"), ("left hip", "right hip"),
         *((f"{side} {a}", f"{side} {b}") for side in ("left", "right") for a, b in (
             ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))))  # fmt: skip
MATCHED = tuple(f"{side} {joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
                for side in ("left", "right"))  # fmt: skip


@dataclass(frozen=True)
class Score:
    """What was found in one scene; counts of people in frames, but for crossings, switches and swaps."""

    seed: int
    people: int
    tall: int
    there: int
    found: int
    seen: int
    wrong: int
    apart: int
    apart_found: int
    crossings: int
    switches: int
    swaps: int
    first_second: float
    fps: float
    cpu_fps: float


def crossing_scene(people: int, tall: float, seconds: float, seed: int) -> Scene:
    """People who walk past each other before a camera 20 m away, `tall` pixels high in the middle of the scene."""
    generator = np.random.default_rng([seed, people, round(tall)])
    width = 1.7 / tall * WIDTH  # metres that the picture shows
    walkers = []
    for number in range(people):
        walker = on_a_day(draw_person(generator), generator)
        reach = max(0.0, width / 2 - 3.2)
        pairs = (people + 1) // 2
        middle = reach * (2 * (number // 2) + 1 - pairs) / max(1, pairs - 1) + float(generator.normal(0.0, 0.3))
        lane = 0.75 * (number - (people - 1) / 2)
        heading = np.pi / 2 * (1 if number % 2 else -1) + float(generator.normal(0.0, 0.12))
        walkers.append(along_line(walker, heading, seconds, (middle, lane)))
    camera = Camera(0.0, DISTANCE, float(generator.uniform(2.2, 4.0)), tall * DISTANCE / 1.7, WIDTH, HEIGHT)
    background = replace(draw_background(generator, "street" if seed % 2 else "field"), size=40.0)
    return Scene(tuple(walkers), camera, background, draw_light(generator, 0.0), FPS, seconds, seed=seed)


def heights(known: Truth) -> np.ndarray:
    """(P, T) pixels from the top of the head, about, to the lower ankle."""
    y = known.pixels[..., 1]
    return np.asarray(np.ptp(y, axis=2) * 1.08)


def in_view(known: Truth) -> np.ndarray:
    """(P, T) the share of each body that is in the picture and not behind somebody nearer."""
    people, times = known.pixels.shape[:2]
    shares = np.ones((people, times))
    index = {name: number for number, name in enumerate(known.joints)}
    tall, depth = heights(known), known.camera[..., 2].mean(axis=2)
    for t in range(times):
        owner = np.zeros((HEIGHT, WIDTH), np.uint8)
        whole = np.zeros(people)
        for person in np.argsort(-depth[:, t]):
            breadth = max(1, round(0.07 * tall[person, t]))
            low = np.floor(known.pixels[person, t].min(axis=0)).astype(int) - breadth
            high = np.ceil(known.pixels[person, t].max(axis=0)).astype(int) + breadth
            own = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
            for a, b in BONES:
                ends = known.pixels[person, t, [index[a], index[b]]] - low
                cv2.line(own, *(tuple(int(v) for v in end) for end in ends), 1, breadth)
            whole[person] = own.sum()
            (x0, y0), (x1, y1) = (np.clip(corner, 0, (WIDTH, HEIGHT)) for corner in (low, high))
            part = owner[y0:y1, x0:x1]
            part[own[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]] > 0] = person + 1
        shares[:, t] = np.bincount(owner.ravel(), minlength=people + 1)[1:] / np.maximum(whole, 1)
    return shares


def apart(known: Truth) -> np.ndarray:
    """(P, T) whether nobody else's middle lies within half a body's height."""
    middle = known.pixels.mean(axis=2)
    between = np.linalg.norm(middle[:, None] - middle[None], axis=3)
    between[np.arange(len(middle)), np.arange(len(middle))] = np.inf
    return np.asarray((between > BESIDE * heights(known)[:, None]).all(axis=1))


def crossings(known: Truth, seen: np.ndarray) -> int:
    """How often two people in the picture change sides at about one height: once for each pair."""
    middle, tall = known.pixels.mean(axis=2), heights(known)
    count = 0
    for a, b in combinations(range(len(middle)), 2):
        side = np.sign(middle[a, :, 0] - middle[b, :, 0])
        for t in np.flatnonzero(side[1:] != side[:-1]) + 1:
            inside = ((middle[[a, b], t] > 0) & (middle[[a, b], t] < (WIDTH, HEIGHT))).all()
            count += bool(inside and abs(middle[a, t, 1] - middle[b, t, 1]) < 0.5 * tall[a, t])
    return count


def sightings(frames: Iterable[Frame], pose: PoseEstimator) -> tuple[list[PoseTrack], tuple[float, float]]:
    """The tracks of a scene, and the seconds that it took to find them, by the clock and of the processors."""
    tracker, clocks = Tracker(), (time.perf_counter, time.process_time)
    before = [clock() for clock in clocks]
    for frame in frames:
        tracker.update(frame, pose(frame))
    by_clock, of_processors = (clock() - begun for clock, begun in zip(clocks, before, strict=True))
    return tracker.finish((WIDTH, HEIGHT), "scene"), (by_clock, of_processors)


def score(
    known: Truth, tracks: Sequence[PoseTrack], seed: int, people: int, tall: int, spent: tuple[float, float]
) -> Score:
    """Compares tracks with the truth, frame by frame."""
    index = [known.joints.index(name) for name in MATCHED]
    share, size, free = in_view(known), heights(known), apart(known)
    numbers: list[int | None] = [None] * people
    had: dict[int, int] = {}
    there = found = seen = wrong = alone = alone_found = switches = swaps = early = early_found = 0
    placed = placed_by_frame(tracks)
    for t, moment in enumerate(known.times):
        here = [(one.track.id, one.value("image")[JOINTS], one.share == 0) for one in placed.get(t, ())]
        right = np.zeros((people, len(here)))
        for p in range(people):
            for column, (_, joints, _) in enumerate(here):
                off = np.linalg.norm(joints - known.pixels[p, t, index], axis=1) / size[p, t]
                right[p, column] = (off < NEAR).mean()
        same = np.array([[numbers[p] == number for number, *_ in here] for p in range(people)], bool)
        fit = right + (same.reshape(right.shape) & (right > 0.5))
        rows, columns = linear_sum_assignment(-fit) if fit.size else (np.zeros(0, int), np.zeros(0, int))
        pairs = {p: c for p, c in zip(rows, columns, strict=True) if right[p, c] > 0.5}
        counted = share[:, t] >= IN_VIEW
        if moment < FINDING:
            early += int(counted.sum())
            early_found += sum(counted[p] for p in pairs)
        else:
            there += int(counted.sum())
            found += sum(int(counted[p]) for p in pairs)
            seen += sum(int(counted[p]) for p, c in pairs.items() if here[c][2])
            wrong += len(here) - len(pairs)
            alone += int((counted & free[:, t]).sum())
            alone_found += sum(int(counted[p] & free[p, t]) for p in pairs)
        for p, c in pairs.items():
            number = here[c][0]
            if numbers[p] is not None and numbers[p] != number:
                switches += 1
                swaps += int(had.get(number, p) != p)
            numbers[p] = number
            had.setdefault(number, p)
    return Score(seed, people, tall, there, found, seen, wrong, alone, alone_found, crossings(known, share), switches,
                 swaps, early_found / max(1, early), *(len(known.times) / seconds for seconds in spent))  # fmt: skip


def measure(people: int, tall: int, seconds: float, seed: int, pose: PoseEstimator) -> Score:
    """Renders one scene, finds the people in it and compares them with the truth."""
    scene = crossing_scene(people, tall, seconds, seed)
    tracks, spent = sightings(list(render(scene)), pose)
    return score(truth(scene), tracks, seed, people, tall, spent)


def table(scores: Sequence[Score]) -> str:
    """A Markdown table: of one seed a line for each scene, then one for each height; of several `over_seeds`."""
    if len({one.seed for one in scores}) > 1:
        return over_seeds(scores)
    head = ("height, px", "people", "recall", "seen", "apart", "precision", "first second",
            "switches (swaps) / crossings", "frames/s", "per CPU second")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in scores:
        lines.append(_line(str(one.tall), str(one.people), [one]))
    for tall in sorted({one.tall for one in scores}):
        lines.append(_line(f"**{tall}**", "all", [one for one in scores if one.tall == tall]))
    return "\n".join(lines)


def over_seeds(scores: Sequence[Score]) -> str:
    """A Markdown table: a line for each height, all its scenes of a seed together; shares are means over the seeds,
    with the lowest and the highest recall."""
    lines = ["| height, px | recall | seen | precision | switches / crossings |", "|---" * 5 + "|"]
    for tall in sorted({one.tall for one in scores}):
        own = [one for one in scores if one.tall == tall]
        seeds = [[one for one in own if one.seed == seed] for seed in sorted({one.seed for one in own})]
        recalls = [recall(part) for part in seeds]
        seen = np.mean([sum(one.seen for one in part) / max(1, sum(one.there for one in part)) for part in seeds])
        right = np.mean([precision(part) for part in seeds])
        lines.append(
            f"| {tall} | {np.mean(recalls):.3f} ({min(recalls):.3f} to {max(recalls):.3f}) | {seen:.3f} | {right:.3f} |"
            f" {sum(one.switches for one in own)} / {sum(one.crossings for one in own)} |"
        )
    return "\n".join(lines)


def _line(tall: str, people: str, scores: Sequence[Score]) -> str:
    names = ("there", "seen", "apart", "apart_found", "switches", "swaps", "crossings")
    there, seen, alone, alone_found, switches, swaps, crossed = (
        sum(getattr(one, name) for one in scores) for name in names
    )
    first = np.mean([one.first_second for one in scores])
    fps, cpu_fps = (1 / np.mean([1 / getattr(one, name) for one in scores]) for name in ("fps", "cpu_fps"))
    return (
        f"| {tall} | {people} | {recall(scores):.3f} | {seen / max(1, there):.3f} | {alone_found / max(1, alone):.3f} |"
        f" {precision(scores):.3f} | {first:.2f} |"
        f" {switches} ({swaps}) / {crossed} | {fps:.1f} | {cpu_fps:.1f} |"
    )


def recall(scores: Sequence[Score]) -> float:
    """Share of the people in view who were found, over several scenes."""
    return sum(one.found for one in scores) / max(1, sum(one.there for one in scores))


def precision(scores: Sequence[Score]) -> float:
    """Share of what was found that is somebody, over several scenes."""
    found = sum(one.found for one in scores)
    return found / max(1, found + sum(one.wrong for one in scores))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--tall", type=int, nargs="+", default=[60, 80, 120, 200, 400], help="pixels")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="of the scenes; several are taken together")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    scores = []
    with MediaPipePose(PoseSettings()) as pose:
        for seed, tall, people in product(given.seed, given.tall, given.people):
            scores.append(measure(people, tall, given.seconds, seed, pose))
            print(_line(str(tall), str(people), scores[-1:]), file=sys.stderr)
    print(json.dumps([asdict(one) for one in scores]) if given.json else table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
