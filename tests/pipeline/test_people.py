"""Where people may be: windows, movement, tiles, and which poses are believed."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.people import (
    JOINTS,
    Movement,
    Search,
    body_height,
    cut,
    moved,
    overlap,
    plausible,
    same_body,
    tiles,
    window_around,
)
from pipeline.values import Frame, Person

UPRIGHT = {11: (-0.1, 0.2), 12: (0.1, 0.2), 13: (-0.15, 0.35), 14: (0.15, 0.35), 15: (-0.15, 0.5), 16: (0.15, 0.5),
           23: (-0.07, 0.52), 24: (0.07, 0.52), 25: (-0.07, 0.75), 26: (0.07, 0.75), 27: (-0.07, 0.97),
           28: (0.07, 0.97), 29: (-0.07, 1.0), 30: (0.07, 1.0), 31: (-0.05, 1.0), 32: (0.05, 1.0)}  # fmt: skip


def standing(x: float, y: float, tall: float, visibility: float = 0.9) -> Person:
    """Somebody whose head is at (x, y) and who is `tall` pixels tall."""
    image = np.array([UPRIGHT.get(k, (0.0, 0.02)) for k in range(33)], np.float32) * tall + np.float32([x, y])
    return Person(
        box=np.concatenate([image.min(axis=0), image.max(axis=0)]),
        image=image,
        world=np.zeros((33, 3), np.float32),
        visibility=np.full(33, visibility, np.float32),
    )


def frame(rgb: np.ndarray, index: int, fps: float = 25.0) -> Frame:
    return Frame(rgb=rgb, time=index / fps, index=index)


def ground(width: int = 320, height: int = 240) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 120, (height, width, 3)).astype(np.uint8)


def test_windows_stay_in_the_frame() -> None:
    assert window_around(np.array([50.0, 50.0]), 40, 200, 100) == (30, 30, 70, 70)
    assert window_around(np.array([0.0, 95.0]), 40, 200, 100) == (0, 75, 20, 100)
    x0, y0, x1, y1 = window_around(np.array([900.0, -900.0]), 40, 200, 100)
    assert 0 <= x0 < x1 <= 200
    assert 0 <= y0 < y1 <= 100


def test_hidden_bodies_are_painted_out_of_a_copy() -> None:
    rgb = ground()
    before = rgb.copy()
    part = cut(rgb, (0, 0, 320, 240), [standing(100, 40, 150)])
    assert np.ptp(part[70:150, 95:105].reshape(-1, 3), axis=0).max() == 0
    np.testing.assert_array_equal(part[:, 200:], rgb[:, 200:])
    np.testing.assert_array_equal(rgb, before)
    assert cut(rgb, (0, 0, 50, 50), [standing(200, 40, 150)]).base is rgb


def test_same_body_by_joints_not_by_boxes() -> None:
    person = standing(100, 40, 150)
    assert same_body(person, moved(person, 6, 4))
    assert not same_body(person, moved(person, 40, 0))
    assert overlap(person.box, moved(person, 20, 0).box) > 0.4


@pytest.mark.parametrize(
    ("person", "believed"),
    [
        (standing(160, 20, 200), True),
        (standing(160, 20, 200, visibility=0.3), False),
        (standing(160, 20, 18), False),
        (standing(160, 150, 300), False),
        (replace(standing(160, 20, 200), image=np.float32([[160, 20 + 6 * k] for k in range(33)])), True),
    ],
)
def test_what_is_believed(person: Person, believed: bool) -> None:
    assert plausible(person, 320, 240, 0.5) is believed


def test_trunk_of_no_length_is_not_believed() -> None:
    person = standing(160, 20, 200)
    image = person.image.copy()
    image[[23, 24]] = image[[11, 12]]
    assert not plausible(replace(person, image=image), 320, 240, 0.5)


def test_tiles_cover_the_frame_and_overlap() -> None:
    for width, height in ((1280, 720), (720, 1280), (640, 640), (160, 120)):
        covered = np.zeros((height, width), bool)
        for x0, y0, x1, y1 in tiles(width, height):
            assert x1 - x0 == y1 - y0
            assert 0 <= x0 < x1 <= width
            covered[y0:y1, x0:x1] = True
        assert covered.all()


def test_movement_finds_what_moved_and_not_what_is_explained() -> None:
    rgb = ground()
    movement = Movement()
    movement.update(frame(rgb, 0), [])
    assert movement.boxes == []
    later = rgb.copy()
    later[60:180, 200:240] = 250
    movement.update(frame(later, 4), [])
    box = movement.boxes[0]
    assert overlap(box, np.array([200.0, 60, 240, 180])) > 0.9
    movement.update(frame(rgb, 8), [np.array([190.0, 50, 250, 190])])
    assert movement.boxes == []


def test_moving_camera_is_no_movement() -> None:
    movement = Movement()
    movement.update(frame(ground(), 0), [])
    movement.update(frame(255 - ground()[::-1], 4), [])
    assert movement.boxes == []


def test_nobody_followed_is_looked_for_in_every_frame() -> None:
    search = Search()
    assert all(search.window(frame(ground(), k), []) is not None for k in range(20))


def test_looks_are_rare_while_people_are_followed_and_nothing_moves() -> None:
    search = Search()
    person = standing(100, 40, 150)
    looks = [search.window(frame(ground(), k), [person.box]) for k in range(200)]
    assert 8 <= sum(look is not None for look in looks) <= 12
    assert len({look for look in looks if look is not None}) > 3


def test_newcomer_is_looked_at_at_once_and_not_again_and_again() -> None:
    search = Search()
    person = standing(60, 40, 150)
    looked = []
    for k in range(50):
        rgb = ground()
        x = 200 + 2 * k
        rgb[60:180, x : x + 30] = 250
        window = search.window(frame(rgb, k), [person.box])
        if window is not None and overlap(np.array(window, float), np.array([x, 60, x + 30, 180])) > 0.9:
            looked.append(k)
    assert looked[0] <= 8
    assert len(looked) <= 12


def test_body_height_holds_for_a_turned_camera() -> None:
    person = standing(100, 40, 150)
    turned = replace(person, box=person.box[[1, 0, 3, 2]])
    assert body_height(person) == body_height(turned) == pytest.approx(150, abs=4)
    assert len(JOINTS) == 12
