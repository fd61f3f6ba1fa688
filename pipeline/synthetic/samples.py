"""The project's sample clips: five people enrolled from a loop, searched for on another day, and three hard clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from pipeline.synthetic.background import Place
from pipeline.synthetic.casting import Person, along_line, draw_person, film, on_a_day, round_loop
from pipeline.synthetic.scene import Scene
from pipeline.synthetic.synthesize import truth_arrays, write_clip
from pipeline.values import Progress, silent

NAMES = ("Alva", "Bero", "Cila", "Doran", "Enni")
STRANGER = "stranger"
SEED = 2026
_SECONDS, _FPS, _WIDTH, _HEIGHT, _TALL, _CRF = 7.6, 25.0, 640, 360, 205.0, 23


@dataclass(frozen=True)
class Sample:
    """One clip of the samples. name: its path below the folder, without .mp4. people: who walks in it, in order."""

    name: str
    people: tuple[str, ...]
    scene: Scene


def samples(seed: int = SEED) -> list[Sample]:
    """All sample scenes. People are numbers 1 to 5 of the seed's population and the stranger number 6, as they come."""
    people: dict[str, Person] = {
        name: draw_person(np.random.default_rng([seed, number]))
        for number, name in enumerate((*NAMES, STRANGER), start=1)
    }
    order = np.random.default_rng([seed, 0]).permutation(len(NAMES))
    clips = [
        Sample(
            f"people/{name}/loop",
            (name,),
            _loop(people[name], seed, 100 + number, "room", 0.3 * number, 1.2 + 0.1 * number),
        )
        for number, name in enumerate(NAMES)
    ]
    for number, which in enumerate(order, start=1):
        # Another camera: elsewhere and higher, and other ground under the feet.
        place: Place = "street" if number % 2 else "field"
        scene = _loop(
            people[NAMES[which]],
            seed,
            200 + int(which),
            place,
            0.3 * int(which) + 1.1 + 0.7 * number,
            2.7 - 0.15 * number,
        )
        clips.append(Sample(f"search/clip_{number}", (NAMES[which],), scene))
    clips.append(_crossing(people, seed, NAMES[int(order[0])], NAMES[int(order[2])]))
    clips.append(Sample("search/stranger", (STRANGER,), _loop(people[STRANGER], seed, 300, "street", 2.0, 2.1)))
    nobody = film(
        (), np.random.default_rng([seed, 301]), seconds=3.0, fps=_FPS, width=_WIDTH, height=_HEIGHT, tall=_TALL
    )
    clips.append(Sample("search/nobody", (), nobody))
    return clips


def _loop(person: Person, seed: int, day: int, place: Place, azimuth: float, above: float) -> Scene:
    generator = np.random.default_rng([seed, day])
    walker = round_loop(on_a_day(person, generator), generator, _SECONDS)
    return film((walker,), generator, seconds=_SECONDS, fps=_FPS, width=_WIDTH, height=_HEIGHT, tall=_TALL,
                azimuth=azimuth, above=above, place=place)  # fmt: skip


def _crossing(people: dict[str, Person], seed: int, first: str, second: str) -> Sample:
    """Two people who walk past each other, one in front of the other, seen from the side and a little askew."""
    generator = np.random.default_rng([seed, 302])
    seconds = 4.0
    walkers = []
    for number, name in enumerate((first, second)):
        heading = np.pi / 2 + number * np.pi + 0.35 * (1 - 2 * number)
        walker = along_line(on_a_day(people[name], generator), heading, seconds, (0.0, 0.6 - 1.2 * number))
        walkers.append(walker)
    scene = film(tuple(walkers), generator, seconds=seconds, fps=_FPS, width=_WIDTH, height=_HEIGHT, tall=_TALL,
                 azimuth=0.25, above=1.9, place="room")  # fmt: skip
    return Sample("search/crossing", (first, second), scene)


def synthesize_samples(out: Path, seed: int = SEED, progress: Progress = silent, device: str = "cpu") -> list[Path]:
    """Writes the sample clips below `out` with `truth.npz` and `answers.yaml`, and gives the clips' paths.

    truth.npz: for each clip NAME (such as people/Alva/loop), NAME/joints, NAME/times (T,), NAME/world and NAME/camera
    (P, T, J, 3) metres, NAME/pixels (P, T, J, 2), NAME/person (P,) names; see `scene.Truth`. answers.yaml: the seed,
    and who is in which clip. Raises VideoError when a clip cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    answers: dict[str, list[str]] = {}
    paths = []
    clips = samples(seed)
    for number, sample in enumerate(clips):
        path = out / f"{sample.name}.mp4"
        known = write_clip(sample.scene, path, crf=_CRF, device=device)
        arrays |= {f"{sample.name}/{key}": value for key, value in truth_arrays(known).items()}
        arrays[f"{sample.name}/person"] = np.array(sample.people, dtype=np.str_)
        answers[f"{sample.name}.mp4"] = list(sample.people)
        paths.append(path)
        progress("sample clips", number + 1, len(clips))
    np.savez_compressed(out / "truth.npz", **arrays)  # type: ignore[arg-type]
    text = yaml.safe_dump({"seed": seed, "enrolled": list(NAMES), "clips": answers}, sort_keys=False)
    (out / "answers.yaml").write_text("# Who walks in which clip; the clips are made by `reid synthesize`.\n" + text)
    return paths
