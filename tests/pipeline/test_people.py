"""People in pictures: windows, bodies painted out, and which poses are believed."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.people import (
    JOINTS,
    body_height,
    cut,
    moved,
    overlap,
    plausible,
    same_body,
    shared,
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


def kept(own: Person, other: Person, at: tuple[int, int]) -> bool:
    """Whether the window of `own` still shows what is there, with `other` painted out."""
    rgb = ground()
    part = cut(rgb, (0, 0, 320, 240), [other], own)
    around = slice(at[1] - 2, at[1] + 3), slice(at[0] - 2, at[0] + 3)
    return bool((part[around] == rgb[around]).all())


def test_of_two_who_touch_each_keeps_what_is_nearer_to_their_bones() -> None:
    own, other = standing(100, 40, 150), standing(135, 40, 150)
    assert kept(own, other, (100, 90))
    assert kept(own, other, (112, 90))  # between the trunks, on the own arm
    assert not kept(own, other, (135, 90))
    assert not kept(own, other, (146, 170))  # a shin
    assert kept(own, other, (170, 120))  # the ground beside them


def test_where_two_cross_the_one_nearer_to_the_camera_is_kept() -> None:
    behind, before = standing(100, 40, 140), standing(120, 40, 150)
    crossing = (98, 90)  # an arm before a trunk
    assert kept(before, behind, crossing)
    assert not kept(behind, before, crossing)
    assert kept(behind, before, (80, 90))  # the other arm


def test_same_body_by_joints_not_by_boxes() -> None:
    person = standing(100, 40, 150)
    assert same_body(person, moved(person, 6, 4))
    assert not same_body(person, moved(person, 40, 0))
    assert overlap(person.box, moved(person, 20, 0).box) > 0.4


def test_shared_is_intersection_over_union() -> None:
    a = np.array([0.0, 0, 10, 10])
    assert shared(a, a) == 1
    assert shared(a, a + 5) == pytest.approx(25 / 175)
    assert shared(a, a + 20) == 0


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


def test_a_limb_as_long_as_half_the_body_is_not_believed() -> None:
    person = standing(160, 20, 200)
    image = person.image.copy()
    image[15] = image[13] + np.float32([100, 0])
    assert not plausible(replace(person, image=image), 320, 240, 0.5)


def test_body_height_holds_for_a_turned_camera() -> None:
    person = standing(100, 40, 150)
    turned = replace(person, box=person.box[[1, 0, 3, 2]])
    assert body_height(person) == body_height(turned) == pytest.approx(150, abs=4)
    assert len(JOINTS) == 12
