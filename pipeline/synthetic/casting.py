"""People at random, and the scenes they are put in: one seed, one person; another, one day and one camera."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.synthetic.background import Background, Place, draw_background
from pipeline.synthetic.body import Body, Sex, draw_body
from pipeline.synthetic.camera import Camera
from pipeline.synthetic.gait import Style, draw_style, session_style
from pipeline.synthetic.legs import walking_speed
from pipeline.synthetic.looks import Looks, draw_clothes, draw_looks
from pipeline.synthetic.path import loop, straight
from pipeline.synthetic.scene import Actor, Scene, Walker, truth
from pipeline.synthetic.shade import Light


@dataclass(frozen=True)
class Person:
    """Who somebody is: what stays from clip to clip."""

    body: Body
    style: Style
    looks: Looks


def draw_person(generator: np.random.Generator, sex: Sex | None = None) -> Person:
    """A person at random."""
    body = draw_body(generator, sex)
    return Person(body, draw_style(generator), draw_looks(generator, body.sex == "female"))


def on_a_day(person: Person, generator: np.random.Generator) -> Walker:
    """The person in one session: the style moved a little, other clothes, another foot first.
    Its path is a stand-in: `round_loop` and `along_line` give it one."""
    return Walker(
        body=person.body,
        style=session_style(person.style, generator),
        looks=person.looks,
        clothes=draw_clothes(generator, person.body.sex == "female"),
        path=straight((0.0, 0.0), 0.0, 1.0),
        phase=float(generator.random()),
        seed=int(generator.integers(1 << 31)),
    )


def round_loop(walker: Walker, generator: np.random.Generator, seconds: float) -> Walker:
    """The walker on an oval that takes about `seconds` to go round, somewhat less, so that every side is seen."""
    perimeter = max(walking_speed(walker.body, walker.style) * seconds * 0.97, 3.5)
    path = loop(
        perimeter,
        float(generator.uniform(1.25, 1.7)),
        float(generator.uniform(0, np.pi)),
        bool(generator.random() < 0.5),
    )
    return replace(walker, path=path, start=float(generator.random()) * path.length)


def along_line(walker: Walker, heading: float, seconds: float, middle: tuple[float, float] = (0.0, 0.0)) -> Walker:
    """The walker on a straight line in direction `heading` (radians), at `middle` after half of `seconds`."""
    length = walking_speed(walker.body, walker.style) * seconds
    start = middle[0] - np.sin(heading) * length / 2, middle[1] - np.cos(heading) * length / 2
    return replace(walker, path=straight(start, heading, length), start=0.0)


def draw_light(generator: np.random.Generator, azimuth: float) -> Light:
    """Light from above and rather from the camera's side than from behind the people."""
    turn = azimuth + generator.normal(0.0, 1.0)
    height = generator.uniform(0.75, 1.25)
    key = np.cos(height) * np.sin(turn), np.sin(height), np.cos(height) * np.cos(turn)
    return Light(
        (float(key[0]), float(key[1]), float(key[2])),
        strength=float(generator.uniform(0.5, 0.9)),
        ambient=float(generator.uniform(0.42, 0.62)),
        warmth=float(generator.normal(0.0, 0.5)),
    )


def film(walkers: tuple[Actor, ...], generator: np.random.Generator, *, seconds: float, fps: float, width: int,
         height: int, tall: float, azimuth: float | None = None, above: float | None = None,
         place: Place | None = None) -> Scene:  # fmt: skip
    """A scene of the walkers under a camera drawn at random, far enough away to keep them in the picture.

    tall: pixels that a person should measure in the middle of the scene; they come out smaller where the paths would
    not fit. azimuth: radians, above: metres of the camera, place: of the background, each None for any.
    """
    angle = float(generator.uniform(-np.pi, np.pi)) if azimuth is None else azimuth
    distance, drawn = float(generator.uniform(4.2, 7.0)), float(generator.uniform(1.0, 2.7))
    background: Background = draw_background(generator, place)
    light = draw_light(generator, angle)
    stature = float(np.mean([walker.body.stature for walker in walkers])) if walkers else 1.7
    camera = Camera(angle, distance, drawn if above is None else above, tall * distance / stature, width, height)
    scene = Scene(walkers, camera, background, light, fps, seconds, seed=int(generator.integers(1 << 31)))
    if not walkers:
        return scene
    known = truth(replace(scene, fps=min(fps, 10.0)))
    ground = known.world[..., (0, 2)].reshape(-1, 2)
    middle = (ground.min(0) + ground.max(0)) / 2
    for _ in range(60):
        camera = replace(camera, target=(float(middle[0]), float(middle[1])))
        if _inside(camera, known.world):
            break
        # Step back; the lens stays as it is once the camera is far away.
        camera = replace(
            camera, distance=camera.distance * 1.05, focal=camera.focal * (1.02 if camera.distance < 6.5 else 1.0)
        )
    return replace(scene, camera=camera)


def _inside(camera: Camera, world: np.ndarray) -> bool:
    """Whether all joints are in the picture, with room for head and feet, and not too near."""
    if camera.to_camera(world)[..., 2].min() < 1.5:
        return False
    room = 0.035 * camera.height_px
    pixels = camera.project(world + np.array([0.0, 0.12, 0.0])), camera.project(world - np.array([0.0, 0.05, 0.0]))
    size = np.array([camera.width, camera.height_px])
    return all(bool((points > room).all() and (points < size - room).all()) for points in pixels)
