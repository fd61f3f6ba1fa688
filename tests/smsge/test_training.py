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
from smsge.config import EncoderConfig, PrototypeConfig, ReconstructionConfig, TrainConfig, parse_people
from smsge.errors import CheckpointError, ConfigError, DatasetError
from smsge.layouts import CASIA14, KINECT20
from smsge.recipe import train_from_config
from smsge.schedule import Schedule
from smsge.sequence import SkeletonSequence
from smsge.training import Batch, Objective, batch_at, fit


class KilledError(Exception):
    """Stands for the end of the process between two steps."""


def killer(at: int):  # type: ignore[no-untyped-def]
    def progress(what: str, done: float, total: float | None) -> None:
        if what == "training" and done == at:
            raise KilledError

    return progress


SCHEDULE = Schedule(steps=11, batch=8, warmup=3, checkpoint_every=4, learning_rate=0.01)


def settings(out: Path, **changes: object) -> TrainConfig:
    base = TrainConfig(
        data=str(out.parent / "kgbd.npz"), out=str(out), people="1-3", validation="3", stride=4, device="cpu",
        encoder=EncoderConfig(frames=6, hidden=8, heads=2, width=4), schedule=SCHEDULE,
        reconstruction=ReconstructionConfig(subset_lengths=2), prototypes=PrototypeConfig(width=8),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def walks() -> Clips:
    sequences = [
        SkeletonSequence(walk(CASIA14, 40, seed=s).astype(np.float32), CASIA14, 15.0, identity=f"{s % 2}")
        for s in range(3)
    ]
    return Clips.of(sequences, 6, 4)


class Toy(Objective):
    """An autoencoder of a few numbers, about a mean that each epoch begins with, to which noise is added in a step."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up = nn.Linear(6 * 14 * 3, 4), nn.Linear(4, 6 * 14 * 3)
        self.register_buffer("epochs", torch.zeros(1))
        self.begun: list[int] = []

    def begin_epoch(self, epoch: int, clips: Clips) -> None:
        self.begun.append(epoch)
        self.epochs += 1 + self.up.bias.sum()

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        x = batch.clips + 0.1 * torch.randn(batch.clips.shape[1:], generator=generator)
        rebuilt = self.up(self.down(x.flatten(1))) + 0.01 * self.epochs
        return (rebuilt - batch.clips.flatten(1)).abs().mean()


def train(objective: Objective, clips: Clips, out: Path, schedule: Schedule = SCHEDULE, **options):  # type: ignore[no-untyped-def]
    return fit(objective, clips, clips, schedule, out, {"kind": "toy"}, **options)


def test_every_epoch_is_a_permutation_and_the_last_partial_batch_is_kept() -> None:
    batches = [batch_at(10, 4, 1, step) for step in range(6)]
    assert [epoch for epoch, _ in batches] == [0, 0, 0, 1, 1, 1]
    assert [len(which) for _, which in batches] == [4, 4, 2, 4, 4, 2]
    first, second = (np.concatenate([which for epoch, which in batches if epoch == e]) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()
    assert batch_at(10, 4, 2, 0)[1].tolist() != batches[0][1].tolist()


def test_rate_rises_then_falls_along_a_cosine() -> None:
    schedule = Schedule(steps=103, warmup=3, learning_rate=1.0, final_rate=0.1)
    assert [schedule.rate_at(s, 103) for s in (0, 1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert schedule.rate_at(53, 103) == pytest.approx(0.55)
    assert schedule.rate_at(103, 103) == pytest.approx(0.1)


def test_a_schedule_is_in_steps_or_in_epochs() -> None:
    assert Schedule(steps=7).total(10) == 7
    assert Schedule(epochs=3, batch=4).total(10) == 9
    for wrong in ({}, {"steps": 1, "epochs": 1}, {"epochs": 0}):
        with pytest.raises(ConfigError, match=r"(steps|epochs): "):
            Schedule(**wrong)


def test_clips_are_those_of_the_sequence(walks: Clips) -> None:
    segment = np.repeat([0, 1, 2], [15, 5, 20])
    broken = SkeletonSequence(walk(CASIA14, 40).astype(np.float32), CASIA14, 15.0, segment)
    clips = Clips.of([broken, broken], 6, 4)
    expected = broken.windows(6, 4)
    assert clips.take(np.arange(len(clips))).numpy() == pytest.approx(np.concatenate([expected, expected]))
    assert len(clips.thinned(3)) == 3
    with pytest.raises(DatasetError, match="clip of 60 frames"):
        Clips.of([broken], 60, 4)


def test_clips_know_their_walk_and_person(walks: Clips) -> None:
    assert walks.identities == ("0", "1")
    assert sorted(set(zip(walks.walks.tolist(), walks.labels.tolist(), strict=True))) == [(0, 0), (1, 1), (2, 0)]
    sub = walks.only(walks.walks == 1)
    assert torch.equal(sub.take(np.arange(len(sub))), walks.take(np.flatnonzero(walks.walks == 1)))


def test_whole_walks_are_held_out_and_never_a_persons_only_one() -> None:
    rng, people = np.random.default_rng(0), [0, 0, 0, 0, 1, 1, 1, 2]
    sequences = [
        SkeletonSequence(rng.normal(size=(12, 14, 3)).astype(np.float32), CASIA14, 15.0, identity=f"{p}")
        for p in people
    ]
    clips = Clips.of(sequences, 6, 3)
    drawn = set()
    for seed in range(6):
        kept, held = clips.held_out(0.5, seed)
        assert held is not None
        assert len(set(held.walks)) == 4
        assert not set(kept.walks) & set(held.walks)
        assert len(kept) + len(held) == len(clips)
        assert set(kept.labels) == {0, 1, 2}
        drawn.add(frozenset(held.walks.tolist()))
    assert len(drawn) > 1
    assert clips.held_out(0.0, 1) == (clips, None)


@pytest.mark.parametrize("kill_at", [1, 5, 8, 10])
def test_a_killed_and_resumed_run_is_bit_for_bit_the_unbroken_one(tmp_path: Path, walks: Clips, kill_at: int) -> None:
    whole = Toy()
    run = train(whole, walks, tmp_path / "whole")
    assert whole.begun == [0, 1, 2]
    with pytest.raises(KilledError):
        train(Toy(), walks, tmp_path / "broken", progress=killer(kill_at))
    anew = Toy()
    nn.init.zeros_(anew.up.weight) if kill_at >= 4 else None  # what is resumed comes from the file, not from the seed
    again = train(anew, walks, tmp_path / "broken", resume=True)
    assert again.step == run.step == 11
    assert anew.begun == {1: [0, 1, 2], 5: [1, 2], 8: [2], 10: [2]}[kill_at]  # 4 steps an epoch and a checkpoint
    for name, value in whole.state_dict().items():
        assert torch.equal(anew.state_dict()[name], value), name
    curves = [(tmp_path / name / "curve.csv").read_bytes() for name in ("whole", "broken")]
    assert curves[0] == curves[1]


def test_an_epoch_is_not_begun_again_in_its_middle(tmp_path: Path, walks: Clips) -> None:
    schedule = replace(SCHEDULE, checkpoint_every=3)
    whole, anew = Toy(), Toy()
    train(whole, walks, tmp_path / "whole", schedule)
    with pytest.raises(KilledError):
        train(Toy(), walks, tmp_path / "broken", schedule, progress=killer(7))
    train(anew, walks, tmp_path / "broken", schedule, resume=True)  # from step 6, within epoch 1
    assert anew.begun == [2]
    for name, value in whole.state_dict().items():
        assert torch.equal(anew.state_dict()[name], value), name


def test_the_curve_has_a_row_a_checkpoint_and_the_loss_falls(tmp_path: Path, walks: Clips) -> None:
    train(Toy(), walks, tmp_path, replace(SCHEDULE, steps=60, checkpoint_every=25))
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["25", "50", "60"]
    assert float(rows[-1]["validation_loss"]) < 0.8 * float(rows[0]["validation_loss"])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*.part"))


def test_a_run_is_neither_overwritten_nor_mixed_with_another(tmp_path: Path, walks: Clips) -> None:
    train(Toy(), walks, tmp_path)
    with pytest.raises(CheckpointError, match="go on with --resume"):
        train(Toy(), walks, tmp_path)
    with pytest.raises(CheckpointError, match=r"other settings: schedule\.seed, schedule\.steps"):
        train(Toy(), walks, tmp_path, replace(SCHEDULE, seed=9, steps=20), resume=True)
    with pytest.raises(CheckpointError, match="other settings: clips"):
        train(Toy(), walks.thinned(9), tmp_path, resume=True)
    (tmp_path / "state.pt").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train(Toy(), walks, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path, walks: Clips) -> None:
    toy = Toy()
    nn.init.constant_(toy.up.weight, float("nan"))
    with pytest.raises(ConfigError, match="not finite at step 1"):
        train(toy, walks, tmp_path)
    assert not (tmp_path / "state.pt").exists()


def test_weight_decay_shrinks_weights_beside_the_gradient(tmp_path: Path, walks: Clips) -> None:
    class Idle(Objective):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
            return 0 * self.weight.sum()

    idle = Idle()
    train(idle, walks, tmp_path, Schedule(steps=2, warmup=0, learning_rate=0.1, final_rate=1.0, weight_decay=0.5))
    assert idle.weight.tolist() == pytest.approx([0.95**2] * 3)


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
    other = train_from_config(settings(tmp_path / "other", schedule=replace(SCHEDULE, seed=2)))
    assert load_checkpoint(other).fingerprint != checkpoint.fingerprint


@pytest.mark.parametrize("objective", ["reconstruction", "prototypes"])
def test_clips_may_be_given_instead_of_a_dataset(tmp_path: Path, walks: Clips, objective: str) -> None:
    of_footage = {"dataset": "footage", "protocol": "last-session", "people": "", "validation": "", "fps": 30.0}
    config = settings(tmp_path / "run", data=str(tmp_path / "nowhere"), objective=objective, **of_footage)
    train_from_config(config, parts=(walks, walks, 15.0))
    checkpoint = load_checkpoint(tmp_path / "run" / "encoder.safetensors")
    assert checkpoint.metadata["fps"] == 15.0
    assert checkpoint.metadata["training"]["dataset"] == "footage"
    assert ("head" in checkpoint.metadata) == (objective == "prototypes")
    with (tmp_path / "run" / "curve.csv").open() as file:
        assert all(row["validation_loss"] for row in csv.DictReader(file))
    with pytest.raises(CheckpointError, match="other settings: clips"):
        train_from_config(config, resume=True, parts=(walks.thinned(5), walks, 15.0))


def test_footage_is_trained_on_as_clips_alone(tmp_path: Path) -> None:
    of_footage = {"dataset": "footage", "protocol": "last-session", "people": "", "validation": ""}
    with pytest.raises(DatasetError, match="footage is split as sequences"):
        train_from_config(settings(tmp_path / "run", **of_footage))


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
        ({"dataset": "ks20", "people": "", "validation": "", "protocol": None}, "protocol: must be given for ks20"),
        ({"people": "", "validation": "", "protocol": "random"}, "kgbd has no 'random'"),
        ({"dataset": "footage", "people": "", "validation": ""}, "protocol: must be given for footage"),
        ({"dataset": "footage", "people": "", "validation": "", "protocol": "A"}, "footage has no 'A'"),
        ({"protocol": "last-walk"}, "leave people and validation empty"),
        ({"device": "tpu"}, "device"),
        ({"objective": "guessing"}, "objective"),
        ({"form": "flat"}, "form"),
        ({"fps": 0.0}, "fps"),
        ({"stride": 0}, "stride"),
        ({"validation_walks": 1.0}, "validation_walks"),
        ({"reconstruction": ReconstructionConfig(subset_lengths=7)}, "subset_lengths"),
        ({"threads": 0}, "threads"),
        ({"validation": "1-3"}, "leaves nobody"),
        ({"validation": "8"}, "must be among"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, **changes)


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        (Schedule, {"steps": 1, "batch": 0}, "batch"),
        (Schedule, {"steps": 1, "learning_rate": 0.0}, "learning_rate"),
        (Schedule, {"steps": 1, "final_rate": 2.0}, "final_rate"),
        (Schedule, {"steps": 1, "weight_decay": -1.0}, "weight_decay"),
        (ReconstructionConfig, {"targets": "finer"}, "targets"),
        (ReconstructionConfig, {"subsequences": "none"}, "subsequences"),
        (PrototypeConfig, {"width": 0}, "width"),
        (PrototypeConfig, {"noise": -0.1}, "noise"),
        (PrototypeConfig, {"tau": 0.0}, "tau"),
        (PrototypeConfig, {"weight": 1.1}, "weight"),
        (PrototypeConfig, {"eps": 1.0}, "eps"),
    ],
)
def test_sections_refuse_by_name_too(section: type, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        section(**changes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="cuda is here")
def test_cuda_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cuda is not available"):
        train_from_config(settings(tmp_path, device="cuda"))
