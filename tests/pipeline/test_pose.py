"""Who is followed: newcomers, leavers, people who cross, people imagined; with followers that read painted pictures."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from threading import enumerate as enumerate_threads
from time import sleep
from typing import ClassVar

import numpy as np
import pytest
from test_people import ground, standing

from pipeline.errors import DetectorError, PoseError
from pipeline.followed import STANDING_SPACING
from pipeline.places import cache_dir
from pipeline.pose import FollowingPose, MediaPipePose
from pipeline.settings import PoseSettings, VideoSettings
from pipeline.values import Frame, Person

TALL, WIDE = 100, 30
WIDTH, HEIGHT = 480, 240


SCENE = ground(WIDTH, HEIGHT)


def draw(places: dict[int, tuple[float, float]]) -> np.ndarray:
    """A grey scene with a plain rectangle of colour (0, 255, 40 * k) for person k, later ones nearer the camera."""
    rgb = SCENE.copy()
    for k, (x, y) in places.items():
        x0, y0 = int(x) - WIDE // 2, int(y)
        rgb[max(0, y0) : y0 + TALL, max(0, x0) : max(0, x0 + WIDE)] = (0, 255, 40 * k)
    return rgb


class Reader:
    """Finds rectangles as a landmarker finds bodies: keeps to its own while it is in sight, else takes the largest."""

    made = 0

    def __init__(self) -> None:
        Reader.made += 1
        self.own: int | None = None
        self.calls = 0

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        self.calls += 1
        seen = {}
        rows, columns = np.nonzero((rgb[:, :, 0] == 0) & (rgb[:, :, 1] == 255))
        numbers = rgb[rows, columns, 2] // 40
        for k in np.unique(numbers):
            own = numbers == k
            if own.sum() > 0.25 * TALL * WIDE:
                seen[k] = (int(own.sum()), standing(float(columns[own].mean()), float(rows[own].min()), TALL))
        if self.own not in seen:
            self.own = max(seen, key=lambda k: seen[k][0]) if seen else None
        return None if self.own is None else seen[self.own][1]

    def close(self) -> None:
        self.own = None


@pytest.fixture
def pose() -> Iterator[FollowingPose]:
    with FollowingPose(PoseSettings(), Reader) as made:
        yield made


def run(pose: FollowingPose, scenes: list[dict[int, tuple[float, float]]], fps: float = 25.0) -> list[list[int]]:
    """The middles, in pixels, of those found in each frame, in order."""
    return [
        sorted(round(float(person.image[11:13, 0].mean())) for person in pose(Frame(draw(scene), k / fps, k)))
        for k, scene in enumerate(scenes)
    ]


def test_one_person_is_found_soon_and_kept(pose: FollowingPose) -> None:
    found = run(pose, [{1: (60 + 4 * k, 80)} for k in range(60)])
    assert all(len(here) == 1 for here in found[4:])
    assert all(abs(here[0] - (60 + 4 * k)) <= 2 for k, here in enumerate(found) if here)


def test_nobody_is_nobody(pose: FollowingPose) -> None:
    assert run(pose, [{}] * 40) == [[]] * 40


def test_second_person_walking_in_is_found_within_a_second(pose: FollowingPose) -> None:
    scenes = [{1: (200 - k, 80)} | ({2: (460 - 3 * (k - 30), 90)} if k >= 30 else {}) for k in range(90)]
    found = run(pose, scenes)
    assert all(len(here) == 1 for here in found[4:30])
    assert all(len(here) == 2 for here in found[30 + 25 :])


def test_people_who_cross_are_both_kept(pose: FollowingPose) -> None:
    scenes = [{1: (60 + 4 * k, 80), 2: (420 - 4 * k, 84)} for k in range(90)]
    found = run(pose, scenes)
    apart = [k for k in range(90) if abs(360 - 8 * k) > 60]
    assert all(len(found[k]) == 2 for k in apart if 35 > k > 30 or k > 60)
    assert all(len(here) <= 2 for here in found)
    assert abs(found[80][0] - (420 - 320)) <= 2
    assert abs(found[80][1] - (60 + 320)) <= 2


def test_who_loses_their_body_to_somebody_beside_them_looks_anew_in_the_same_frame() -> None:
    readers: list[Reader] = []

    def make() -> Reader:
        readers.append(Reader())
        return readers[-1]

    both = {1: (200.0, 80.0), 2: (260.0, 84.0)}
    with FollowingPose(PoseSettings(max_people=2), make) as pose:
        assert run(pose, [both] * 20)[-1] == [200, 260]
        before = [reader.calls for reader in readers]
        pose(Frame(draw({2: (238.0, 84.0)}), 0.8, 20))  # where nobody is expected, so that it is not painted out
    spent = sorted(reader.calls - calls for reader, calls in zip(readers, before, strict=True))
    assert spent == [1, 3]  # the other's body, forgetting it, and a look with the other painted out


def test_leaver_is_given_up_and_found_on_return(pose: FollowingPose) -> None:
    scenes = [{1: (100 + 3 * k, 80)} for k in range(30)] + [{}] * 30 + [{1: (300 - 3 * k, 80)} for k in range(30)]
    found = run(pose, scenes)
    assert found[30:60] == [[]] * 30
    assert all(len(here) == 1 for here in found[66:])


def test_another_video_begins_with_nobody(pose: FollowingPose) -> None:
    run(pose, [{1: (100, 80)}] * 10)
    assert pose(Frame(draw({}), 0.0, 0)) == []
    assert run(pose, [{}] * 5) == [[]] * 5


def test_somebody_standing_is_looked_at_seldom_and_walks_on_seen(pose: FollowingPose) -> None:
    found = run(pose, [{1: (100, 80)}] * 100 + [{1: (100 + 4 * k, 80)} for k in range(40)])
    rare = sum(bool(here) for here in found[50:100])
    assert 8 <= rare <= round(50 / 25 / STANDING_SPACING) + 2
    assert all(found[110:])


def test_no_more_than_max_people_and_each_has_one_follower() -> None:
    Reader.made = 0
    scenes = [{k: (60.0 + 90 * k + j % 20, 80.0) for k in range(1, 5)} for j in range(60)]
    with FollowingPose(PoseSettings(max_people=2), Reader) as pose:
        assert max(len(here) for here in run(pose, scenes)) == 2
    assert Reader.made == 2


def test_a_crowd_is_found_within_a_second_and_nobody_twice(pose: FollowingPose) -> None:
    lanes = {k: (70.0 + 68 * k, 20.0 if k % 2 else 130.0) for k in range(1, 6)}
    one: list[dict[int, tuple[float, float]]] = [{1: (138.0, 20 + 0.5 * j)} for j in range(120)]
    crowd = [{k: (x + (j if k % 2 else -j), y) for k, (x, y) in lanes.items()} for j in range(40)]
    found = run(pose, one + crowd)
    assert all(len(here) == 5 for here in found[120 + 12 :])
    assert all(len(here) <= 5 for here in found)


class Dawdling(Reader):
    """Takes a while, now longer, now less."""

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        sleep(0.001 * (rgb.shape[0] % 4))
        return super().__call__(rgb, time)


def test_the_number_of_threads_changes_nobody() -> None:
    scenes: list[dict[int, tuple[float, float]]] = [
        {1: (60 + 4 * k, 80), 2: (420 - 4 * k, 84)} | ({3: (240.0, 20.0 + k)} if 20 <= k < 60 else {})
        for k in range(80)
    ]
    found = []
    for threads in (1, 2, 5):
        with FollowingPose(PoseSettings(), Dawdling, threads=threads) as pose:
            found.append([run(pose, scenes), run(pose, scenes[::-1])])
    assert found[0] == found[1] == found[2]
    assert max(len(here) for here in found[0][0]) == 3


def test_two_in_sight_are_posed_at_the_same_time() -> None:
    together = Barrier(2)

    class Waiting(Reader):
        def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
            if time >= 1.6 and self.own is not None:
                together.wait(timeout=5)
            return super().__call__(rgb, time)

    with FollowingPose(PoseSettings(max_people=2), Waiting, threads=2) as pose:
        found = run(pose, [{1: (100 + 2 * k, 80), 2: (300 + 2 * k, 80)} for k in range(44)])
    assert all(len(here) == 2 for here in found[-5:])


def test_what_goes_wrong_while_looking_is_raised_and_leaves_no_thread() -> None:
    before = set(enumerate_threads())

    def detector(rgb: np.ndarray) -> list[np.ndarray]:
        raise DetectorError("the detector is broken")

    with FollowingPose(PoseSettings(), Reader, detector, threads=3) as pose:
        with pytest.raises(DetectorError, match="broken"):
            run(pose, [{}] * 3)
        assert set(enumerate_threads()) - before
    assert set(enumerate_threads()) <= before


def test_nobody_is_left_at_work_where_one_landmarker_fails() -> None:
    at_work: list[bool] = []

    class Faulty(Reader):
        def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
            if time >= 1.6 and self.own == 1:
                raise ValueError("a fault")
            at_work.append(True)
            sleep(0.05 * (time >= 1.6))
            at_work.pop()
            return super().__call__(rgb, time)

    with FollowingPose(PoseSettings(max_people=2), Faulty, threads=2) as pose:
        with pytest.raises(ValueError, match="a fault"):
            run(pose, [{1: (100 + 2 * k, 80), 2: (300 + 2 * k, 80)} for k in range(44)])
        assert not at_work


class Mortal(Reader):
    """Fails for ever once it has seen something red."""

    dead: ClassVar[list["Mortal"]] = []
    closed: ClassVar[list["Mortal"]] = []

    def __call__(self, rgb: np.ndarray, time: float) -> Person | None:
        if self in Mortal.dead or (rgb[:, :, 0] == 255).any():
            Mortal.dead.append(self)
            raise PoseError("the graph has errors")
        return super().__call__(rgb, time)

    def close(self) -> None:
        Mortal.closed.append(self)


def with_red(x: int) -> np.ndarray:
    """Somebody at 200, and something red at `x`, on them or where nobody is."""
    rgb = draw({1: (200, 80)})
    rgb[120:124, x - 2 : x + 2] = (255, 0, 0)
    return rgb


@pytest.mark.parametrize("where", [200, 440])
def test_one_videos_failure_never_fails_the_next(where: int) -> None:
    Mortal.dead, Mortal.closed = [], []
    alone = [{1: (60.0 + 4 * k, 80.0)} for k in range(30)]
    with FollowingPose(PoseSettings(), Mortal, threads=2) as pose:
        expected = run(pose, alone)
        assert run(pose, [{1: (200, 80)}] * 20)[-1] == [200]
        with pytest.raises(PoseError, match="has errors"):
            list(map(pose, [Frame(with_red(where), k / 25, k) for k in range(20, 80)]))
        assert set(Mortal.dead) <= set(Mortal.closed)
        assert run(pose, alone) == expected


def test_what_fails_in_a_videos_last_look_is_not_the_next_ones() -> None:
    Mortal.dead, Mortal.closed = [], []
    with FollowingPose(PoseSettings(), Mortal) as pose:
        assert pose(Frame(with_red(440), 0.0, 0)) == []
        found = run(pose, [{1: (60.0 + 4 * k, 80.0)} for k in range(30)])
        assert Mortal.dead
        assert set(Mortal.dead) <= set(Mortal.closed)
    assert all(len(here) == 1 for here in found[4:])


def test_people_are_found_where_a_detector_says_and_nowhere_else() -> None:
    def detector(rgb: np.ndarray) -> list[np.ndarray]:
        return [np.array([385.0, 80, 415, 180])]

    scenes = [{1: (60.0 + 4 * k, 80.0)} | ({2: (400.0, 80.0)} if k >= 12 else {}) for k in range(40)]
    with FollowingPose(PoseSettings(search_seconds=0.4), Reader, detector) as pose:
        found = run(pose, scenes)
    assert all(here == [] for here in found[:12])
    assert all(here == [400] for here in found[23:])


def test_what_is_seen_once_is_not_reported(pose: FollowingPose) -> None:
    scenes: list[dict[int, tuple[float, float]]] = [{}] * 20
    scenes[10] = {1: (200, 80)}
    assert run(pose, scenes) == [[]] * 20


@pytest.mark.parametrize(("below", "opened"), [(TALL + 20, 2), (0, 1)])
def test_small_people_alone_have_a_second_landmarker_for_the_mirror(
    below: float, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reader.made = 0
    monkeypatch.setattr("pipeline.landmarker.Landmarker", lambda model, min_confidence: Reader())
    with MediaPipePose(PoseSettings(both_sides_below=below, max_people=1), model_path=Path("none")) as pose:
        assert run(pose, [{1: (200, 80)}] * 12)[-1] == [200]
    assert Reader.made == opened


MODEL = cache_dir() / "models" / "pose_landmarker_full.task"
WALK = Path(os.environ.get("REID_DATA", Path(__file__).parents[2] / "../shared/data")) / "clips" / "hall_blue_1.mp4"


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache: reid models pull")
def test_mediapipe_finds_nobody_in_a_wall_and_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with MediaPipePose(model_path=MODEL) as pose:
        assert [pose(Frame(ground(), k / 25, k)) for k in range(3)] == [[]] * 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache: reid models pull")
@pytest.mark.skipif(not WALK.exists(), reason="no footage of a walker: set REID_DATA")
def test_mediapipe_follows_a_walker(capfd: pytest.CaptureFixture[str]) -> None:
    from pipeline.video import open_video

    with open_video(WALK, VideoSettings(stride=1)) as video:
        frames = [frame for frame in video if frame.index < 50]
    with MediaPipePose(model_path=MODEL) as pose:
        people = [pose(frame) for frame in frames]
        again = [pose(frame) for frame in frames]
    assert [len(here) for here in again] == [len(here) for here in people]
    np.testing.assert_allclose(again[-1][0].image, people[-1][0].image, atol=2.0)
    late = people[20:]
    assert sum(len(here) == 1 for here in late) >= 28
    person = late[-1][0]
    assert person.image.shape == (33, 2)
    assert person.world.shape == (33, 3)
    assert 0.5 < person.visibility.mean() <= 1
    assert 0.3 < np.linalg.norm(person.world[11:13].mean(axis=0) - person.world[23:25].mean(axis=0)) < 0.7
    assert capfd.readouterr().err == ""
