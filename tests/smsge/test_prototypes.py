"""The head and its two losses, against NumPy written from the formulas; and that both learn, resume and are saved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from walking_figure import turned, walk

from smsge.augment import masked, perturbed
from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.clips import Clips
from smsge.config import EncoderConfig, PrototypeConfig, TrainConfig
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, ConfigError, DatasetError
from smsge.layouts import CASIA14, KINECT20
from smsge.prototypes import (
    PrototypeHead,
    Prototypes,
    SupervisedPrototypes,
    UnsupervisedPrototypes,
    class_means,
    leave_one_walk_out,
    load_head,
)
from smsge.recipe import train_from_config
from smsge.schedule import Schedule
from smsge.sequence import SkeletonSequence
from smsge.training import Batch, fit

ENCODER = EncoderConfig(frames=6, hidden=8, heads=2, width=4)
CONFIG = PrototypeConfig(width=8, tau=0.2, k1=6, k2=3, eps=0.7)
SCHEDULE = Schedule(steps=11, batch=8, warmup=3, checkpoint_every=3, learning_rate=0.01)


@pytest.fixture(scope="module")
def clips() -> Clips:
    sequences = [
        SkeletonSequence(
            walk(CASIA14, 24, seed=10 * p + w).astype(np.float32), CASIA14, 15.0, identity=f"{p}", session=f"{p}_{w}"
        )
        for p in range(3)
        for w in range(2)
    ]
    return Clips.of(sequences, 6, 4)


def batch_of(clips: Clips, which: list[int]) -> Batch:
    numbers = np.array(which)
    return Batch(clips.take(numbers), torch.from_numpy(clips.labels[numbers]), torch.from_numpy(numbers))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def supervised(clips: Clips, config: PrototypeConfig = CONFIG) -> SupervisedPrototypes:
    torch.manual_seed(0)
    return SupervisedPrototypes(SMSGE(ENCODER), clips.identities, config)


def unsupervised(config: PrototypeConfig = CONFIG) -> UnsupervisedPrototypes:
    torch.manual_seed(0)
    return UnsupervisedPrototypes(SMSGE(ENCODER), config)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def surprise(logits: np.ndarray, label: int) -> float:
    """-log softmax(logits)_label"""
    return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label])


def test_the_head_is_its_formula() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(10, 4)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
        F = torch.randn(5, 10)
        s = head(F).numpy()
    gamma, beta, W1, b1, W2, b2 = (p.detach().numpy().astype(np.float64) for p in head.parameters())
    x = F.numpy().astype(np.float64)
    normed = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5) * gamma + beta
    np.testing.assert_allclose(s, unit(np.maximum(normed @ W1.T + b1, 0) @ W2.T + b2), atol=1e-5)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_supervised_loss_is_its_formula(clips: Clips, margin: float) -> None:
    objective = supervised(clips, replace(CONFIG, margin=margin)).train()
    with torch.no_grad():
        objective.centres.normal_()
        batch = batch_of(clips, [0, 3, 9, 14, 20])
        loss = float(objective.loss(batch, generator()))
        s = objective.project(batch.clips).numpy().astype(np.float64)
        objective.eval()
        without = float(objective.loss(batch, generator()))
    p = unit(objective.centres.detach().numpy().astype(np.float64))

    def expected(off: float) -> float:
        each = []
        for vector, label in zip(s, batch.labels.tolist(), strict=True):
            cosine = np.array([vector @ centre for centre in p])
            cosine[label] -= off
            each.append(surprise(cosine / 0.2, label))
        return float(np.mean(each))

    assert loss == pytest.approx(expected(margin), abs=1e-5)
    assert without == pytest.approx(expected(0.0), abs=1e-5)


def test_centres_begin_as_the_class_means(clips: Clips) -> None:
    objective = supervised(clips).eval()
    with torch.no_grad():
        objective.begin_epoch(0, clips)
        s = objective.project(clips.take(np.arange(len(clips)))).numpy()
        began = objective.centres.clone()
        objective.centres.normal_()
        later = objective.centres.clone()
        objective.begin_epoch(1, clips)
    for person in range(3):
        np.testing.assert_allclose(began[person], unit(s[clips.labels == person].mean(axis=0)), atol=1e-5)
    assert torch.equal(objective.centres, later)


def test_the_unsupervised_loss_is_its_formula(clips: Clips) -> None:
    objective = unsupervised(replace(CONFIG, weight=0.3)).train()
    batch = batch_of(clips, [0, 4, 9, 14, 20])
    with torch.no_grad():
        objective.centroids = torch.nn.functional.normalize(torch.randn(4, 8, generator=generator(3)), dim=1)
        objective.pseudo_labels = torch.arange(len(clips)) % 5 - 1  # -1 .. 3
        loss = float(objective.loss(batch, generator(1)))
        draws = generator(1)
        views = [objective.project(masked(batch.clips, batch.which, draws)).numpy() for _ in range(2)]
    p, labels = objective.centroids.numpy(), objective.pseudo_labels[batch.which].tolist()
    assert labels.count(-1) == 2
    agreement, prototypes = [], []
    for first, second, label in zip(*views, labels, strict=True):
        agreement.append(-(first @ second) / 2 - (second @ first) / 2)
        prototypes.append(
            0.0 if label < 0 else (surprise(p @ first / 0.2, label) + surprise(p @ second / 0.2, label)) / 2
        )
    assert loss == pytest.approx(0.3 * np.mean(agreement) + 0.7 * np.mean(prototypes), abs=1e-5)


def test_the_gradient_stops_at_the_other_view(clips: Clips) -> None:
    """With lambda = 1: the gradient for each view is as if the other were a constant."""
    objective = unsupervised(replace(CONFIG, weight=1.0, fine_tune=False)).train()
    batch = batch_of(clips, [0, 4, 9])
    objective.loss(batch, generator(1)).backward()
    found = [parameter.grad.clone() for parameter in objective.head.parameters()]
    objective.zero_grad()
    draws = generator(1)
    first, second = (masked(batch.clips, batch.which, draws) for _ in range(2))
    with torch.no_grad():
        constant = objective.project(first), objective.project(second)
    for view, other in ((first, constant[1]), (second, constant[0])):
        (-(objective.project(view) * other).sum(dim=1).mean() / 2).backward()
    for parameter, gradient in zip(objective.head.parameters(), found, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_without_any_cluster_only_the_views_count(clips: Clips) -> None:
    objective = unsupervised(replace(CONFIG, weight=0.5, k1=1, k2=1, eps=0.01, min_samples=9)).eval()
    with torch.no_grad():
        objective.begin_epoch(0, clips)
        assert len(objective.centroids) == 0
        assert -0.5 <= float(objective.loss(batch_of(clips, [0, 4, 9]), generator())) < 0.5


def test_an_epoch_begins_with_clusters_and_their_centroids(clips: Clips) -> None:
    objective = unsupervised().eval()
    with torch.no_grad():
        objective.begin_epoch(0, clips)
        s = objective.project(clips.take(np.arange(len(clips)))).numpy()
    labels = objective.pseudo_labels.numpy()
    assert len(labels) == len(clips)
    assert labels.max() + 1 == len(objective.centroids) > 0
    for cluster, centroid in enumerate(objective.centroids.numpy()):
        np.testing.assert_allclose(centroid, unit(s[labels == cluster].mean(axis=0)), atol=1e-5)


def test_a_view_is_some_frames_of_each_clip_in_order(clips: Clips) -> None:
    batch = batch_of(clips, [0, 4, 9, 14, 20, 21])
    lengths, differ = set(), False
    for seed in range(40):
        view = masked(batch.clips, batch.which, generator(seed))
        chosen = []
        for own, clip in zip(view, batch.clips, strict=True):
            frames = [next(k for k in range(6) if torch.equal(clip[k], frame)) for frame in own]
            assert frames == sorted(set(frames))
            chosen.append(tuple(frames))
        lengths.add(view.shape[1])
        differ |= len(set(chosen)) > 1
    assert lengths == {1, 2, 3, 4, 5, 6}
    assert differ


def test_noise_and_size_are_those_asked_for() -> None:
    clips, which, none = torch.ones(400, 6, 14, 3), torch.arange(400), torch.zeros(14, 3)
    assert perturbed(clips, which, generator(), none, 0.0) is clips
    moved = perturbed(clips, which, generator(), none + 0.02, 0.0) - 1
    lasting = moved.mean(dim=1)
    assert lasting.std() == pytest.approx(0.02 * np.sqrt(1 + 0.25 / 6), rel=0.03)
    assert (moved - lasting[:, None]).std() == pytest.approx(0.01 * np.sqrt(5 / 6), rel=0.03)
    only_one = none.clone()
    only_one[3, 1] = 0.02
    assert torch.equal((perturbed(clips, which, generator(), only_one, 0.0) != 1).any(dim=(0, 1)), only_one > 0)
    sized = perturbed(clips, which, generator(), none, 0.05)
    assert torch.equal(sized, sized[:, :1, :1, :1].expand_as(sized))
    assert (sized[:, 0, 0, 0] - 1).std() == pytest.approx(0.05, rel=0.15)


def test_what_happens_to_a_clip_does_not_depend_on_the_rest_of_the_batch(clips: Clips) -> None:
    whole, share = batch_of(clips, [0, 4, 9, 14]), batch_of(clips, [4, 14])
    noise = torch.full((14, 3), 0.02)
    for change in (masked, lambda *args: perturbed(*args, noise, 0.1)):
        together = change(whole.clips, whole.which, generator(2))
        assert torch.equal(together[1::2], change(share.clips, share.which, generator(2)))
    apart = perturbed(whole.clips, whole.which, generator(3), noise, 0.1)
    assert not torch.equal(apart, perturbed(whole.clips, whole.which, generator(2), noise, 0.1))


def test_leaving_the_own_walk_out_is_its_formula() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 1, 1, 1, 3, 3])
    walks = np.array([0, 0, 1, 4, 5, 5, 7, 7])  # the last person has one walk: confuser, no probe
    s = unit(rng.normal(size=(8, 5)))
    losses = []
    for i in range(6):
        logits = []
        for person in (0, 1, 3):
            of = (labels == person) & ~((person == labels[i]) & (walks == walks[i]))
            logits.append(s[i] @ unit(s[of].mean(axis=0)) / 0.1)
        losses.append(surprise(np.array(logits), [0, 1, 3].index(labels[i])))
    found = leave_one_walk_out(torch.from_numpy(s), labels, walks, 0.1)
    assert found == pytest.approx(np.mean(losses))
    assert np.isnan(leave_one_walk_out(torch.from_numpy(s[6:]), labels[6:], walks[6:], 0.1))


def test_other_people_are_validated_by_their_own_walks(clips: Clips) -> None:
    objective = supervised(clips).eval()
    with torch.no_grad():
        objective.begin_epoch(0, clips)
        known = objective.validation_loss(clips, 4)
        s = objective.project_all(clips)
        strangers = replace(clips, identities=("x", "y", "z"))
        assert objective.validation_loss(strangers, 4) == pytest.approx(
            leave_one_walk_out(s, clips.labels, clips.walks, 0.2), abs=1e-6
        )
        cosine = s @ class_means(s, torch.from_numpy(clips.labels), 3).T
    expected = np.mean([surprise(row / 0.2, label) for row, label in zip(cosine.numpy(), clips.labels, strict=True)])
    assert known == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["supervised", "unsupervised"])
@pytest.mark.parametrize("fine_tune", [True, False])
def test_a_frozen_encoder_does_not_move_and_the_head_learns(
    tmp_path: Path, clips: Clips, kind: str, fine_tune: bool
) -> None:
    config = replace(CONFIG, fine_tune=fine_tune, noise=0.01, scale=0.02)
    objective: Prototypes = supervised(clips, config) if kind == "supervised" else unsupervised(config)
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    run = fit(objective, clips, clips, replace(SCHEDULE, steps=30, checkpoint_every=5), tmp_path, {})
    moved = {n for n, v in objective.state_dict().items() if n in before and not torch.equal(v, before[n])}
    assert any(name.startswith("encoder.") for name in moved) == fine_tune
    assert {name for name in before if name.startswith("head.")} <= moved
    assert all(not parameter.requires_grad for parameter in objective.encoder.parameters()) != fine_tune
    validation = [row[4] for row in run.curve]
    assert validation[-1] < validation[0]


class KilledError(Exception):
    """Stands for the end of the process between two steps."""


@pytest.mark.parametrize("kind", ["supervised", "unsupervised"])
@pytest.mark.parametrize("kill_at", [2, 8])
def test_resumed_within_an_epoch_it_is_bit_for_bit_the_unbroken_run(
    tmp_path: Path, clips: Clips, kind: str, kill_at: int
) -> None:
    def made() -> Prototypes:
        config = replace(CONFIG, noise=0.01, weight=0.4)
        return supervised(clips, config) if kind == "supervised" else unsupervised(config)

    def progress(what: str, done: float, total: float | None) -> None:
        if done == kill_at:
            raise KilledError

    whole, anew = made(), made()  # 5 steps an epoch, a checkpoint every 3: 3 and 6 lie within epochs
    fit(whole, clips, clips, SCHEDULE, tmp_path / "whole", {})
    with pytest.raises(KilledError):
        fit(made(), clips, clips, SCHEDULE, tmp_path / "broken", {}, progress=progress)
    fit(anew, clips, clips, SCHEDULE, tmp_path / "broken", {}, resume=True)
    assert whole.state_dict().keys() == anew.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert torch.equal(anew.state_dict()[name], value), name
    assert (tmp_path / "whole/curve.csv").read_bytes() == (tmp_path / "broken/curve.csv").read_bytes()


def config_for(tmp_path: Path, out: str, **changes: object) -> TrainConfig:
    base = TrainConfig(
        data=str(tmp_path / "kgbd.npz"), out=str(tmp_path / out), people="1-3", validation_walks=0.4, stride=4,
        device="cpu", encoder=ENCODER, schedule=replace(SCHEDULE, steps=6), objective="prototypes", prototypes=CONFIG,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    values = {
        f"{p:03d}_{w}": np.round(4000 * turned(walk(KINECT20, 40, 30.0, seed=p), np.pi)).astype(np.int16)
        for p in (1, 2, 3)
        for w in (1, 2)
    }
    np.savez(tmp_path / "kgbd.npz", **values)
    return tmp_path


@pytest.mark.parametrize("is_supervised", [True, False])
def test_encoder_and_head_are_saved_and_load_again(dataset: Path, is_supervised: bool) -> None:
    start = train_from_config(config_for(dataset, "first", objective="reconstruction"))
    prototypes = replace(CONFIG, supervised=is_supervised, fine_tune=False, start=str(start))
    once = replace(SCHEDULE, steps=6, checkpoint_every=6)  # so that the encoder kept is that of the last state
    weights = train_from_config(config_for(dataset, "second", prototypes=prototypes, schedule=once))
    before, after = load_checkpoint(start), load_checkpoint(weights)
    assert load_head(before) is None
    assert all(torch.equal(v, after.model.state_dict()[n]) for n, v in before.model.state_dict().items())
    assert after.metadata["head"] == {"width": 8}
    assert after.metadata["form"] == "canonical"
    assert after.metadata["fps"] == 15.0
    assert after.metadata["training"]["prototypes"]["start"] == before.fingerprint
    head = load_head(after)
    assert head is not None
    assert not head.training
    state = torch.load(dataset / "second/state.pt", weights_only=True)["module"]
    assert all(torch.equal(v, state[f"head.{n}"]) for n, v in head.state_dict().items())
    embedded = head(after.model.embed(torch.randn(2, 6, 14, 3)))
    np.testing.assert_allclose(embedded.detach().norm(dim=1), 1, atol=1e-6)


def test_a_damaged_head_and_an_unfitting_start_are_refused(dataset: Path) -> None:
    encoder, head = SMSGE(ENCODER), PrototypeHead(32, 8)
    tensors = {f"head.{name}": value for name, value in head.state_dict().items()}
    path = dataset / "a.safetensors"
    for wrong in ({"width": 9}, {}, 8, {"width": -1}):
        save_checkpoint(path, encoder, tensors, {"head": wrong})
        with pytest.raises(CheckpointError, match="head is damaged"):
            load_head(load_checkpoint(path))
    prototypes = replace(CONFIG, start=str(path))
    with pytest.raises(ConfigError, match="start: "):
        train_from_config(config_for(dataset, "x", prototypes=prototypes, encoder=replace(ENCODER, hidden=4)))


def test_one_person_is_nobody_to_tell_apart(clips: Clips) -> None:
    with pytest.raises(DatasetError, match="two people"):
        SupervisedPrototypes(SMSGE(ENCODER), ("1",), CONFIG)


def test_noise_is_a_share_of_what_a_coordinate_varies(clips: Clips) -> None:
    objective = SupervisedPrototypes(SMSGE(ENCODER), clips.identities, PrototypeConfig(noise=0.5)).train()
    with torch.no_grad():
        objective.begin_epoch(0, clips)
    centred = clips.frames - clips.frames[:, :1]
    assert objective.spread.numpy() == pytest.approx(centred.std(axis=0, ddof=1), abs=1e-5)
    batch = batch_of(clips, list(range(16)) * 20)
    moved = objective._perturbed(replace(batch, which=torch.arange(320)), generator()) - batch.clips
    wanted = 0.5 * np.sqrt(1.25) * objective.spread.numpy()
    assert moved.std(dim=(0, 1)).numpy() == pytest.approx(wanted, rel=0.2, abs=1e-6)
