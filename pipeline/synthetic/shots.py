"""Shots: people at random, filmed by cameras at random, as bad cameras film, seen by the real pose estimator.

A shot is rendered in memory, spoiled (grey, blurred, compressed) and posed; what stays is a file of skeletons such as
`reid extract` writes, and beside it where the joints really were. So a thousand people are a few hundred megabytes,
and `reid train` reads them like footage.

    OUT/people/PERSON/shot_1.npz     what MediaPipe saw          OUT/truth/PERSON/shot_1.npz    what was there

    python -m pipeline.synthetic.shots OUT --cast drawn --people 50 --shots 4 --seed 9002 --name test
"""

import argparse
import hashlib
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from pipeline.errors import UserError
from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, save_skeletons
from pipeline.synthetic.casting import along_line, draw_person, film, on_a_day, round_loop
from pipeline.synthetic.driven import Recorded, measured_body, one_body, recorded_motion
from pipeline.synthetic.effects import draw_effects, with_effects
from pipeline.synthetic.gait import session_style
from pipeline.synthetic.looks import draw_clothes, draw_looks
from pipeline.synthetic.outings import population_motion
from pipeline.synthetic.scene import Actor, Scene, Walker, render, truth
from pipeline.tracking import Tracker
from pipeline.values import Progress, silent
from smsge.datasets.kgbd import FPS, read_kgbd
from smsge.files import whole_file

RATE = 50.0
"""Hz at which a motion is known, to be looked up at the times of a camera's frames."""

CAMERAS = 4
"""Of a room."""

CORRIDORS = 20.0, 70.0, -50.0
"""Degrees from which the camera of each corridor sees the bodies of those who pass."""


@dataclass(frozen=True)
class Spoil:
    """What a camera does to a picture. grey: no colour. blur: deviation in pixels. quality: of JPEG, in per cent.
    contrast: factor about middle grey. shift: of the brightness, in grey levels."""

    grey: bool
    blur: float
    quality: int
    contrast: float
    shift: float

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> the same, as this camera would have kept it."""
        picture = rgb
        if self.grey:
            picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        if self.blur > 0.2:
            picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        picture = cv2.convertScaleAbs(picture, alpha=self.contrast, beta=self.shift + 128 * (1 - self.contrast))
        done, packed = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, self.quality))
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR) if done else picture)


def draw_spoil(generator: np.random.Generator) -> Spoil:
    """A camera at random, from good to poor."""
    return Spoil(
        grey=bool(generator.random() < 0.3),
        blur=float(max(0.0, generator.normal(0.3, 0.5))),
        quality=int(generator.integers(30, 96)),
        contrast=float(np.clip(generator.normal(0.95, 0.15), 0.55, 1.3)),
        shift=float(generator.normal(0.0, 12.0)),
    )


class Cast(Protocol):
    """Who can be filmed, and how."""

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        """A shot (both numbers from 1): the scene, and what the camera makes of its pictures."""
        ...


@dataclass(frozen=True)
class Drawn:
    """People drawn at random: who `person` is follows from `seed` and the number alone; the day from the shot's too."""

    seed: int

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        who = draw_person(np.random.default_rng([self.seed, person]))
        day = np.random.default_rng([self.seed, person, 1 + shot])
        seconds = float(day.uniform(2.6, 5.0))
        # The ground of a picture is level.
        body, motion, _ = population_motion(self.seed, person, shot, seconds=seconds, fps=RATE, stops=0.1, slopes=0.0)
        actor = Recorded(body, who.looks, draw_clothes(day, body.sex == "female"), motion)
        return draw_shot(actor, seconds, day)


def _on_that_day(seed: int, person: int, day: np.random.Generator) -> Walker:
    """A person of `Drawn`, with what that day does to them; without a path."""
    who = draw_person(np.random.default_rng([seed, person]))
    body, style = with_effects(who.body, session_style(who.style, day, pace=1.0), draw_effects(day))
    return replace(on_a_day(who, day), body=body, style=style)


@dataclass(frozen=True)
class Rounds:
    """The people of `Drawn`, each walking once round a loop, near a good camera: it sees every side of them."""

    seed: int

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        day = np.random.default_rng([self.seed, person, 100 + shot])
        walker = round_loop(_on_that_day(self.seed, person, day), day, 6.0)
        scene = film((walker,), day, seconds=7.0, fps=15.0, width=640, height=420, tall=210.0,
                     above=float(day.uniform(1.0, 2.6)))  # fmt: skip
        return replace(scene, grain=1.5), Spoil(grey=False, blur=0.3, quality=80, contrast=1.0, shift=0.0)


@dataclass(frozen=True)
class Passes:
    """The people of `Drawn`, each walking once across a small grey picture, seen from the side or nearly."""

    seed: int

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        day = np.random.default_rng([self.seed, person, 200 + shot])
        walker = _on_that_day(self.seed, person, day)
        seconds, tall = float(day.uniform(2.2, 3.4)), float(day.uniform(50.0, 95.0))
        azimuth, turned = float(day.uniform(-np.pi, np.pi)), float(day.normal(0.0, 0.25))
        heading = azimuth + (np.pi / 2 if day.random() < 0.5 else -np.pi / 2) + turned
        scene = film((along_line(walker, heading, seconds),), day, seconds=seconds, fps=15.0, width=240, height=160,
                     tall=tall, azimuth=azimuth, above=float(day.uniform(1.0, 2.2)))  # fmt: skip
        return replace(scene, grain=float(day.uniform(1.0, 5.0))), replace(draw_spoil(day), grey=True)


@dataclass(frozen=True)
class Room:
    """The people of `Drawn`, each walking round and round for twelve seconds in a room with four good cameras, on two
    days.

    Shots 1 to 4 are what the cameras see of the first day, shots 5 to 8 of the second: four views of one walk each.
    """

    seed: int

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        number, camera = divmod(shot - 1, CAMERAS)
        day = np.random.default_rng([self.seed, person, 300 + number])
        walker = round_loop(_on_that_day(self.seed, person, day), day, 6.0)
        corner = np.random.default_rng([self.seed, 0, camera])
        azimuth, above = (camera + 0.5) * np.pi / 2 + float(corner.normal(0.0, 0.2)), float(corner.uniform(1.2, 2.4))
        scene = film((walker,), corner, seconds=12.0, fps=15.0, width=640, height=480, tall=210.0,
                     azimuth=azimuth, above=above, place="room")  # fmt: skip
        return replace(scene, grain=1.5), Spoil(grey=False, blur=0.3, quality=80, contrast=1.0, shift=0.0)


@dataclass(frozen=True)
class Corridor:
    """The people of `Drawn`, each passing once a day, for two seconds, through each of three corridors, always the same
    way: a camera sees one side of everybody.

    Shots 1 to 3 are of the corridors of `CORRIDORS` on the first day, shots 4 to 6 on the second; days and clothes of
    a person are the same in all three.
    """

    seed: int

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        number, camera = divmod(shot - 1, len(CORRIDORS))
        day = np.random.default_rng([self.seed, person, 400 + number])
        walker = _on_that_day(self.seed, person, day)
        passing = np.random.default_rng([self.seed, person, 500 + shot])
        wall = np.random.default_rng([self.seed, 0, 10 + camera])
        azimuth, above, grain = (float(wall.uniform(*bounds)) for bounds in ((-np.pi, np.pi), (1.8, 3.0), (1.0, 3.0)))
        heading = azimuth - np.radians(CORRIDORS[camera]) + float(passing.normal(0.0, 0.08))
        walker = replace(along_line(walker, heading, 2.0), phase=float(passing.random()))
        scene = film((walker,), wall, seconds=2.0, fps=15.0, width=400, height=260, tall=150.0, azimuth=azimuth,
                     above=above, place="room")  # fmt: skip
        spoil = Spoil(grey=camera == 2, blur=0.5, quality=70, contrast=1.0, shift=0.0)
        return replace(scene, grain=grain), spoil


@dataclass(frozen=True)
class Walked:
    """People whose walks a depth sensor recorded (KGBD, `people` by their numbers there): real proportions and gaits.

    Shot 1 is cut from somebody's first walk, shot 2 from the second, and so on, round and round.
    """

    seed: int
    kgbd: str
    people: tuple[int, ...]

    def __call__(self, person: int, shot: int) -> tuple[Scene, Spoil]:
        number = self.people[person - 1]
        walks = _walks(self.kgbd, number)
        own = np.random.default_rng([self.seed, number])
        body = measured_body(np.concatenate(walks), own)
        looks, pitch = draw_looks(own, body.sex == "female"), float(own.normal(0.07, 0.08))
        day = np.random.default_rng([self.seed, number, 1 + shot])
        walk = walks[(shot - 1) % len(walks)]
        frames = min(round(float(day.uniform(2.4, 4.5)) * FPS), len(walk))
        first = int(day.integers(0, len(walk) - frames + 1))
        motion = recorded_motion(walk[first : first + frames], FPS, body, pitch)
        heading = float(day.uniform(-np.pi, np.pi))
        clothes = draw_clothes(day, body.sex == "female")
        return draw_shot(Recorded(body, looks, clothes, motion, heading), frames / FPS, day)


@lru_cache(maxsize=8)
def _walks(kgbd: str, person: int) -> tuple[np.ndarray, ...]:
    """Each (T, 20, 3) metres, with one person's bones. Raises DatasetError as `read_kgbd`."""
    found = read_kgbd(kgbd, "kinect20", None, {person}, "recorded")
    return tuple(one_body([walk.joints.astype(np.float64) for walk in found]))


def draw_shot(actor: Actor, seconds: float, generator: np.random.Generator) -> tuple[Scene, Spoil]:
    """A camera, a place and a light for who walks: 60 to 200 pixels tall, seen from knee height to above the head."""
    tall = float(np.exp(generator.uniform(np.log(60.0), np.log(200.0))))
    fps = 15.0 if generator.random() < 0.7 else 25.0
    above = float(generator.uniform(0.8, 2.6) if generator.random() < 0.65 else generator.uniform(2.6, 4.5))
    width, height = (2 * round(max(least, share * tall) / 2) for least, share in ((240, 3.2), (180, 1.9)))
    scene = film((actor,), generator, seconds=seconds, fps=fps, width=width, height=height, tall=tall, above=above)
    return replace(scene, grain=float(generator.uniform(0.5, 5.0))), draw_spoil(generator)


def shoot(cast: Cast, person: int, shot: int, pose: PoseEstimator, settings: Settings) -> tuple[Extraction, Scene]:
    """One shot, posed; and the scene, for its truth."""
    scene, spoil = cast(person, shot)
    tracker = Tracker(settings.tracking)
    for frame in render(scene):
        spoiled = replace(frame, rgb=spoil(frame.rgb))
        tracker.update(spoiled, pose(spoiled))
    size, name, frames = (scene.camera.width, scene.camera.height_px), f"shot_{shot}", len(scene.times)
    content = hashlib.sha256(f"{cast} {person} {shot}".encode()).hexdigest()
    tracks = tuple(tracker.finish(size, name))
    return Extraction(name, content, size, scene.fps, frames / scene.fps, frames, tracks), scene


_Job = tuple[int, int, Path]
_ROLL = 4  # shots for which a worker opens its pose estimator


def make_shots(out: Path, cast: Cast, names: Sequence[str], shots: Sequence[int], *, workers: int = 1,
               progress: Progress = silent) -> int:  # fmt: skip
    """Writes the shots numbered `shots` of the people called `names` (person 1, 2, …); those that are there are kept,
    so a second run goes on where one was stopped. Shot by shot, not person by person: at any moment all people have
    about as many. Returns how many files there are. Raises UserError on impossible numbers and where it cannot write.
    """
    if not names or not shots or workers < 1:
        raise UserError("nothing to film: give at least one person, one shot and one worker")
    jobs = [(person, shot, out / "people" / name / f"shot_{shot}.npz") for shot in shots
            for person, name in enumerate(names, start=1)]  # fmt: skip
    waiting = [job for job in jobs if not job[2].exists()]
    done = len(jobs) - len(waiting)
    progress("shots", done, len(jobs))
    for _ in _run(cast, waiting, workers):
        done += 1
        progress("shots", done, len(jobs))
    return done


def _run(cast: Cast, jobs: list[_Job], workers: int) -> Iterator[None]:
    if workers == 1 and jobs:
        with _pose() as pose:
            for job in jobs:
                _make(cast, pose, job)
                yield
        return
    rolls = [jobs[first : first + _ROLL] for first in range(0, len(jobs), _ROLL)]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for roll, _ in zip(rolls, pool.map(partial(_make_all, cast), rolls), strict=True):
            yield from [None] * len(roll)


def _pose() -> MediaPipePose:
    return MediaPipePose(Settings().pose)


def _make_all(cast: Cast, jobs: list[_Job]) -> None:
    with _pose() as pose:  # left open, MediaPipe complains when the process ends
        for job in jobs:
            _make(cast, pose, job)


def _make(cast: Cast, pose: PoseEstimator, job: _Job) -> None:
    person, shot, path = job
    extraction, scene = shoot(cast, person, shot, pose, Settings())
    known = truth(scene)
    there = Path(*path.parts[:-3], "truth", *path.parts[-2:])
    arrays = {"joints": np.array(known.joints), "times": known.times, "camera": known.camera[0].astype(np.float32),
              "up": scene.camera.rotation @ np.array([0.0, 1.0, 0.0])}  # fmt: skip
    try:
        for folder in (path.parent, there.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with whole_file(there) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise UserError(
            f"cannot write {there}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    save_skeletons(path, extraction, overwrite=True)  # last: it tells a later run that both are there


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    casts: dict[str, type[Drawn | Rounds | Passes | Room | Corridor]] = {
        "drawn": Drawn, "rounds": Rounds, "passes": Passes, "room": Room, "corridor": Corridor,
    }  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m pipeline.synthetic.shots", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--cast",
        choices=casts,
        default="drawn",
        help="any walk and camera, a loop before a good one, a pass before a poor one, loops in a room with four, or"
        " passes through three corridors",
    )
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--shots", type=int, default=4, help="of each person")
    parser.add_argument("--seed", type=int, default=9002, help="of the population")
    parser.add_argument("--name", default="test", help="what the people are called, before their number")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args(argv)
    names = [f"{options.name}_{number:04d}" for number in range(1, options.people + 1)]
    try:
        done = make_shots(options.out, casts[options.cast](options.seed), names, range(1, options.shots + 1),
                          workers=options.workers)  # fmt: skip
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{done} shots in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
