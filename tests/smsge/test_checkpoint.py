"""Encoders on disk: the way there and back, and every way a file can be wrong."""

import json

import pytest
import safetensors.torch
import torch

from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError

CONFIG = EncoderConfig(layout="kinect20", frames=5, hidden=8, heads=2, width=4, scales=("J", "P"), fusion=0.5)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return SMSGE(CONFIG)


@pytest.fixture
def path(tmp_path, model):
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, model, {"mean": torch.arange(4.0)}, {"fps": 15.0, "note": "märz"})
    return path


def _rewrite(path, tensors=None, **header):
    """The file again, with some of its tensors (None: left out) and header entries replaced."""
    with safetensors.safe_open(path, framework="pt") as file:
        old = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        entries = file.metadata() | header
    kept = {name: value for name, value in (old | (tensors or {})).items() if value is not None}
    path.write_bytes(safetensors.torch.save(kept, entries))


def test_there_and_back(path, model):
    seed = torch.random.get_rng_state()
    loaded = load_checkpoint(path)
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert loaded.model.config == CONFIG
    assert not loaded.model.training
    assert loaded.metadata == {"fps": 15.0, "note": "märz"}
    assert torch.equal(loaded.tensors["mean"], torch.arange(4.0))
    x = torch.randn(2, 5, 20, 3)
    assert torch.equal(loaded.model(x), model(x))


def test_half_precision_comes_back_as_float32(tmp_path, path, model):
    half = tmp_path / "half.safetensors"
    fingerprint = save_checkpoint(half, model, {"mean": torch.arange(4.0)}, {"fps": 15.0}, half=True)
    loaded = load_checkpoint(half)
    assert half.stat().st_size < 0.75 * path.stat().st_size
    assert loaded.fingerprint == fingerprint
    assert {value.dtype for value in loaded.model.state_dict().values()} == {torch.float32}
    x = torch.randn(2, 5, 20, 3)
    torch.testing.assert_close(loaded.model(x), model(x), rtol=1e-2, atol=1e-2)


def test_the_fingerprint_covers_what_changes_an_embedding(tmp_path, model):
    def of(tensors=None, metadata=None):
        return save_checkpoint(tmp_path / "other", model, tensors, metadata)

    first = of({"mean": torch.zeros(2)}, {"canonical": 1, "threshold": 0.5})
    assert load_checkpoint(tmp_path / "other").fingerprint == first
    assert of({"mean": torch.zeros(2)}, {"canonical": 1, "threshold": 0.6}) == first
    assert of({"mean": torch.ones(2)}, {"canonical": 1}) != first
    assert of({"mean": torch.zeros(2)}, {"canonical": 2}) != first
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3
    assert of({"mean": torch.zeros(2)}, {"canonical": 1}) != first


def test_a_failed_write_leaves_the_old_file_alone(path, model, monkeypatch):
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(path, model)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_what_is_not_finite_is_not_written(tmp_path, model):
    with torch.no_grad():
        model.fusion.mix["JJ"][0, 0] = 1e6
    save_checkpoint(tmp_path / "float32", model)
    with pytest.raises(CheckpointError, match=r"fusion\.mix\.JJ has values that are not numbers"):
        save_checkpoint(tmp_path / "float16", model, half=True)
    assert not (tmp_path / "float16").exists()


SETTINGS = {"layout": "kinect20", "frames": 5, "hidden": 8, "heads": 2, "width": 4, "scales": ["J", "P"], "fusion": 0.5}
DAMAGES = {
    "another program's": ({"format": "pt"}, "not an encoder"),
    "a later version": ({"version": "2"}, "version 2"),
    "broken JSON": ({"config": "{"}, "header cannot be used"),
    "unknown setting": ({"config": json.dumps(SETTINGS | {"colour": 1})}, "colour"),
    "impossible setting": ({"config": json.dumps(SETTINGS | {"width": 0})}, "width: must be"),
    "metadata of the wrong kind": ({"metadata": "[]"}, "not an object"),
    "another layout's": ({"config": json.dumps(SETTINGS | {"layout": "casia14"})}, "weight_ih_l0 is"),
    "missing tensor": ({"tensors": {"encoder.fusion.mix.JP": None}}, r"fusion\.mix\.JP is missing"),
    "unknown tensor": ({"tensors": {"encoder.more": torch.zeros(1)}}, "more has no place"),
    "misshaped tensor": ({"tensors": {"encoder.fusion.mix.JP": torch.zeros(4, 5)}}, r"JP is \[4, 5\] where"),
    "not a number": ({"tensors": {"extra.mean": torch.tensor([float("nan")])}}, "mean has values that are not numbers"),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told_in_one_line(path, damage, says):
    _rewrite(path, **damage)
    with pytest.raises(CheckpointError, match=says) as told:
        load_checkpoint(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_cut_off_files(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged, or not a safetensors file"):
        load_checkpoint(path)


def test_no_such_file(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "nothing.safetensors")
