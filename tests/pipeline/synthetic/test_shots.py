"""Shots on disk: filmed, spoiled and posed; a second run keeps what is there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stick_pose import Brief, StickPose, without_a_model

from pipeline.errors import DatasetError, UserError
from pipeline.places import cache_dir
from pipeline.settings import Settings
from pipeline.skeletons import load_skeletons
from pipeline.synthetic.driven import Recorded
from pipeline.synthetic.estimator import facing, ray_axes
from pipeline.synthetic.scene import Scene, truth
from pipeline.synthetic.shots import (
    CAMERAS,
    RATE,
    Drawn,
    Passes,
    Room,
    Rounds,
    Spoil,
    Walked,
    draw_spoil,
    main,
    make_shots,
    shoot,
)
from pipeline.synthetic.skeleton_file import write_skeletons

MODEL = cache_dir() / "models" / "pose_landmarker_full.task"
PLAIN = Spoil(grey=False, blur=0.0, quality=95, contrast=1.0, shift=0.0)


@pytest.fixture
def posed(monkeypatch: pytest.MonkeyPatch) -> StickPose:
    return without_a_model(monkeypatch)


def picture() -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.kron(generator.integers(60, 200, (8, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def test_a_good_camera_keeps_the_picture() -> None:
    rgb = picture()
    kept = PLAIN(rgb)
    assert (kept.shape, kept.dtype) == (rgb.shape, np.uint8)
    assert np.abs(kept.astype(int) - rgb).mean() < 12
    channels = [np.corrcoef(kept[..., c].ravel(), rgb[..., c].ravel())[0, 1] for c in range(3)]
    assert min(channels) > 0.9  # red stays red


def test_what_a_camera_does_to_a_picture() -> None:
    rgb = picture()
    grey = replace(PLAIN, grey=True)(rgb)
    assert np.ptp(grey.astype(int), axis=2).max() <= 2
    assert np.abs(np.diff(replace(PLAIN, blur=2.0)(rgb).astype(int), axis=1)).max() < 60
    assert replace(PLAIN, shift=30.0)(rgb).mean() == pytest.approx(rgb.mean() + 30, abs=3)
    flat = replace(PLAIN, contrast=0.5)(rgb)
    assert flat.std() == pytest.approx(0.5 * rgb.std(), rel=0.15)
    assert flat.mean() == pytest.approx(128 + 0.5 * (rgb.mean() - 128), abs=3)
    poor = np.abs(replace(PLAIN, quality=5)(rgb).astype(int) - rgb).mean()
    assert poor > np.abs(PLAIN(rgb).astype(int) - rgb).mean()


def test_cameras_are_good_and_poor() -> None:
    generator = np.random.default_rng(0)
    drawn = [draw_spoil(generator) for _ in range(300)]
    assert 0.2 < np.mean([one.grey for one in drawn]) < 0.4
    assert min(one.quality for one in drawn) < 35 < 90 < max(one.quality for one in drawn)
    assert min(one.blur for one in drawn) == 0.0
    assert 1.0 < max(one.blur for one in drawn) < 3.0
    assert all(0.55 <= one.contrast <= 1.3 for one in drawn)


def actor_of(scene: Scene) -> Recorded:
    (actor,) = scene.walkers
    assert isinstance(actor, Recorded)
    return actor


def test_the_cameras_of_a_room_see_one_walk_a_day_from_all_around() -> None:
    cast = Room(4)
    first, second = ([cast(1, CAMERAS * day + camera + 1)[0] for camera in range(CAMERAS)] for day in (0, 1))
    for day in (first, second):
        walks = [truth(replace(scene, seconds=0.2)).world for scene in day]
        for walk in walks:
            np.testing.assert_array_equal(walk, walks[0])
    assert (truth(first[0]).world != truth(second[0]).world).any()
    other = [cast(2, camera + 1)[0] for camera in range(CAMERAS)]
    places = [[(one.camera.azimuth, one.camera.height) for one in day] for day in (first, second, other)]
    assert places[0] == places[1] == places[2]
    azimuths = np.sort([scene.camera.azimuth for scene in first])
    assert np.diff(azimuths).min() > np.pi / 6


def test_drawn_people_stay_who_they_are_from_day_to_day() -> None:
    cast = Drawn(4)
    scene = cast(1, 1)[0]
    one, two, other = actor_of(scene), actor_of(cast(1, 2)[0]), actor_of(cast(2, 1)[0])
    assert 2.6 <= scene.seconds <= 5.0
    assert one.recording.times[-1] == pytest.approx(scene.seconds, abs=1.5 / RATE)
    assert one.body.thigh == two.body.thigh != other.body.thigh
    assert one.looks == two.looks != other.looks
    assert one.clothes != two.clothes
    again, spoil = cast(1, 1)
    assert (again.camera, spoil) == (scene.camera, cast(1, 1)[1])
    np.testing.assert_array_equal(actor_of(again).recording.joints["head"], one.recording.joints["head"])
    assert actor_of(Drawn(5)(1, 1)[0]).body != one.body


def test_rounds_show_every_side_of_the_same_people() -> None:
    scene, spoil = Rounds(4)(1, 1)
    assert scene.walkers[0].body.thigh == actor_of(Drawn(4)(1, 1)[0]).body.thigh
    assert not spoil.grey
    known = truth(scene)
    angle = facing(ray_axes(known.camera[0, :, :14], scene.camera.rotation[:, 1])[0], scene.fps)
    quarters = np.unique((np.degrees(angle) % 360) // 90)
    assert len(quarters) == 4


def test_passes_are_small_grey_and_seen_from_the_side() -> None:
    for person in range(1, 7):
        scene, spoil = Passes(4)(person, 1)
        assert scene.walkers[0].body.thigh == actor_of(Drawn(4)(person, 1)[0]).body.thigh
        assert spoil.grey
        known = truth(scene)
        tall = np.ptp(known.pixels[0, :, :14, 1], axis=1)
        assert 35 < tall.min() < tall.max() < 100
        angle = facing(ray_axes(known.camera[0, :, :14], scene.camera.rotation[:, 1])[0], scene.fps)
        assert np.abs(np.sin(angle)).mean() > 0.6


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("kgbd") / "walkers.npz"
    write_skeletons(path, 3, 2, seed=1, seconds=5.0)
    return str(path)


def test_recorded_people_are_called_by_their_numbers_and_go_round_their_walks(recorded: str) -> None:
    cast = Walked(7, recorded, (2, 3))
    scenes = [cast(1, shot)[0] for shot in (1, 2, 3)]
    one, two, third = map(actor_of, scenes)
    assert 2.4 - 1 / 30 <= scenes[0].seconds <= 4.5 + 1 / 30
    assert len(one.recording.times) == round(30 * scenes[0].seconds)
    assert one.body == two.body == third.body
    assert one.looks == two.looks
    assert (one.heading, one.clothes) != (two.heading, two.clothes)
    other = actor_of(cast(2, 1)[0])
    assert other.body != one.body
    assert other.body == actor_of(Walked(7, recorded, (3,))(1, 1)[0]).body
    with pytest.raises(DatasetError, match="no walks found"):
        Walked(7, recorded, (9,))(1, 1)


@pytest.mark.parametrize("seed", range(6))
def test_a_shot_is_in_the_picture_and_of_the_sizes_of_bad_cameras(seed: int) -> None:
    scene, spoil = Drawn(seed)(1, 1)
    camera = scene.camera
    assert camera.width % 2 == camera.height_px % 2 == 0
    assert camera.width >= 240
    assert camera.height_px >= 180
    assert 0.8 <= camera.height <= 4.5
    assert scene.fps in (15.0, 25.0)
    assert 0.5 <= scene.grain <= 5.0
    assert isinstance(spoil, Spoil)
    known = truth(scene)
    assert (known.pixels >= 0).all()
    assert (known.pixels <= (camera.width, camera.height_px)).all()
    tall = np.median(np.ptp(known.pixels[0, :, :, 1], axis=1))
    assert 20 < tall < 230


def test_a_shot_is_posed_as_the_camera_kept_it() -> None:
    pose = StickPose()
    extraction, scene = shoot(Brief(1), 2, 3, pose, Settings())
    assert [frame.index for frame in pose.shown] == list(range(len(scene.times)))
    assert [frame.time for frame in pose.shown] == pytest.approx(scene.times.tolist())
    assert {frame.rgb.shape for frame in pose.shown} == {(scene.camera.height_px, scene.camera.width, 3)}
    assert (extraction.source, extraction.frames, extraction.fps) == ("shot_3", len(scene.times), scene.fps)
    assert extraction.frame_size == (scene.camera.width, scene.camera.height_px)
    others = [shoot(cast, *who, StickPose(), Settings())[0] for cast, who in ((Brief(1), (2, 4)), (Brief(2), (2, 3)))]
    assert len({extraction.content, *(one.content for one in others)}) == 3


def test_every_shot_is_a_file_of_skeletons_and_one_of_the_truth(tmp_path: Path, posed: StickPose) -> None:
    told: list[float] = []
    cast = Drawn(3)
    count = make_shots(tmp_path, cast, ["ann", "bob"], [1, 2], progress=lambda _, done, __: told.append(done))
    assert count == 4
    assert told == [0, 1, 2, 3, 4]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.npz")) == [
        f"{kind}/{who}/shot_{shot}.npz" for kind in ("people", "truth") for who in ("ann", "bob") for shot in (1, 2)
    ]
    scene, _ = cast(2, 1)
    with np.load(tmp_path / "truth/bob/shot_1.npz", allow_pickle=False) as known:
        np.testing.assert_allclose(known["camera"], truth(scene).camera[0], atol=1e-4)
        np.testing.assert_allclose(known["up"], scene.camera.rotation[:, 1])
        np.testing.assert_array_equal(known["times"], scene.times)
    (track,) = load_skeletons(tmp_path / "people/bob/shot_1.npz").tracks
    assert len(track) > 10


def test_a_second_run_keeps_what_is_there(tmp_path: Path, posed: StickPose) -> None:
    make_shots(tmp_path, Brief(3), ["ann", "bob"], [1])
    kept = tmp_path / "people/ann/shot_1.npz"
    (tmp_path / "people/bob/shot_1.npz").unlink()  # as if the run had been stopped there
    before, asked = kept.read_bytes(), len(posed.shown)
    told: list[float] = []
    assert make_shots(tmp_path, Brief(3), ["ann", "bob"], [1, 2], progress=lambda _, done, __: told.append(done)) == 4
    assert told == [1, 2, 3, 4]
    assert kept.read_bytes() == before
    assert len(posed.shown) > asked
    again = len(posed.shown)
    assert make_shots(tmp_path, Brief(3), ["ann", "bob"], [1, 2]) == 4
    assert len(posed.shown) == again


def test_a_person_is_the_same_whoever_else_is_filmed(tmp_path: Path, posed: StickPose) -> None:
    make_shots(tmp_path / "few", Brief(3), ["ann"], [1])
    make_shots(tmp_path / "more", Brief(3), ["ann", "bob"], [2, 1])
    few, more = (np.load(tmp_path / name / "truth/ann/shot_1.npz")["camera"] for name in ("few", "more"))
    np.testing.assert_array_equal(few, more)


@pytest.mark.parametrize(("names", "shots", "workers"), [([], [1], 1), (["ann"], [], 1), (["ann"], [1], 0)])
def test_impossible_numbers_are_refused_in_one_line(
    tmp_path: Path, names: list[str], shots: list[int], workers: int
) -> None:
    with pytest.raises(UserError, match="nothing to film") as caught:
        make_shots(tmp_path, Brief(3), names, shots, workers=workers)
    assert "\n" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path, posed: StickPose) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot write") as caught:
        make_shots(tmp_path / "file", Brief(3), ["ann"], [1])
    assert "\n" not in str(caught.value)


def test_the_command_line_films_and_refuses_in_one_line(
    tmp_path: Path, posed: StickPose, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--people", "2", "--shots", "1", "--name", "who"]) == 0
    assert capsys.readouterr().out == f"2 shots in {tmp_path}\n"
    assert (tmp_path / "people/who_0002/shot_1.npz").exists()
    assert main([str(tmp_path), "--people", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache: reid models pull")
def test_workers_film_and_go_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert make_shots(tmp_path, Brief(3), ["ann", "bob"], [1], workers=2) == 2
    assert len(list(tmp_path.glob("people/*/shot_1.npz"))) == 2
    assert capfd.readouterr().err == ""
