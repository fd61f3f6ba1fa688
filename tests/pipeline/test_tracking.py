"""People keep their numbers: through crossings, drop-outs, odd frame rates and double detections."""

import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from stick_people import Stick, picture

from pipeline.settings import TrackingSettings
from pipeline.tracking import Tracker, _frames_shared, _Track
from pipeline.values import Person, PoseTrack

RIGHT, LEFT = np.pi / 2, -np.pi / 2
TALL, SMALL = Stick(1.03, 0.9, shoulders=0.42), Stick(0.95, 1.05, shoulders=0.34)
RED, BLUE = (200, 40, 40), (40, 40, 200)


def jitter(person: Person, rng: np.random.Generator, pixels: float = 1.5) -> Person:
    image = (person.image + rng.normal(scale=pixels, size=person.image.shape)).astype(np.float32)
    world = (person.world + rng.normal(scale=0.02, size=person.world.shape)).astype(np.float32)
    return Person(np.concatenate([image.min(0), image.max(0)]), image, world, person.visibility)


def crossing(time: float, speed: float = 80.0) -> list[Person]:
    """TALL from the left and SMALL from the right; they meet at 3 s in the middle of the picture."""
    return [
        TALL.person(time, RIGHT, (320 + speed * (time - 3), 240)),
        SMALL.person(time, LEFT, (320 - speed * (time - 3), 243)),
    ]


def run(
    scene: Callable[[float], list[Person]],
    times: np.ndarray,
    hidden: Callable[[float, int, float], bool] = lambda time, who, apart: False,
    seed: int = 0,
    colours: tuple[tuple[int, int, int], ...] | None = None,
) -> tuple[list[PoseTrack], list[set[int]]]:
    """Track `scene` with noise, without pictures where there are no `colours`; also give which of the true people each
    track holds."""
    rng = np.random.default_rng(seed)
    tracker = Tracker(TrackingSettings())
    truth: dict[tuple[int, float], int] = {}
    for index, time in enumerate(times):
        people = scene(float(time))
        apart = abs(people[0].box[0] - people[-1].box[0]) / 100
        frame = (
            picture(float(time), index, list(zip(people, colours, strict=True)))
            if colours
            else SimpleNamespace(time=float(time), index=index)
        )
        seen = [(who, jitter(p, rng)) for who, p in enumerate(people) if not hidden(float(time), who, apart)]
        rng.shuffle(seen)  # type: ignore[arg-type]
        tracker.update(frame, [person for _, person in seen])
        truth.update({(index, float(person.box[0])): who for who, person in seen})
    tracks = tracker.finish((640, 480), "scene.mp4")
    owners = [
        {truth[int(f), float(x)] for f, x in zip(track.frames, track.boxes[:, 0], strict=True)} for track in tracks
    ]
    return tracks, owners


def test_where_a_pose_lay_on_somebody_else_for_a_moment_nothing_was_seen() -> None:
    def scene(time: float) -> list[Person]:
        return [TALL.person(time, RIGHT, (100 + 60 * time + (30 if 2.0 <= time < 2.1 else 0), 240))]

    tracks, _ = run(scene, np.arange(0, 4, 1 / 20))
    (track,) = tracks
    assert len(track) == 78
    assert not ((track.times >= 2.0) & (track.times < 2.1)).any()


def test_two_who_came_out_of_an_encounter_as_each_other_are_exchanged() -> None:
    rng, tracker = np.random.default_rng(0), Tracker(TrackingSettings())
    for index, time in enumerate(np.arange(0, 6, 1 / 15)):
        tracker.update(
            SimpleNamespace(time=float(time), index=index), [jitter(one, rng) for one in crossing(float(time))]
        )
    one, other = tracker._live
    one.rows, other.rows = one.rows.then(other.rows, 3.0), other.rows.then(one.rows, 3.0)  # as if it had mixed them up
    tracks = tracker.finish((640, 480), "scene.mp4")
    assert sorted(round(track.boxes[-1, 0] - track.boxes[0, 0], -2) for track in tracks) == [-500, 500]


@pytest.mark.parametrize(("fps", "seed"), [(10, 0), (10, 1), (15, 2), (30, 3), (60, 4)])
def test_two_people_crossing_keep_their_numbers(fps: int, seed: int) -> None:
    tracks, owners = run(crossing, np.arange(1, 5, 1 / fps), seed=seed)
    assert sorted(owners, key=min) == [{0}, {1}]
    assert all(len(track) > 3.4 * fps for track in tracks)


@pytest.mark.parametrize("fps", [10, 25])
@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_drop_outs_at_the_crossing(fps: int, lost: tuple[int, ...], seed: int) -> None:
    tracks, owners = run(crossing, np.arange(1, 5, 1 / fps), lambda time, who, apart: who in lost and apart < 0.3, seed)
    assert sorted(owners, key=min) == [{0}, {1}]
    assert [track.id for track in tracks] == [1, 2]


def test_random_drop_outs_and_uneven_frames() -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.01, 0.09, 120))
    tracks, owners = run(crossing, times, lambda *_: bool(rng.random() < 0.2))
    assert sorted(owners, key=min) == [{0}, {1}]
    for track in tracks:
        np.testing.assert_allclose(track.times, times[track.frames])


@pytest.mark.parametrize("seed", [0, 1])
def test_people_who_meet_and_turn_back_keep_their_numbers_by_their_clothes(seed: int) -> None:
    def meeting(time: float) -> list[Person]:
        turned = time > 3
        away = 80 * abs(time - 3) + 15
        return [
            TALL.person(time, LEFT if turned else RIGHT, (320 - away, 240)),
            SMALL.person(time, RIGHT if turned else LEFT, (320 + away, 240)),
        ]

    _, owners = run(
        meeting, np.arange(1, 5, 0.04), lambda time, who, apart: abs(time - 3) < 0.3, seed, colours=(RED, BLUE)
    )
    assert sorted(owners, key=min) == [{0}, {1}]


def test_an_id_survives_an_occlusion_up_to_the_limit_and_no_longer() -> None:
    def one(time: float) -> list[Person]:
        return [TALL.person(time, RIGHT, (100 + 80 * time, 240))]

    times = np.arange(0, 5, 0.04)
    assert len(run(one, times, lambda time, who, apart: 2 < time < 2.8)[0]) == 1
    assert len(run(one, times, lambda time, who, apart: 2 < time < 3.2)[0]) == 2


def test_a_second_detection_of_one_body_makes_no_ghost() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker(TrackingSettings())
    for index in range(75):
        true = TALL.person(index / 25, RIGHT, (100 + 3 * index, 240))
        people = [jitter(true, rng), replace(jitter(true, rng, 3), visibility=true.visibility * 0.9)]
        owners = tracker.update(picture(index / 25, index), people[:: 1 if index % 2 else -1])
        assert sorted(owners) == [0, 1]
    tracks = tracker.finish((640, 480), "x")
    assert [len(track) for track in tracks] == [75]


def test_blips_and_doubtful_sightings_never_become_people() -> None:
    tracker = Tracker(TrackingSettings())
    for index in range(60):
        people = [TALL.person(index / 25, RIGHT, (100 + 3 * index, 240))]
        if 20 <= index < 24:
            people.append(SMALL.person(0, LEFT, (500, 200)))
        people.append(SMALL.person(0, LEFT, (400, 60), visible=0.3))
        tracker.update(picture(index / 25, index), people)
    assert len(tracker.finish((640, 480), "x")) == 1


def test_doubtful_sightings_prolong_a_track() -> None:
    tracker = Tracker(TrackingSettings())
    for index in range(60):
        visible = 0.3 if 20 <= index < 50 else 0.9
        tracker.update(
            picture(index / 25, index), [TALL.person(index / 25, RIGHT, (100 + 3 * index, 240), visible=visible)]
        )
    assert [len(track) for track in tracker.finish((640, 480), "x")] == [60]


def test_a_frame_out_of_order_is_passed_over() -> None:
    tracker = Tracker(TrackingSettings())
    for index, time in enumerate([0.0, 0.04, 0.04, 0.02, 0.08, 0.12, 0.16]):
        tracker.update(picture(time, index), [TALL.person(time, RIGHT, (100, 240))])
    (track,) = tracker.finish((640, 480), "x")
    np.testing.assert_array_equal(track.frames, [0, 1, 4, 5, 6])
    assert (np.diff(track.times) > 0).all()


def test_tracks_are_numbered_by_first_appearance_and_typed() -> None:
    tracker = Tracker(TrackingSettings())
    for index in range(100):
        people = [TALL.person(index / 25, RIGHT, (100, 240))] if index < 20 else []
        if index > 50:
            people = [SMALL.person(index / 25, LEFT, (400, 240))]
        tracker.update(picture(index / 25, index), people)
    tracks = tracker.finish((640, 480), "clip.mp4")
    assert [(track.id, len(track), track.source) for track in tracks] == [(1, 20, "clip.mp4"), (2, 49, "clip.mp4")]
    for track in tracks:
        assert track.times.dtype == np.float64
        assert track.frames.dtype == np.int64
        assert track.boxes.dtype == track.image.dtype == track.world.dtype == track.visibility.dtype == np.float32
        assert track.world.shape == (len(track), 33, 3)
    assert tracker.finish((640, 480), "clip.mp4") == []


def test_tracks_of_different_times_are_never_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def shared(track: _Track, longer: _Track) -> int:
        compared.append((track.number, longer.number))
        return _frames_shared(track, longer)

    monkeypatch.setattr(sys.modules["pipeline.tracking"], "_frames_shared", shared)
    tracker = Tracker(TrackingSettings())
    for index in range(200):
        people = [TALL.person(index / 25, RIGHT, (100, 240))]
        if index % 50 < 10:
            people.append(SMALL.person(index / 25, LEFT, (400, 240)))
        tracker.update(picture(index / 25, index), people)
    tracks = tracker.finish((640, 480), "x")
    assert len(tracks) == 2  # who comes and goes is one in the end
    assert compared == [(number, 1) for number in (2, 3, 4, 5)]


def leaves_and_returns(colours: tuple[tuple[int, int, int], tuple[int, int, int]]) -> list[PoseTrack]:
    """Somebody who goes out to the right and is back after three seconds, in the second of the `colours`."""
    tracker = Tracker(TrackingSettings())
    for index, time in enumerate(np.arange(0, 9, 0.1)):
        if 3 < time < 6:
            tracker.update(picture(float(time), index, []), [])
            continue
        x, heading, colour = (360 + 80 * time, RIGHT, 0) if time <= 3 else (600 - 80 * (time - 6), LEFT, 1)
        person = TALL.person(float(time), heading, (x, 240))
        tracker.update(picture(float(time), index, [(person, colours[colour])]), [person])
    return tracker.finish((640, 480), "scene.mp4")


def test_who_goes_and_comes_back_in_the_same_clothes_is_one_track() -> None:
    (track,) = leaves_and_returns((RED, RED))
    assert track.start == 0
    assert track.end == pytest.approx(8.9)
    assert np.diff(track.times).max() == pytest.approx(3.0, abs=0.15)


def test_somebody_else_who_comes_from_there_is_another_track() -> None:
    assert [track.id for track in leaves_and_returns((RED, BLUE))] == [1, 2]
