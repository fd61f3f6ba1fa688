"""Rendered clips on disk: one scene, or a population of people with several clips each."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.synthetic.casting import along_line, draw_person, film, on_a_day, round_loop
from pipeline.synthetic.scene import Scene, Truth, render, truth
from pipeline.values import Progress, silent
from pipeline.video_writer import VideoWriter

Walk = Literal["loop", "line", "both"]


@dataclass(frozen=True)
class Filming:
    """How clips are made. walk: round a loop, along a straight line at any angle, or either at random. seconds: a clip;
    fps: frames a second; width, height: pixels, even; tall: pixels a person measures in the middle of the scene, where
    the paths leave room; crf: of H.264, smaller is better; device: cpu or cuda."""

    walk: Walk = "loop"
    seconds: float = 5.0
    fps: float = 25.0
    width: int = 480
    height: int = 360
    tall: float = 200.0
    crf: int = 26
    device: str = "cpu"


def write_clip(scene: Scene, path: Path, *, crf: int = 26, device: str = "cpu", progress: Progress = silent) -> Truth:
    """Renders `scene` to `path` (.mp4) and gives its truth. Raises VideoError when it cannot be written."""
    camera, total = scene.camera, len(scene.times)
    with VideoWriter(path, camera.width, camera.height_px, scene.fps, crf) as writer:
        for frame in render(scene, device):
            writer.write(frame.rgb, frame.time)
            progress(path.name, frame.index + 1, total)
    return truth(scene)


def truth_arrays(known: Truth) -> dict[str, np.ndarray]:
    """The arrays of a truth by name, for an .npz: joints, times, world, camera, pixels."""
    return {
        "joints": np.array(known.joints),
        "times": known.times,
        "world": np.round(known.world, 4).astype(np.float32),
        "camera": np.round(known.camera, 4).astype(np.float32),
        "pixels": np.round(known.pixels, 2).astype(np.float32),
    }


def population_scene(seed: int, person: int, clip: int, filming: Filming) -> Scene:
    """The scene of one clip of one person: the person follows from `seed` and `person` alone, so more clips of the same
    people can be made later; clothes, session, path, camera, light and background from all three numbers."""
    who = draw_person(np.random.default_rng([seed, person]))
    day = np.random.default_rng([seed, person, 1 + clip])
    walker = on_a_day(who, day)
    kind = filming.walk if filming.walk != "both" else ("loop" if day.random() < 0.5 else "line")
    if kind == "loop":
        walker = round_loop(walker, day, filming.seconds)
    else:
        walker = along_line(walker, float(day.uniform(-np.pi, np.pi)), filming.seconds)
    return film((walker,), day, seconds=filming.seconds, fps=filming.fps, width=filming.width, height=filming.height,
                tall=filming.tall)  # fmt: skip


def synthesize(out: Path, people: int, clips_per_person: int, seed: int = 0, filming: Filming | None = None, *,
               workers: int = 1, truths: Path | None = None, progress: Progress = silent) -> list[Path]:  # fmt: skip
    """Writes out/person_0001/clip_1.mp4 … and gives their paths; clips that are there already are kept.

    truths: a folder for each clip's ground truth (person_0001_clip_1.npz), None for none. workers: processes. Raises
    UserError on impossible numbers.
    """
    filming = filming or Filming()
    if people < 1 or clips_per_person < 1 or workers < 1:
        raise UserError(
            f"cannot make {people} people with {clips_per_person} clips by {workers} workers: each must be at least 1"
        )
    if filming.width % 2 or filming.height % 2:
        raise UserError(f"cannot make clips of {filming.width}x{filming.height}: width and height must be even")
    jobs = [
        (out / f"person_{person:04d}" / f"clip_{clip}.mp4", seed, person, clip, filming, truths)
        for person in range(1, people + 1)
        for clip in range(1, clips_per_person + 1)
    ]
    waiting = [job for job in jobs if not job[0].exists()]
    done = len(jobs) - len(waiting)
    progress("clips", done, len(jobs))
    for _ in _run(waiting, workers):
        done += 1
        progress("clips", done, len(jobs))
    return [job[0] for job in jobs]


_Job = tuple[Path, int, int, int, Filming, Path | None]


def _run(jobs: list[_Job], workers: int) -> Iterator[None]:
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            _make(job)
            yield
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        for future in as_completed([pool.submit(_make, job) for job in jobs]):
            future.result()
            yield


def _one_thread() -> None:
    torch.set_num_threads(1)


def _make(job: _Job) -> None:
    path, seed, person, clip, filming, truths = job
    scene = population_scene(seed, person, clip, filming)
    if truths is not None:  # before the clip, which is what tells a later run that both are there
        truths.mkdir(parents=True, exist_ok=True)
        arrays = truth_arrays(truth(scene))
        np.savez_compressed(truths / f"{path.parent.name}_{path.stem}.npz", **arrays)  # type: ignore[arg-type]
    write_clip(scene, path, crf=filming.crf, device=filming.device)
