"""Scenes keep their people in the picture, know their truth and come out the same each time."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.synthetic.background import noise
from pipeline.synthetic.casting import along_line, draw_person, film, on_a_day, round_loop
from pipeline.synthetic.scene import TRUTH_JOINTS, Scene, render, truth


def small(seed: int = 0, seconds: float = 0.2) -> Scene:
    generator = np.random.default_rng(seed)
    walker = round_loop(on_a_day(draw_person(generator), generator), generator, 5.0)
    return film((walker,), generator, seconds=seconds, fps=10.0, width=128, height=96, tall=50.0)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_people_stay_in_the_picture_and_are_seen_from_every_side(seed: int) -> None:
    scene = small(seed, 5.2)
    known = truth(scene)
    assert known.world.shape == (1, 52, len(TRUTH_JOINTS), 3)
    assert (known.pixels > 0).all()
    assert (known.pixels < [128, 96]).all()
    left, right = (known.camera[0, :, TRUTH_JOINTS.index(f"{side} hip")] for side in ("left", "right"))
    across = left - right
    seen = np.degrees(np.arctan2(across[:, 2], across[:, 0]))
    assert len(np.unique(np.floor(seen / 45))) == 8


def test_frames_show_the_walker_where_the_truth_says() -> None:
    scene = small()
    empty = replace(scene, walkers=())
    known = truth(scene)
    for frame, bare in zip(render(scene), render(empty), strict=True):
        changed = np.abs(frame.rgb.astype(int) - bare.rgb).max(-1) > 24
        rows, columns = np.nonzero(changed)
        pixels = known.pixels[0, frame.index]
        assert frame.rgb.shape == (96, 128, 3)
        assert abs(np.median(columns) - np.median(pixels[:, 0])) < 10
        assert abs(rows.min() - pixels[:, 1].min()) < 10


def test_the_same_scene_gives_the_same_frames() -> None:
    for first, second in zip(render(small()), render(small()), strict=True):
        assert np.abs(first.rgb.astype(int) - second.rgb).max() <= 2


def test_the_nearer_of_two_is_in_front() -> None:
    generator = np.random.default_rng(3)
    walkers = []
    for depth in (0.8, -0.8):
        walker = along_line(on_a_day(draw_person(generator), generator), np.pi / 2, 0.1, (0.0, depth))
        walkers.append(walker)
    scene = film(tuple(walkers), generator, seconds=0.1, fps=10.0, width=96, height=96, tall=55.0, azimuth=0.0)
    both = next(render(scene)).rgb.astype(int)
    near = next(render(replace(scene, walkers=(walkers[0],)))).rgb.astype(int)
    chest = truth(scene).pixels[0, 0, [TRUTH_JOINTS.index("neck")]].astype(int)[0] + [0, 4]
    assert np.abs(both[chest[1], chest[0]] - near[chest[1], chest[0]]).max() < 12


def test_noise_is_smooth_and_about_nothing() -> None:
    u, v = np.meshgrid(np.linspace(0, 50, 400), np.linspace(0, 50, 400))
    values = noise(u, v, 5, octaves=1)
    assert abs(values.mean()) < 0.1
    assert 0.2 < values.std() < 0.7
    assert np.abs(np.diff(values, axis=1)).max() < 0.6
