"""What is drawn lies where the cones are, with the colours they have."""

from dataclasses import replace

import numpy as np
import torch

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.casting import draw_person, on_a_day
from pipeline.synthetic.figure import Figure, build_figure
from pipeline.synthetic.march import cone_table, point_distances
from pipeline.synthetic.path import straight
from pipeline.synthetic.render import draw
from pipeline.synthetic.shade import Light
from pipeline.synthetic.walker import walk

LIGHT = Light((0.48, 0.6, 0.64))
CAMERA = Camera(0.3, 5.0, 1.5, 320.0, 160, 160)


def dressed(seed: int = 1, frames: int = 2) -> Figure:
    generator = np.random.default_rng(seed)
    person = draw_person(generator)
    walker = on_a_day(person, generator)
    motion = walk(person.body, walker.style, straight((0.0, 0.0), 0.0, 2.0), np.arange(frames) * 0.1)
    return build_figure(person.body, motion, walker.looks, walker.clothes)


def single(radius: float = 0.3) -> Figure:
    """A ball, nearly, of one red cone about the point that the camera aims at."""
    figure = dressed(frames=1)
    one = slice(0, 1)
    centre = np.array([[[0.0, 0.9, 0.0]]])
    end = centre + np.array([0.0, 1e-3, 0.0])
    red = np.array([[1.0, 0.0, 0.0]])
    flat = np.zeros(1, dtype=int)
    return replace(
        figure, start=centre, end=end, radii=np.array([[radius, radius]]), first=red, second=red,
        cut=figure.cut[one], pattern=flat, head=flat, waist=flat,
    )  # fmt: skip


def test_a_ball_is_drawn_as_a_disc_of_its_size_and_depth() -> None:
    layer = next(draw(single(), CAMERA, LIGHT))
    full = layer.index[layer.cover > 0.5]
    distance = float(np.linalg.norm(CAMERA.place - [0.0, 0.9, 0.0]))
    radius = 320.0 * 0.3 / np.sqrt(distance**2 - 0.3**2)
    assert abs(len(full) - np.pi * radius**2) < 0.08 * np.pi * radius**2
    assert abs((full % 160).mean() - 79.5) < 0.5
    assert abs((full // 160).mean() - 79.5) < 0.5
    assert abs(layer.depth.min() - (distance - 0.3)) < 0.01
    assert layer.colour[:, 0].max() > 0.5
    assert layer.colour[:, 1:].max() < 1e-6


def test_the_side_towards_the_light_is_brighter() -> None:
    layer = next(draw(single(), CAMERA, Light((0.0, 1.0, 0.0))))
    red, row = layer.colour[:, 0], layer.index // 160
    assert red[row < 70].mean() > 1.3 * red[row > 90].mean()


def test_every_joint_of_a_person_is_covered_and_nothing_far_from_them() -> None:
    figure = dressed()
    for number, layer in enumerate(draw(figure, CAMERA, LIGHT)):
        mask = np.zeros(160 * 160, dtype=bool)
        mask[layer.index] = True
        middle = CAMERA.project((figure.start[number] + figure.end[number]) / 2).astype(int)
        assert mask[middle[:, 1] * 160 + middle[:, 0]].all()
        rows, columns = np.nonzero(mask.reshape(160, 160))
        ends = np.concatenate([CAMERA.project(figure.start[number]), CAMERA.project(figure.end[number])])
        assert rows.min() > ends[:, 1].min() - 12
        assert rows.max() < ends[:, 1].max() + 12
        assert columns.min() > ends[:, 0].min() - 14
        assert columns.max() < ends[:, 0].max() + 14
        assert len(np.unique(layer.index)) == len(layer.index)


def test_frames_drawn_together_are_those_drawn_alone() -> None:
    figure = dressed(frames=3)
    together = list(draw(figure, CAMERA, LIGHT))
    last = replace(
        figure, start=figure.start[2:], end=figure.end[2:], trunk=figure.trunk[2:], centre=figure.centre[2:],
        face=figure.face[2:], face_centre=figure.face_centre[2:],
    )  # fmt: skip
    alone = next(draw(last, CAMERA, LIGHT))
    assert abs(len(alone.index) - len(together[2].index)) <= 2
    assert abs(float(alone.colour.mean()) - float(together[2].colour.mean())) < 1e-3


def test_nobody_in_the_picture_gives_an_empty_layer() -> None:
    behind = Camera(0.0, 5.0, 1.5, 320.0, 160, 160, target=(0.0, -30.0))
    assert len(next(draw(dressed(frames=1), behind, LIGHT)).index) == 0


def test_distances_to_a_cone_are_those_of_its_spheres() -> None:
    generator = np.random.default_rng(0)
    start, end, radii = generator.normal(size=3), generator.normal(size=3), np.array([0.3, 0.1])
    points = generator.normal(size=(40, 3)) * 2
    share = np.linspace(0.0, 1.0, 4001)[:, None]
    spheres = np.linalg.norm(points[:, None] - (start + share * (end - start)), axis=-1) - (0.3 - 0.2 * share[:, 0])
    table = cone_table(*(torch.tensor(value, dtype=torch.float64)[None] for value in (start, end, radii)))
    found, _ = point_distances(torch.tensor(points), table.expand(40, 1, 10))
    np.testing.assert_allclose(found[:, 0].numpy(), spheres.min(1), atol=1e-5)
