"""Where people are looked for: tiles, what moves, a detector's boxes, and what looks cost."""

import numpy as np
from test_people import frame, ground, standing

from pipeline.looking import EARNED, REST, SAVED, Search, tiles
from pipeline.people import overlap


def looks(
    search: Search, scenes: list[np.ndarray], followed: list[np.ndarray]
) -> list[list[tuple[int, int, int, int]]]:
    return [list(search.windows(frame(rgb, k), followed)) for k, rgb in enumerate(scenes)]


def crossing(k: int, x: int = 150) -> np.ndarray:
    """Ground, and from frame 10 on somebody who walks over it."""
    rgb = ground()
    if k >= 10:
        at = min(x + 3 * (k - 10), 280)
        rgb[60:180, at : at + 30] = 250
    return rgb


def test_tiles_cover_the_frame_and_overlap_at_several_scales() -> None:
    for width, height in ((1280, 720), (720, 1280), (640, 640), (160, 120)):
        covered = np.zeros((height, width), bool)
        for x0, y0, x1, y1 in tiles(width, height):
            assert x1 - x0 == y1 - y0
            assert 0 <= x0 < x1 <= width
            covered[y0:y1, x0:x1] = True
        assert covered.all()
    assert {x1 - x0 for x0, _, x1, _ in tiles(1280, 720)} == {720, 432, 259}


def test_somebody_80_pixels_tall_lies_whole_in_a_tile_that_they_fill_to_a_quarter() -> None:
    for x, y in np.random.default_rng(3).uniform((0, 0), (1240, 640), (200, 2)):
        assert any(x0 <= x and y0 <= y and x + 40 <= x1 and y + 80 <= y1 and x1 - x0 <= 320
                   for x0, y0, x1, y1 in tiles(1280, 720))  # fmt: skip


def test_nobody_followed_is_looked_for_in_every_frame() -> None:
    found = looks(Search(1.0), [ground()] * 20, [])
    assert found[0][0] == (0, 0, 320, 240)
    assert all(len(here) == 1 for here in found[1:])


def test_frames_may_be_left_out_without_a_place_being_left_out() -> None:
    search = Search(1.0)
    found = [window for k in range(0, 80, 2) for window in search.windows(frame(ground(640, 360), k), [])]
    assert {*tiles(640, 360), (0, 0, 640, 360)} == set(found)


def test_looks_are_rare_while_one_is_followed_and_frequent_in_a_crowd() -> None:
    scenes = [ground(640, 360)] * 200
    one = [standing(100, 40, 150).box]
    counts = [sum(map(len, looks(Search(0.0), scenes, one * people))) for people in (1, 4)]
    assert 8 <= counts[0] <= 12
    assert 32 <= counts[1] <= 44


def test_who_walks_in_beside_somebody_alone_is_soon_looked_at_again() -> None:
    one = [standing(30, 40, 150).box]
    for since in range(40, 80, 4):  # wherever between two tiles it is
        search = Search(0.0)
        looks(search, [ground()] * since, one)
        found = [list(search.windows(frame(crossing(k), since + k), one)) for k in range(60)]
        first, second, *_ = (k for k in range(60) if any(window not in tiles(320, 240) for window in found[k]))
        assert first <= 13
        assert (second - first) / 25 <= 1 / EARNED + 0.1


def test_a_round_of_tiles_waits_for_its_time() -> None:
    crowd = [standing(100, 40, 150).box] * 20
    scenes = [ground(640, 360)] * 100
    rounds = len(tiles(640, 360))
    assert sum(map(len, looks(Search(60.0), scenes, crowd))) == rounds
    assert sum(map(len, looks(Search(2.0), scenes, crowd))) == 2 * rounds


def test_the_tiles_in_which_a_body_like_those_followed_is_large_come_first() -> None:
    search, crowd = Search(60.0), [standing(100, 40, 110).box] * 8
    first = [window for here in looks(search, [ground(1280, 720)] * 40, crowd) for window in here]
    assert len(first) > 10
    assert {x1 - x0 for x0, _, x1, _ in first} == {259}


def test_who_is_there_indeed_pays_for_looks_at_once() -> None:
    for confirmed in (False, True):
        search, scene = Search(60.0), ground(640, 360)
        one = [standing(100, 40, 150).box]
        counts = [len(here) for here in looks(search, [scene] * 60, one)]
        last = max(k for k, count in enumerate(counts) if count)  # until the next one little is saved
        search = Search(60.0)
        looks(search, [scene] * (last + 1), one)
        if confirmed:
            search.confirmed()
        assert len(list(search.windows(frame(scene, last + 1), one))) == confirmed


def test_what_moves_is_looked_at_again_soon_when_it_has_changed_and_ever_less_often_while_it_stays() -> None:
    search = Search(60.0)
    entering = [np.array([600.0, 100, 620 + 2 * k, 200]) for k in (0, 4, 8, 40)]
    assert [search._is_rested(box, 0.01 * k) for k, box in enumerate(entering)] == [True, False, False, True]
    tree = np.array([0.0, 0, 50, 100])
    times = [k / 25 for k in range(250) if search._is_rested(tree, k / 25)]
    assert times[1] - times[0] < 2 * REST
    assert len(times) <= 7


def test_newcomer_is_looked_at_at_once_and_not_again_and_again() -> None:
    for people in (1, 20):  # with few looks to spare and with many
        search, followed = Search(0.0), [standing(30, 40, 150).box] * people
        looks(search, [ground()] * 90, followed)
        found = [list(search.windows(frame(crossing(k), 90 + k), followed)) for k in range(60)]
        body = {k: np.array([crossing_x(k), 60.0, crossing_x(k) + 30, 180]) for k in range(10, 60)}
        here = [k for k in body for window in found[k]
                if overlap(np.array(window, float), body[k]) > 0.9 and window not in tiles(320, 240)]  # fmt: skip
        assert here[0] <= 13
        assert len(here) <= 2 + 50 / 25 / REST + 2


def crossing_x(k: int) -> int:
    return min(150 + 3 * (k - 10), 280)


def test_all_who_move_are_looked_at_in_one_frame_when_looks_find_somebody() -> None:
    search, one = Search(60.0), [standing(20, 20, 60).box]
    empty = np.random.default_rng(1).integers(60, 120, (720, 1280, 3)).astype(np.uint8)
    crowd = empty.copy()
    for x in (400, 700, 1000):
        crowd[300:400, x : x + 25] = 250
    for k in range(100):
        list(search.windows(frame(empty, k), one))
    seen = 0
    for _ in search.windows(frame(crowd, 103), one):
        search.found()
        seen += 1
    assert seen == SAVED


def test_a_look_that_is_not_paid_for_is_not_lost() -> None:
    search = Search(60.0)
    one = [standing(100, 40, 150).box]
    windows = [window for here in looks(search, [ground(640, 360)] * 900, one) for window in here]
    assert windows[: len(tiles(640, 360))] == tiles(640, 360)


def test_a_detector_replaces_the_proposals_and_is_asked_every_so_often() -> None:
    asked = []

    def detector(rgb: np.ndarray) -> list[np.ndarray]:
        asked.append(rgb.shape)
        return [np.array([100.0, 60, 130, 160]), np.array([220.0, 60, 250, 160])]

    followed = [np.array([95.0, 50, 135, 170])]
    found = looks(Search(1.0, detector), [crossing(k) for k in range(51)], followed)
    assert len(asked) == 3
    assert [len(here) for here in found] == [1 if k % 25 == 0 else 0 for k in range(51)]
    x0, y0, x1, y1 = found[0][0]
    assert x0 < 220
    assert x1 > 250
    assert (x1 - x0, y1 - y0) == (150, 150) or x1 == 320
