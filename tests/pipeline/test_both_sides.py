"""Small people are posed in the mirror too: what is averaged, when, and when the mirror's pose is not believed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_people import standing

from pipeline.both_sides import MIRRORED_LANDMARKS, BothSides, mean, mirrored
from pipeline.values import Person

WIDTH, HEIGHT, BELOW = 200, 160, 100.0
LEFT_WRIST, RIGHT_WRIST = 15, 16


class Scripted:
    """Tells of every picture what `says` makes of its first column, and remembers being asked and closed."""

    def __init__(self, says: Callable[[int], Person | None]) -> None:
        self.says, self.asked, self.closed = says, 0, False

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        self.asked += 1
        return self.says(int(rgb[0, 0, 0]))

    def close(self) -> None:
        self.closed = True


def picture() -> np.ndarray:
    """Whose columns tell where they are: 0 is the first, and the mirror image begins with WIDTH - 1."""
    return np.broadcast_to(np.arange(WIDTH, dtype=np.uint8)[None, :, None], (HEIGHT, WIDTH, 3))


def body(tall: float, x: float = 60.0) -> Person:
    """Somebody whose left arm, alone, is stretched out."""
    person = standing(x, 10.0, tall)
    image, world = person.image.copy(), person.world.copy()
    image[LEFT_WRIST, 0] += 0.2 * tall
    world[LEFT_WRIST] = (0.4, -0.3, 0.1)
    return replace(person, image=image, world=world)


def both(plain: Person | None, mirror: Person | None) -> tuple[BothSides, list[Scripted]]:
    """What says `plain` of the picture, and of its mirror image what is `mirror` as it is."""
    opened: list[Scripted] = []

    def says(first: int) -> Person | None:
        if first == 0:
            return plain
        return None if mirror is None else mirrored(mirror, WIDTH)

    def make() -> Scripted:
        opened.append(Scripted(says))
        return opened[-1]

    return BothSides(make, BELOW), opened


def shifted(person: Person, dx: float) -> Person:
    return replace(person, image=person.image + np.array([dx, 0], np.float32),
                   world=person.world + np.array([0.1, 0, 0.2], np.float32))  # fmt: skip


def test_the_mirrors_mirror_is_the_body_itself() -> None:
    person = body(80.0)
    there = mirrored(person, WIDTH)
    assert there.image[RIGHT_WRIST, 0] == pytest.approx(WIDTH - person.image[LEFT_WRIST, 0])
    np.testing.assert_allclose(there.world[RIGHT_WRIST], (-0.4, -0.3, 0.1), atol=1e-6)
    again = mirrored(there, WIDTH)
    for name in ("box", "image", "world", "visibility"):
        np.testing.assert_allclose(getattr(again, name), getattr(person, name), atol=1e-4)
    assert sorted(MIRRORED_LANDMARKS) == list(range(33))


def test_a_small_body_is_the_mean_of_what_the_picture_and_the_mirror_show() -> None:
    plain, mirror = body(80.0), shifted(body(80.0), 4.0)
    pose, _ = both(plain, mirror)
    found = pose(picture(), 0.0)
    assert found is not None
    np.testing.assert_allclose(found.image, plain.image + np.array([2.0, 0.0]), atol=1e-4)
    np.testing.assert_allclose(found.world, plain.world + np.array([0.05, 0.0, 0.1]), atol=1e-5)
    np.testing.assert_allclose(found.box, mean(plain, mirror).box)


def test_a_large_body_costs_one_look() -> None:
    plain = body(120.0)
    pose, opened = both(plain, shifted(plain, 4.0))
    assert pose(picture(), 0.0) is plain
    assert [follower.asked for follower in opened] == [1]


@pytest.mark.parametrize("mirror", [None, body(80.0, x=140.0)], ids=["nobody", "somebody else"])
def test_where_the_mirror_shows_nobody_or_somebody_else_the_picture_alone_counts(mirror: Person | None) -> None:
    plain = body(80.0)
    pose, opened = both(plain, mirror)
    assert pose(picture(), 0.0) is plain
    assert [follower.asked for follower in opened] == [1, 1]


def test_where_nobody_is_the_mirror_is_asked_until_it_lets_go_and_no_more() -> None:
    """Otherwise it could find somebody there, and begin the next body from where that one was."""
    there: list[Person | None] = [body(80.0), None]
    opened: list[Scripted] = []

    def make() -> Scripted:
        mirrors = len(opened) > 0
        opened.append(Scripted(lambda first: there[mirrors]))
        return opened[-1]

    pose = BothSides(make, BELOW)
    asked = []
    for plain, mirror in ((80.0, 80.0), (None, 80.0), (None, None), (None, 80.0), (None, 80.0), (80.0, 80.0)):
        there[:] = [tall and body(tall) for tall in (plain, mirror)]
        assert (pose(picture(), 0.0) is None) == (plain is None)
        asked.append(opened[1].asked)
    assert asked == [1, 2, 3, 3, 3, 4]


def test_a_body_that_becomes_large_costs_one_look_and_both_followers_are_closed() -> None:
    people = [body(80.0), body(120.0)]
    opened: list[Scripted] = []

    def make() -> Scripted:
        opened.append(Scripted(lambda first: people[0]))
        return opened[-1]

    pose = BothSides(make, BELOW)
    pose(picture(), 0.0)
    people.pop(0)
    pose(picture(), 0.1)
    assert [follower.asked for follower in opened] == [2, 1]
    pose.close()
    assert [follower.closed for follower in opened] == [True, True]
