"""The classifier protocol: what it learns, what it is judged by, and its figures by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from walking_figure import turned, walk

from smsge.canonical import canonicalize
from smsge.checkpoint import Checkpoint
from smsge.clips import Clips
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, DatasetError
from smsge.layouts import CASIA14
from smsge.probe import Classifier, classify, features_as_clips, nauc, prefixes, scores
from smsge.protocols import Split
from smsge.schedule import Schedule
from smsge.sequence import SkeletonSequence
from smsge.training import Batch, fit

TINY = EncoderConfig(frames=6, hidden=8, heads=2, width=4)
QUICK = Schedule(epochs=70, batch=32, learning_rate=2e-2, warmup=0, checkpoint_every=70)


def people(count: int, walks: int = 5) -> list[SkeletonSequence]:
    return [
        SkeletonSequence(
            canonicalize(turned(walk(CASIA14, 30, seed=p, size=1 + 0.1 * p), w), CASIA14, 15.0),
            CASIA14, 15.0, identity=f"{p:03d}", session=f"{p:03d}_{w}",
        )
        for p in range(count)
        for w in range(walks)
    ]  # fmt: skip


def split_of(walks: list[SkeletonSequence]) -> Split:
    train, probe = ([s for s in walks if s.session.endswith("_4") == last] for last in (False, True))
    return Split("toy", tuple(train), tuple(train), tuple(probe))


def encoder() -> Checkpoint:
    """Untrained, with weights large enough that people differ in its states."""
    torch.manual_seed(0)
    model = SMSGE(TINY).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return Checkpoint(model, {}, {}, "0" * 64)


def test_nauc_by_hand() -> None:
    # Right claims score 0.9 and 0.4, wrong ones 0.6, 0.3, 0.2, 0.1: of 2 * 4 pairs one is in the wrong order.
    summed = np.array([[0.9, 0.3, 0.2], [0.6, 0.4, 0.1]])
    assert nauc(summed, np.array(["a", "b"]), ("a", "b", "c")) == pytest.approx(7 / 8)
    # A tie is half; whoever is not among the people only makes wrong claims.
    tied = np.array([[0.5, 0.5], [0.1, 0.7]])
    assert nauc(tied, np.array(["a", "stranger"]), ("a", "b")) == pytest.approx((0.5 + 1 + 0) / 3)


def test_nauc_is_the_area_under_the_curve_of_all_claims() -> None:
    rng = np.random.default_rng(0)
    summed, names = rng.normal(size=(50, 4)).round(1), rng.integers(0, 4, 50)
    truth = names[:, None] == np.arange(4)
    right, wrong = summed[truth][:, None], summed[~truth][None]
    area = ((right > wrong) + (right == wrong) / 2).mean()
    assert nauc(summed, names.astype(str), ("0", "1", "2", "3")) == pytest.approx(area)


def test_the_loss_is_the_mean_over_prefixes_and_the_answer_their_sum() -> None:
    torch.manual_seed(0)
    classifier = Classifier(5, 7, 3)
    features, labels = torch.randn(4, 6, 5), torch.tensor([0, 2, 1, 1])
    w1, b1, w2, b2 = (p.detach().numpy() for p in classifier.layers.parameters())
    logits = np.maximum(features.numpy() @ w1.T + b1, 0) @ w2.T + b2
    assert classifier(features).detach().numpy() == pytest.approx(logits.sum(axis=1), abs=1e-5)
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    expected = -np.log(shares[np.arange(4), :, labels.numpy()]).mean()
    loss = classifier.loss(Batch(features, labels, torch.arange(4)), torch.Generator())
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_clips_of_prefixes_hold_what_the_encoder_gives() -> None:
    clips = Clips.of(people(2, walks=1), 6, 6)
    model = encoder().model
    seen = prefixes(model, clips, clips, batch=4)
    which = np.array([3, 1])
    with torch.no_grad():
        every = model(clips.take(np.arange(10))).numpy()
    expected = (every - every.mean(axis=(0, 1))) / every.std(axis=(0, 1))
    assert seen.frames.dtype == np.float16
    assert seen.take(which).shape == (2, 6, 32)
    assert seen.take(which).float().numpy() == pytest.approx(expected[which], abs=3e-3)
    assert (seen.labels.tolist(), seen.identities) == (clips.labels.tolist(), clips.identities)


def test_every_clip_is_judged_in_any_batch() -> None:
    torch.manual_seed(0)
    clips = features_as_clips(Clips.of(people(2), 6, 6), np.random.default_rng(0).normal(size=(50, 2, 5)))
    classifier = Classifier(5, 7, 2)
    assert scores(classifier, clips, 7).shape == (50, 2)
    assert scores(classifier, clips, 7) == pytest.approx(scores(classifier, clips, 50), abs=1e-6)


def test_the_best_checkpoint_on_the_validation_clips_is_kept() -> None:
    torch.manual_seed(0)
    classifier = Classifier(2, 8, 2)
    walks = people(2, walks=1)
    labels = Clips.of(walks, 6, 6).labels
    clips = features_as_clips(Clips.of(walks, 6, 6), np.eye(2)[labels][:, None])
    good = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    with torch.no_grad():
        for layer, weight in zip(classifier.layers[::2], (torch.eye(8, 2), torch.eye(2, 8)), strict=True):
            layer.weight.copy_(weight)
            layer.bias.zero_()
    assert classifier.validation_loss(clips, 16) == 0
    kept = classifier.best[0].weight.clone()
    with torch.no_grad():
        classifier.layers[2].weight[:, :2] = -good
    assert classifier.validation_loss(clips, 16) == 1
    assert torch.equal(classifier.best[0].weight, kept)
    assert torch.equal(classifier.best[2].weight, torch.eye(2, 8))


def test_people_of_different_build_are_told_apart() -> None:
    split = split_of(people(3))
    table = classify(split, encoder(), 6, QUICK)
    assert (table.protocol, table.level, table.probes, table.gallery, table.people) == ("classifier", "clip", 15, 60, 3)
    assert [row.method for row in table.rows] == ["D13", "D16", "bone lengths", "posture statistics", "SM-SGE"]
    for row in table.rows:
        assert row.nauc is not None
        assert row.retrieval.rank[1] >= 0.9
        assert row.nauc >= 0.95
        assert row.curves.confusion.sum() == 15
        assert row.curves.confusion.trace() / 15 == pytest.approx(row.retrieval.rank[1])
    assert [row.size for row in table.rows] == [13, 16, 13, 79, 32]


def test_who_was_not_trained_on_is_a_miss() -> None:
    walks = people(3)
    split = split_of(walks)
    known = replace(split, train=tuple(s for s in split.train if s.identity != "002"))
    quick = replace(QUICK, epochs=2)
    row = classify(known, None, 6, quick).rows[0]
    assert (row.retrieval.absent, row.retrieval.probes) == (5, 15)
    assert row.retrieval.rank[10] == pytest.approx(2 / 3)
    assert row.curves.people == ("000", "001", "002")
    with pytest.raises(DatasetError, match="trains on none of the people"):
        classify(
            replace(split, train=tuple(replace(s, identity=f"x{s.identity}") for s in split.train)), None, 6, quick
        )


def test_the_test_part_has_no_say_in_the_training() -> None:
    split = split_of(people(3))
    other = replace(split, probe=split.probe[:1])
    one, two = (classify(s, None, 6, replace(QUICK, epochs=3)).rows[3] for s in (split, other))
    few = one.curves.confusion[0], two.curves.confusion[0]
    assert few[0].tolist() == few[1].tolist()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    split = split_of(people(3))
    schedule = replace(QUICK, epochs=4, checkpoint_every=3)
    whole = classify(split, encoder(), 6, schedule)

    def stop(what: str, done: float, total: float | None) -> None:
        if what == "bone lengths: training" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify(split, encoder(), 6, schedule, tmp_path, progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bone-lengths", "d13", "d16"]
    with pytest.raises(CheckpointError, match="holds a training run"):
        classify(split, encoder(), 6, schedule, tmp_path)
    resumed = classify(split, encoder(), 6, schedule, tmp_path, resume=True)
    for a, b in zip(whole.rows, resumed.rows, strict=True):
        assert (a.nauc, a.retrieval.rank) == (b.nauc, b.retrieval.rank)
        assert a.curves.genuine.tolist() == b.curves.genuine.tolist()


def test_fit_trains_the_network_and_not_the_kept_copy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    clips = features_as_clips(Clips.of(people(2), 6, 6), np.random.default_rng(0).normal(size=(50, 1, 5)))
    classifier = Classifier(5, 7, 2)
    before = classifier.best[0].weight.clone()
    fit(classifier, clips, None, replace(QUICK, epochs=1), tmp_path, {})
    assert torch.equal(classifier.best[0].weight, before)
    assert not torch.equal(classifier.layers[0].weight, before)
