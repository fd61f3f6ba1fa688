"""Cameras that nobody meant well: they are used within bounds, or one line names the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import damaged, nothing_outside, outcome, plain
from hypothesis import given
from hypothesis import strategies as st
from scripted import ShoulderEncoder
from test_cameras import vectors

from pipeline.cameras import Camera, load_camera
from pipeline.errors import CameraError

KEYS = ("encoder", "fingerprint", "clips", "tracks", "people", "alike", "mean", "more")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Camera.of(vectors(20), 9, ShoulderEncoder()).save(tmp_path_factory.mktemp("cameras") / "sound.json")


def read(path: Path) -> None:
    with nothing_outside(path.parent):
        camera = outcome(lambda: load_camera(path, ShoulderEncoder()), CameraError)
    if camera is not None:
        assert camera.centre.shape == (ShoulderEncoder.dim,)
        assert np.linalg.norm(camera.centre) <= 1.001
        assert 0 <= camera.common.share(0.5) <= 1
        assert 0 < camera.common.left < 1


@given(data=st.data())
def test_any_damage_is_told(sound: Path, data: st.DataObject) -> None:
    path = sound.with_name("damaged.json")
    path.write_bytes(data.draw(damaged(sound.read_bytes())))
    read(path)


@given(key=st.sampled_from(KEYS), value=plain)
def test_any_value_is_used_or_refused(sound: Path, key: str, value: Any) -> None:
    path = sound.with_name("value.json")
    path.write_text(json.dumps({**json.loads(sound.read_text()), key: value}))
    read(path)


def test_a_name_cannot_command_the_terminal(sound: Path) -> None:
    path = sound.with_name("name.json")
    path.write_text(json.dumps({**json.loads(sound.read_text()), "encoder": "\x1b[2J\n", "fingerprint": "another"}))
    with pytest.raises(CameraError):
        load_camera(path, ShoulderEncoder())
    read(path)


@given(st.lists(st.floats(), min_size=ShoulderEncoder.dim, max_size=ShoulderEncoder.dim))
def test_any_mean_is_used_or_refused(sound: Path, mean: list[float]) -> None:
    path = sound.with_name("mean.json")
    path.write_text(json.dumps({**json.loads(sound.read_text()), "mean": mean}))
    read(path)
