"""What moves before a camera that stands still, and that a moving camera tells nothing."""

import numpy as np
from test_people import frame, ground

from pipeline.movement import Movement
from pipeline.people import overlap


def walker(x: int, rgb: np.ndarray | None = None, y: int = 60, tall: int = 120) -> np.ndarray:
    """A scene with a bright figure in it."""
    rgb = ground() if rgb is None else rgb
    rgb[y : y + tall, x : x + tall // 4] = 250
    return rgb


def test_what_moves_is_found_whole_and_what_is_explained_is_not() -> None:
    movement = Movement()
    for k in range(4):
        movement.update(frame(ground(), 4 * k), [])
        assert movement.boxes == []
    movement.update(frame(walker(200), 16), [])
    (box,) = movement.boxes
    assert overlap(box, np.array([200.0, 60, 230, 180])) > 0.9
    assert np.abs(box - (200, 60, 230, 180)).max() < 16
    movement.update(frame(walker(206), 20), [np.array([195.0, 50, 245, 190])])
    assert movement.boxes == []


def test_a_foot_beside_somebody_explained_is_not_somebody_else_but_a_body_is() -> None:
    movement = Movement()
    for k in range(4):
        movement.update(frame(ground(), 4 * k), [])
    explained = np.array([190.0, 50, 240, 190])
    foot = walker(200)
    foot[150:180, 220:260] = 250
    movement.update(frame(foot, 16), [explained])
    assert movement.boxes == []
    movement.update(frame(walker(235, walker(206)), 20), [explained])
    assert len(movement.boxes) == 1


def test_somebody_who_stops_is_still_not_background() -> None:
    movement = Movement()
    for k in range(100):
        movement.update(frame(ground(), 4 * k), [])
    for k in range(100, 112):
        movement.update(frame(walker(200), 4 * k), [])
    assert len(movement.boxes) == 1


def test_small_and_several_people_are_told_apart() -> None:
    movement = Movement()
    wide = np.random.default_rng(1).integers(60, 120, (720, 1280, 3)).astype(np.uint8)
    for k in range(4):
        movement.update(frame(wide, 4 * k), [])
    movement.update(frame(walker(900, walker(300, wide.copy(), 300, 60), 320, 60), 16), [])
    assert sorted(round(float(box[0]) / 100) for box in movement.boxes) == [3, 9]


def test_a_camera_that_moves_tells_nothing_and_is_trusted_again_when_it_stands() -> None:
    movement = Movement()
    blocks = np.kron(np.random.default_rng(2).integers(20, 230, (40, 60)), np.ones((12, 12))).astype(np.uint8)
    scene = np.repeat(blocks[:, :, None], 3, axis=2)
    for k in range(20):
        movement.update(frame(np.ascontiguousarray(scene[100:340, 10 * k : 10 * k + 320]), 4 * k), [])
        assert movement.boxes == []
    for k in range(20, 24):
        movement.update(frame(scene[100:340, 200:520].copy(), 4 * k), [])
    assert movement.boxes == []
    movement.update(frame(walker(200, scene[100:340, 200:520].copy()), 96), [])
    assert any(overlap(box, np.array([200.0, 60, 230, 180])) > 0.5 for box in movement.boxes)


def test_a_light_that_goes_on_is_no_movement() -> None:
    movement = Movement()
    for k in range(6):
        movement.update(frame(ground(), 4 * k), [])
    movement.update(frame(ground() + np.uint8(90), 24), [])
    assert movement.boxes == []
