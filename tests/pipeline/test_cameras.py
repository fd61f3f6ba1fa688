"""A camera's file: what is in it, who can read it, and what is no such file."""

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import ShoulderEncoder

from pipeline.cameras import FEWEST, Camera, check_out, load_camera, people_among
from pipeline.errors import CameraError, UserError
from smsge.centring import centre_of


def vectors(count: int, seed: int = 0) -> np.ndarray:
    """Unit vectors that have much in common."""
    found = np.random.default_rng(seed).normal(size=(count, ShoulderEncoder.dim)) + 2 * np.eye(ShoulderEncoder.dim)[0]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def camera() -> Camera:
    return Camera.of(vectors(30), 12, ShoulderEncoder())


@pytest.fixture
def path(camera: Camera, tmp_path: Path) -> Path:
    return camera.save(tmp_path / "hall.json")


def test_its_centre_is_that_of_a_gallery_of_so_many_people(camera: Camera) -> None:
    assert (camera.tracks, camera.clips, camera.people, camera.encoder) == (30, 12, 30, "shoulders")
    assert camera.centre == pytest.approx(centre_of(vectors(30), np.arange(30)), abs=1e-6)
    others = vectors(4000, seed=1)
    assert camera.alike == pytest.approx((others[:2000] * others[2000:]).sum(1).mean(), abs=0.05)
    assert camera.common == (30, camera.alike)


def test_whoever_passes_often_counts_once() -> None:
    many = vectors(30)
    often = many[3] + 0.05 * np.random.default_rng(2).normal(size=(25, ShoulderEncoder.dim))
    often /= np.linalg.norm(often, axis=1, keepdims=True)
    both = np.concatenate([many, often])
    whose = people_among(both, ShoulderEncoder.threshold)
    assert set(whose[30:]) == {whose[3]}
    assert len(set(whose)) == 30
    camera, without = Camera.of(both, 12, ShoulderEncoder()), Camera.of(many, 12, ShoulderEncoder())
    assert (camera.tracks, camera.people) == (55, 30)
    assert camera.centre == pytest.approx(without.centre, abs=0.01)
    assert np.linalg.norm(both.mean(axis=0) - many.mean(axis=0)) > 0.2
    assert camera.alike == pytest.approx(without.alike, abs=0.01)


def test_strangers_who_have_much_in_common_are_not_one_person() -> None:
    own = np.random.default_rng(0).normal(size=(40, 200))
    shared = np.sqrt(0.7) * np.eye(200)[0] + np.sqrt(0.3) * own / np.linalg.norm(own, axis=1, keepdims=True)
    shared /= np.linalg.norm(shared, axis=1, keepdims=True)
    assert len(set(people_among(shared, 0.5))) == 40
    assert len(set(people_among(np.repeat(shared[:1], 9, axis=0), 0.5))) == 1
    nobody_else = Camera.of(np.repeat(vectors(1), 9, axis=0), 1, ShoulderEncoder())
    assert (nobody_else.people, nobody_else.alike) == (1, 1.0)


def test_it_survives_its_file_which_is_its_owners_alone(camera: Camera, path: Path) -> None:
    again = load_camera(path, ShoulderEncoder())
    assert again == camera
    assert again.digest == camera.digest
    assert Camera.of(vectors(30, seed=1), 12, ShoulderEncoder()).digest != camera.digest
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == camera.json()
    with pytest.raises(UserError, match="cannot write"):
        camera.save(path / "below.json")


def test_another_encoders_is_refused(path: Path) -> None:
    class Other(ShoulderEncoder):
        fingerprint = "0" * 64
        name = "other"

    class Wider(ShoulderEncoder):
        dim = 9

    with pytest.raises(CameraError, match=r"hall\.json was learned by the encoder shoulders, not by other: learn"):
        load_camera(path, Other())
    with pytest.raises(CameraError, match=r"has 8 numbers, the encoder gives 9"):
        load_camera(path, Wider())


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [2.0] + [0.0] * 7},
        {"mean": [0.9, 0.9] + [0.0] * 6},
        {"mean": [float("nan")] + [0.0] * 7},
        {"mean": ["0.5"] + [0.0] * 7},
        {"mean": []},
        {"mean": 0.5},
        {"mean": [0.0] * 5000},
        {"tracks": FEWEST - 1},
        {"tracks": 30.5},
        {"tracks": True},
        {"tracks": 10**400},
        {"clips": 0},
        {"people": 0},
        {"people": 2.5},
        {"alike": 1.5},
        {"alike": None},
        {"encoder": "x" * 1000},
        {"encoder": 3},
        {"fingerprint": None},
    ],
    ids=str,
)
def test_what_is_no_camera_is_refused(change: dict[str, Any], camera: Camera, tmp_path: Path) -> None:
    path = tmp_path / "forged.json"
    path.write_text(json.dumps({**camera.json(), **change}))
    with pytest.raises(CameraError, match=r"forged\.json is no camera's file .*reid camera") as refusal:
        load_camera(path, ShoulderEncoder())
    assert "\n" not in str(refusal.value)
    missing = {key: value for key, value in camera.json().items() if key not in change}
    path.write_text(json.dumps(missing))
    with pytest.raises(CameraError, match="no camera's file"):
        load_camera(path, ShoulderEncoder())


@pytest.mark.parametrize("content", [b"", b"hall", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (1 << 20)], ids=len)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"other\.json is no camera's file"):
        load_camera(path, ShoulderEncoder())
    for missing in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(CameraError, match="cannot be read"):
            load_camera(missing, ShoulderEncoder())


def test_where_it_may_be_written_is_told_before_the_work(path: Path, tmp_path: Path) -> None:
    assert check_out(tmp_path / "new.json") == tmp_path / "new.json"
    assert check_out(path, overwrite=True) == path
    for wrong, why in (
        (path, "exists already"),
        (tmp_path / "clip.mp4", r"must end in \.json"),
        (tmp_path / "none" / "a.json", "not a folder"),
    ):
        with pytest.raises(CameraError, match=why):
            check_out(wrong)
