"""The one `fit`, on a model of a few hundred numbers; and the real one, for a handful of steps."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from walking_figure import turned, walk

from smsge.checkpoint import load_checkpoint
from smsge.clips import Clips
from smsge.config import EncoderConfig, TrainConfig, parse_people
from smsge.errors import CheckpointError, ConfigError, DatasetError
from smsge.layouts import CASIA14, KINECT20
from smsge.sequence import SkeletonSequence
from smsge.training import batch_at, fit, rate_at, train_from_config


class KilledError(Exception):
    """Stands for the end of the process between two steps."""


def killer(at: int):  # type: ignore[no-untyped-def]
    def progress(what: str, done: float, total: float | None) -> None:
        if what == "training" and done == at:
            raise KilledError

    return progress


def settings(out: Path, **changes: object) -> TrainConfig:
    base = TrainConfig(
        data=str(out.parent / "kgbd.npz"), out=str(out), people="1-3", validation="3", steps=11, batch=8, warmup=3,
        checkpoint_every=4, stride=4, learning_rate=0.01, subset_lengths=2, device="cpu",
        encoder=EncoderConfig(frames=6, hidden=8, heads=2, width=4),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def walks() -> Clips:
    sequences = [SkeletonSequence(walk(CASIA14, 40, seed=s).astype(np.float32), CASIA14, 15.0) for s in range(3)]
    return Clips.of(sequences, 6, 4)


def toy() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(1), nn.Linear(6 * 14 * 3, 4), nn.Linear(4, 6 * 14 * 3))


def toy_loss(module: nn.Module):  # type: ignore[no-untyped-def]
    def loss(clips: Tensor, generator: torch.Generator) -> Tensor:
        noise = 0.1 * torch.randn(clips.shape, generator=generator)
        return (module(clips + noise) - clips.flatten(1)).abs().mean()

    return loss


def test_every_epoch_is_a_permutation_and_the_last_partial_batch_is_kept() -> None:
    batches = [batch_at(10, 4, 1, step) for step in range(6)]
    assert [epoch for epoch, _ in batches] == [0, 0, 0, 1, 1, 1]
    assert [len(which) for _, which in batches] == [4, 4, 2, 4, 4, 2]
    first, second = (np.concatenate([which for epoch, which in batches if epoch == e]) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()
    assert batch_at(10, 4, 2, 0)[1].tolist() != batches[0][1].tolist()


def test_rate_rises_then_falls_along_a_cosine(tmp_path: Path) -> None:
    config = settings(tmp_path, steps=103, warmup=3, learning_rate=1.0, final_rate=0.1)
    assert [rate_at(config, s) for s in (0, 1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert rate_at(config, 53) == pytest.approx(0.55)
    assert rate_at(config, 103) == pytest.approx(0.1)


def test_clips_are_those_of_the_sequence(walks: Clips) -> None:
    segment = np.repeat([0, 1, 2], [15, 5, 20])
    broken = SkeletonSequence(walk(CASIA14, 40).astype(np.float32), CASIA14, 15.0, segment)
    clips = Clips.of([broken, broken], 6, 4)
    expected = broken.windows(6, 4)
    assert clips.take(np.arange(len(clips))).numpy() == pytest.approx(np.concatenate([expected, expected]))
    assert len(clips.thinned(3)) == 3
    with pytest.raises(DatasetError, match="clip of 60 frames"):
        Clips.of([broken], 60, 4)


@pytest.mark.parametrize("kill_at", [1, 5, 8, 10])
def test_a_killed_and_resumed_run_is_bit_for_bit_the_unbroken_one(tmp_path: Path, walks: Clips, kill_at: int) -> None:
    whole, broken = toy(), toy()
    run = fit(whole, toy_loss(whole), walks, walks, settings(tmp_path / "whole"))
    config = settings(tmp_path / "broken")
    with pytest.raises(KilledError):
        fit(broken, toy_loss(broken), walks, walks, config, progress=killer(kill_at))
    anew = toy()
    nn.init.zeros_(anew[1].weight) if kill_at >= 4 else None  # what is resumed comes from the file, not from the seed
    again = fit(anew, toy_loss(anew), walks, walks, config, resume=True)
    assert again.step == run.step == 11
    for name, value in whole.state_dict().items():
        assert torch.equal(anew.state_dict()[name], value), name
    curves = [(tmp_path / name / "curve.csv").read_bytes() for name in ("whole", "broken")]
    assert curves[0] == curves[1]


def test_the_curve_has_a_row_a_checkpoint_and_the_loss_falls(tmp_path: Path, walks: Clips) -> None:
    module = toy()
    fit(module, toy_loss(module), walks, walks, settings(tmp_path, steps=60, checkpoint_every=25))
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["25", "50", "60"]
    assert float(rows[-1]["validation_loss"]) < 0.8 * float(rows[0]["validation_loss"])
    assert not list(tmp_path.glob(".*.part"))


def test_a_run_is_neither_overwritten_nor_mixed_with_another(tmp_path: Path, walks: Clips) -> None:
    module = toy()
    config = settings(tmp_path)
    fit(module, toy_loss(module), walks, None, config)
    with pytest.raises(CheckpointError, match="go on with --resume"):
        fit(module, toy_loss(module), walks, None, config)
    with pytest.raises(CheckpointError, match="other settings: seed, steps"):
        fit(module, toy_loss(module), walks, None, replace(config, seed=9, steps=20), resume=True)
    (tmp_path / "state.pt").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        fit(module, toy_loss(module), walks, None, config, resume=True)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path, walks: Clips) -> None:
    module = toy()
    with pytest.raises(ConfigError, match="not finite at step 1"):
        fit(module, lambda x, g: module(x).sum() * float("nan"), walks, None, settings(tmp_path))
    assert not (tmp_path / "state.pt").exists()


def test_an_encoder_is_trained_resumed_and_saved(tmp_path: Path) -> None:
    values = {
        f"{p:03d}_{w}": np.round(4000 * turned(walk(KINECT20, 60, 30.0, seed=p), np.pi)).astype(np.int16)
        for p in (1, 2, 3)
        for w in (1, 2)
    }
    np.savez(tmp_path / "kgbd.npz", **values)
    whole = train_from_config(settings(tmp_path / "whole"))
    with pytest.raises(KilledError):
        train_from_config(settings(tmp_path / "broken"), progress=killer(6))
    early = load_checkpoint(tmp_path / "broken" / "encoder.safetensors")
    assert early.metadata["step"] == 4
    again = train_from_config(settings(tmp_path / "broken"), resume=True)
    checkpoint = load_checkpoint(whole)
    assert checkpoint.fingerprint == load_checkpoint(again).fingerprint != early.fingerprint
    assert checkpoint.metadata["step"] == 11
    assert checkpoint.metadata["training"]["people"] == "1-3"
    other = train_from_config(settings(tmp_path / "other", seed=2))
    assert load_checkpoint(other).fingerprint != checkpoint.fingerprint


def test_people_are_numbers_and_ranges() -> None:
    assert parse_people("1-3, 7") == {1, 2, 3, 7}
    assert parse_people("") == frozenset()
    for wrong in ("a", "3-1", "1-", "-4"):
        with pytest.raises(ConfigError, match="people: "):
            parse_people(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "faces"}, "dataset"),
        ({"device": "tpu"}, "device"),
        ({"batch": 0}, "batch"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"final_rate": 2.0}, "final_rate"),
        ({"subset_lengths": 7}, "subset_lengths"),
        ({"threads": 0}, "threads"),
        ({"validation": "1-3"}, "leaves nobody"),
        ({"validation": "8"}, "must be among"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, **changes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="cuda is here")
def test_cuda_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cuda is not available"):
        train_from_config(settings(tmp_path, device="cuda"))
