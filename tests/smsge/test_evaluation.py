"""Tables of direct matching: who is compared with whom, which rows there are, and what is learned from whom."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from walking_figure import turned, walk

from smsge import evaluation
from smsge.canonical import canonicalize
from smsge.checkpoint import Checkpoint
from smsge.config import EncoderConfig
from smsge.descriptors import bone_lengths
from smsge.encoder import SMSGE
from smsge.errors import CheckpointError, DatasetError
from smsge.evaluation import DISCRIMINANTS, FUSED, evaluate, every_walk_once
from smsge.fusion import fit_standard, fuse
from smsge.layouts import CASIA14
from smsge.matching import cosine, euclidean, retrieve, standardise, statistics
from smsge.methods import Method, Way, embed_walks, encoder_method, encoder_reading
from smsge.protocols import Reading, Split
from smsge.prototypes import PrototypeHead, load_head
from smsge.samples import Samples
from smsge.sequence import SkeletonSequence

TINY = EncoderConfig(frames=6, hidden=8, heads=2, width=4)
DESCRIPTORS = ["D13", "D16", "bone lengths", "posture statistics"]


def people(numbers: range, walks: int = 3, frames: int = 30) -> tuple[SkeletonSequence, ...]:
    return tuple(
        SkeletonSequence(
            canonicalize(turned(walk(CASIA14, frames + w, seed=p, size=1 + 0.03 * p), w), CASIA14, 15.0),
            CASIA14, 15.0, identity=f"{p:03d}", session=f"{p:03d}_{w}",
        )
        for p in numbers
        for w in range(walks)
    )  # fmt: skip


def split_of(known: range = range(4), taught: range = range(10, 14)) -> Split:
    everyone = people(known)
    probes = tuple(s for s in everyone if s.session[-1] == "2")
    return Split("toy", people(taught), tuple(s for s in everyone if s.session[-1] != "2"), probes)


def checkpoint(head: bool = False, **metadata: object) -> Checkpoint:
    torch.manual_seed(0)
    encoder = SMSGE(TINY).eval()
    tensors = {}
    if head:
        tensors = {f"head.{name}": value for name, value in PrototypeHead(32, 5).state_dict().items()}
        metadata["head"] = {"width": 5}
    return Checkpoint(encoder, tensors, metadata, "0" * 64)


@pytest.fixture
def split() -> Split:
    return split_of()


def test_a_track_is_found_by_its_build(split: Split) -> None:
    table = evaluate(split, [], "track", 6)
    assert [row.method for row in table.rows] == [*DESCRIPTORS, DISCRIMINANTS]
    assert (table.protocol, table.level, table.probes, table.gallery, table.people) == ("matching", "track", 4, 8, 4)
    bones = table.rows[2]
    described, asked, taught = (
        np.stack([bone_lengths(s) for s in part]) for part in (split.gallery, split.probe, split.train)
    )
    usual = statistics(taught)
    scores = euclidean(standardise(asked, *usual), standardise(described, *usual))
    expected = retrieve(scores, [s.identity for s in split.probe], [s.identity for s in split.gallery])
    assert (bones.retrieval.rank, bones.retrieval.mean_ap) == (expected.rank, pytest.approx(expected.mean_ap))
    assert bones.retrieval.rank[1] == 1.0
    assert bones.curves.confusion.tolist() == np.eye(4, dtype=int).tolist()
    assert bones.curves.people == ("000", "001", "002", "003")
    assert (len(bones.curves.genuine), len(bones.curves.impostor)) == (8, 24)
    assert (bones.curves.embedding.shape, len(bones.curves.embedding_labels)) == ((12, 13), 12)
    assert bones.nauc is None


def test_each_clip_is_a_sample_and_never_answered_by_its_own_walk(split: Split) -> None:
    everything = replace(split, gallery=(*split.gallery, *split.probe))
    plain, own = (evaluate(s, [encoder_method(checkpoint())], "clip", 6) for s in (split, everything))
    assert (plain.probes, plain.gallery) == (4 * 5, 8 * 5)
    assert own.gallery == 12 * 5
    for a, b in zip(plain.rows, own.rows, strict=True):
        assert (len(a.curves.genuine), len(a.curves.impostor)) == (20 * 10, 20 * 30)
        assert (len(b.curves.genuine), len(b.curves.impostor)) == (
            20 * 10,
            20 * 45,
        )  # more strangers, no clip of oneself
        assert a.retrieval.mean_ap >= b.retrieval.mean_ap
    assert [row.method for row in plain.rows] == [*DESCRIPTORS, "SM-SGE", DISCRIMINANTS]


def test_a_constant_finds_nobody_and_a_name_everybody(split: Split) -> None:
    def vectors(samples: Samples) -> list[np.ndarray]:
        return [np.ones((len(samples), 3)), np.array([[float(name), 1.0] for name in samples.identities])]

    method = Method((Way("constant", "cosine"), Way("name", "euclidean")), vectors)
    constant, name, _ = evaluate(split, [method], "clip", 6).rows[-3:]
    assert (constant.retrieval.rank[10], name.retrieval.rank[1], name.retrieval.mean_ap) == (0.0, 1.0, 1.0)
    assert (name.verification.eer, name.verification.tar) == (0.0, 1.0)


@pytest.mark.parametrize("level", ["clip", "track"])
def test_the_encoder_is_standardised_and_its_head_is_not(split: Split, level: str) -> None:
    with_head = checkpoint(head=True)
    table = evaluate(split, [encoder_method(with_head, batch=7)], level, 6)  # type: ignore[arg-type]
    names = ["SM-SGE", "SM-SGE + prototypes", DISCRIMINANTS, FUSED]
    assert [row.method for row in table.rows[4:]] == names
    assert [row.size for row in table.rows[4:]] == [32, 5, 79, 5 + 79]
    head = PrototypeHead(32, 5).eval()
    head.load_state_dict({name.removeprefix("head."): value for name, value in with_head.tensors.items()})

    def embedded(walks: tuple[SkeletonSequence, ...]) -> tuple[np.ndarray, np.ndarray]:
        plain, projected = [], []
        for one in walks:
            clips = torch.from_numpy(one.windows(6, 3 if level == "track" else 6))
            clips = clips if level == "track" else clips[: len(one) // 6]
            f = with_head.model.embed(clips).detach()
            parts = f.numpy(), head(f).detach().numpy()
            plain.append(parts[0].mean(axis=0, keepdims=True) if level == "track" else parts[0])
            projected.append(parts[1].mean(axis=0, keepdims=True) if level == "track" else parts[1])
        return np.concatenate(plain), np.concatenate(projected)

    (g, hg), (p, hp), (t, _) = (embedded(part) for part in (split.gallery, split.probe, split.train))
    labels = [
        np.repeat([s.identity for s in part], len(vectors) // len(part))
        for part, vectors in ((split.probe, p), (split.gallery, g))
    ]
    usual = statistics(t)
    expected = [cosine(standardise(p, *usual), standardise(g, *usual)), cosine(hp, hg)]
    for row, scores in zip(table.rows[4:], expected, strict=False):
        found = retrieve(scores, *labels)
        assert row.retrieval.rank == found.rank
        assert row.retrieval.mean_ap == pytest.approx(found.mean_ap, abs=1e-6)
        assert row.verification.threshold == pytest.approx(
            np.quantile(scores[labels[0][:, None] != labels[1]], 0.99), abs=0.2
        )


def test_fused_tracks_learn_their_discriminants_from_the_training_part(split: Split) -> None:
    method = encoder_method(checkpoint(head=True))
    table = evaluate(split, [method], "track", 6)
    fused = table.rows[-1].curves.embedding
    samples = Samples.of((*split.gallery, *split.probe), "track", 6, 3)
    head = method.vectors(samples)[1]
    taught, seen = (
        np.stack([evaluation.BY_HAND.vectors(Samples.of([s], "track", 6, 3))[3][0] for s in part])
        for part in (split.train, (*split.gallery, *split.probe))
    )
    standard = fit_standard(taught, [s.identity for s in split.train], 0.3, 80)
    unit = (head / np.linalg.norm(head, axis=1, keepdims=True)).astype(np.float32)
    vectors = fuse([unit, standard(seen)], (0.5, 0.5))
    assert fused == pytest.approx(vectors, abs=1e-5)
    alone = replace(split, train=people(range(10, 14), walks=1))
    assert [row.method for row in evaluate(alone, [method], "track", 6).rows][-1] == "SM-SGE + prototypes"


def test_what_is_learned_from_is_the_same_whether_it_is_in_the_gallery_or_not(split: Split) -> None:
    copies = tuple(replace(walk) for walk in split.gallery)
    one, other = (
        evaluate(replace(split, train=train), [encoder_method(checkpoint(head=True))], "track", 6)
        for train in (split.gallery, copies)
    )
    for a, b in zip(one.rows, other.rows, strict=True):
        assert a.curves.embedding == pytest.approx(b.curves.embedding, abs=1e-4)


def test_every_walk_is_asked_for_once() -> None:
    split = replace(split_of(), gallery=(*split_of().gallery, *people(range(8, 9), walks=1)))
    once = every_walk_once(split)
    assert (len(once.gallery), len(once.probe)) == (13, 12)
    table = evaluate(once, [], "track", 6)
    assert (table.split, table.probes, table.gallery) == ("toy, every walk once", 12, 13)
    assert table.rows[2].retrieval.rank[1] == 1.0
    assert len(table.rows[2].curves.genuine) == 12 * 2
    with pytest.raises(DatasetError, match="trains on walks of the gallery"):
        every_walk_once(replace(split, train=split.gallery))
    with pytest.raises(DatasetError, match="not known"):
        every_walk_once(replace(split, probe=(replace(split.probe[0], session=""),)))


def test_a_table_of_nothing_says_what_is_missing(split: Split) -> None:
    with pytest.raises(DatasetError, match="nobody who is asked for is in the gallery"):
        evaluate(replace(split, gallery=people(range(5, 7))), [], "track", 6)
    with pytest.raises(DatasetError, match="all of one person"):
        evaluate(replace(split, gallery=split.gallery[:2], probe=split.probe[:1]), [], "track", 6)
    with pytest.raises(DatasetError, match="walk 000_0: 30 frames, 31 are needed"):
        evaluate(split, [], "track", 31)
    short = tuple(replace(s, joints=s.joints[:5], segment=s.segment[:5]) for s in split.probe)
    with pytest.raises(DatasetError, match="no probe or no entry of the gallery has 6 frames"):
        evaluate(replace(split, probe=short), [], "clip", 6)


def test_an_embedding_is_the_mean_over_clips_and_prefixes() -> None:
    plain = checkpoint()
    sequences = people(range(2), walks=1)
    rows = embed_walks(plain, sequences, stride=4, batch=2)
    assert rows.shape == (2, 32)
    with torch.no_grad():
        states = plain.model(torch.from_numpy(sequences[1].windows(6, 4)))
    assert rows[1] == pytest.approx(states.numpy().mean(axis=(0, 1)), abs=1e-5)
    with pytest.raises(DatasetError, match="walk 000_0: 4 frames, 6 are needed"):
        embed_walks(plain, people(range(1), walks=1, frames=4))


def test_an_embedding_is_the_heads_where_there_is_one() -> None:
    headed = checkpoint(head=True)
    head = load_head(headed)
    sequences = people(range(2), walks=1)
    rows = embed_walks(headed, sequences, stride=4, batch=2)
    assert rows.shape == (2, 5)
    with torch.no_grad():
        vectors = head(headed.model.embed(torch.from_numpy(sequences[1].windows(6, 4))))
    assert rows[1] == pytest.approx(vectors.numpy().mean(axis=0), abs=1e-5)
    with pytest.raises(CheckpointError, match="head is damaged"):
        embed_walks(replace(headed, tensors={}), sequences)


def test_tracks_of_one_clip_are_walks_of_their_own() -> None:
    """Several people, or one who left and came back, are tracks of the same session."""
    plain = checkpoint()
    alone = people(range(3), walks=1)
    together = [replace(walk, session="hall") for walk in alone]
    np.testing.assert_allclose(embed_walks(plain, together), embed_walks(plain, alone), atol=1e-6)


def test_an_encoder_says_how_it_wants_its_skeletons() -> None:
    assert encoder_reading(checkpoint()) == Reading("casia14", 6, 15.0, "canonical")
    assert encoder_reading(checkpoint(fps=None, form="metric")) == Reading("casia14", 6, None, "metric")
    for odd in ({"fps": "fast"}, {"fps": -1.0}, {"form": "bent"}):
        with pytest.raises(CheckpointError, match="get it again"):
            encoder_reading(checkpoint(**odd))


def test_progress_is_told_clip_by_clip(split: Split) -> None:
    told: list[tuple[str, float, float | None]] = []
    evaluate(split, [encoder_method(checkpoint(), 16, lambda *what: told.append(what))], "clip", 6)
    assert told[-1] == ("encoding", 60, 60)
    assert ("encoding", 48, 60) in told
