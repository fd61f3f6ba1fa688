"""A scene: walkers on paths, a camera, a background, light. It is drawn to frames, and its truth is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.synthetic.background import Background, paint
from pipeline.synthetic.body import Body
from pipeline.synthetic.camera import Camera
from pipeline.synthetic.figure import build_figure
from pipeline.synthetic.gait import Style
from pipeline.synthetic.looks import Clothes, Looks
from pipeline.synthetic.path import Path
from pipeline.synthetic.render import Layer, draw
from pipeline.synthetic.shade import Light
from pipeline.synthetic.shadow import shade_ground
from pipeline.synthetic.walker import Motion, walk
from pipeline.values import Frame
from smsge.layouts import CASIA14

TRUTH_JOINTS = (*CASIA14.joints, "left heel", "right heel", "left toe", "right toe")
"""The joints whose truth is kept: casia14 first. Head is the mean of nose and ears, neck that of the shoulders."""


class Actor(Protocol):
    """Somebody in a scene: a body, dressed, that moves."""

    @property
    def body(self) -> Body: ...

    @property
    def looks(self) -> Looks: ...

    @property
    def clothes(self) -> Clothes: ...

    def motion(self, times: np.ndarray) -> Motion:
        """The motion at (T,) increasing seconds."""
        ...


@dataclass(frozen=True)
class Walker:
    """One person in a scene. style is the session's. start: metres along the path at time 0; phase: of the gait cycle
    then; seed: of the small unevenness of the steps."""

    body: Body
    style: Style
    looks: Looks
    clothes: Clothes
    path: Path
    start: float = 0.0
    phase: float = 0.0
    seed: int = 0

    def motion(self, times: np.ndarray) -> Motion:
        """The walk at (T,) increasing seconds."""
        return walk(self.body, self.style, self.path, times, start=self.start, phase=self.phase,
                    generator=np.random.default_rng(self.seed))  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """Everything in a clip. fps: frames a second; seconds: how long; grain: standard deviation of the camera's noise in
    grey levels of 255; seed: of the grain."""

    walkers: tuple[Actor, ...]
    camera: Camera
    background: Background
    light: Light
    fps: float = 25.0
    seconds: float = 7.5
    grain: float = 1.2
    seed: int = 0

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds of the frames."""
        return np.arange(round(self.fps * self.seconds)) / self.fps


@dataclass(frozen=True)
class Truth:
    """Where the joints of P walkers really are at T times: `joints` names the J of them in order.

    world: (P, T, J, 3) metres, y up. camera: (P, T, J, 3) metres, x right, y down, z away from the camera, as
    MediaPipe's axes. pixels: (P, T, J, 2). times: (T,) seconds.
    """

    joints: tuple[str, ...]
    times: np.ndarray
    world: np.ndarray
    camera: np.ndarray
    pixels: np.ndarray


def motions(scene: Scene) -> list[Motion]:
    """Each walker's motion at the frames' times."""
    return [person.motion(scene.times) for person in scene.walkers]


def truth(scene: Scene) -> Truth:
    """The scene's ground truth; P is 0 where nobody walks."""
    times = scene.times
    shape = (len(scene.walkers), len(times), len(TRUTH_JOINTS), 3)
    world = np.zeros(shape)
    for number, motion in enumerate(motions(scene)):
        world[number] = np.stack([motion.joints[name] for name in TRUTH_JOINTS], axis=1)
    return Truth(TRUTH_JOINTS, times, world, scene.camera.to_camera(world), scene.camera.project(world))


def render(scene: Scene, device: str = "cpu") -> Iterator[Frame]:
    """The scene's frames, one after the other; the background is drawn once."""
    camera, light = scene.camera, scene.light
    empty, ground = paint(scene.background, camera)
    generator = np.random.default_rng(scene.seed)
    tint = 0.62 * light.ambient / 0.45 + 0.38 * light.colour / 0.75
    empty = np.clip(empty * tint, 0.0, 1.0).astype(np.float32)
    grain = [_grain(generator, scene, empty.shape) for _ in range(4)]
    figures = [
        build_figure(person.body, motion, person.looks, person.clothes)
        for person, motion in zip(scene.walkers, motions(scene), strict=True)
    ]
    drawings = [draw(figure, camera, light, device) for figure in figures]
    for index, time in enumerate(scene.times):
        picture = empty.copy()
        for figure in figures:
            shade_ground(picture, ground, figure, index, camera, light.key, 0.25 + 0.4 * light.strength)
        _compose(picture, [next(drawing) for drawing in drawings])
        rgb = np.clip(picture * 255.0 + grain[int(generator.integers(4))], 0, 255).astype(np.uint8)
        yield Frame(rgb, float(time), index)


def _grain(generator: np.random.Generator, scene: Scene, shape: tuple[int, ...]) -> np.ndarray:
    return generator.normal(0.5, scene.grain, (*shape[:2], 1)).astype(np.float32)


def _compose(picture: np.ndarray, layers: list[Layer]) -> None:
    """Lays the layers into the picture in place, the farthest walker first."""
    flat = picture.reshape(-1, 3)
    for layer in sorted(layers, key=lambda one: -float(np.median(one.depth)) if len(one.depth) else 0.0):
        cover = layer.cover[:, None]
        flat[layer.index] = flat[layer.index] * (1.0 - cover) + layer.colour * cover
