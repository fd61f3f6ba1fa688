"""Metrics against cases worked out by hand and against naive NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

from smsge import matching
from smsge.matching import (
    Matches,
    Similarity,
    cosine,
    equal_error_rate,
    euclidean,
    match,
    matches_of,
    pair_scores,
    retrieve,
    standardise,
    statistics,
    tar_at_far,
    threshold_at_far,
    verify,
)


def test_rank_and_average_precision_by_hand() -> None:
    # Probe a: order a, b, a -> AP = (1/1 + 2/3) / 2 = 5/6. Probe b: order a, a, b -> AP = 1/3.
    similarity = np.array([[0.9, 0.5, 0.7], [0.8, 0.9, 0.1]])
    found = retrieve(similarity, ["a", "b"], ["a", "a", "b"], ranks=(1, 2, 3))
    assert found.rank == {1: 0.5, 2: 0.5, 3: 1.0}
    assert found.mean_ap == pytest.approx((5 / 6 + 1 / 3) / 2)
    assert (found.probes, found.absent) == (2, 0)


def test_a_probe_that_is_not_in_the_gallery_counts_as_a_miss() -> None:
    found = retrieve(np.array([[0.9, 0.1], [0.9, 0.1]]), ["a", "stranger"], ["a", "b"])
    assert found.rank[1] == 0.5
    assert found.rank[10] == 0.5
    assert found.mean_ap == 0.5
    assert found.absent == 1


def test_entries_of_the_probes_own_session_are_left_out() -> None:
    similarity = np.array([[1.0, 0.5, 0.4]])
    ids = ["a", "b", "a"]
    assert retrieve(similarity, ["a"], ids).rank[1] == 1.0
    found = retrieve(similarity, ["a"], ids, ["a_1"], ["a_1", "b_1", "a_2"])
    assert found.rank[1] == 0.0
    assert found.mean_ap == 0.5
    genuine, impostor = pair_scores(similarity, ["a"], ids, ["a_1"], ["a_1", "b_1", "a_2"])
    assert genuine.tolist() == [0.4]
    assert impostor.tolist() == [0.5]


def test_unknown_sessions_equal_no_other() -> None:
    assert retrieve(np.array([[1.0]]), ["a"], ["a"], [""], [""]).rank[1] == 1.0


def test_a_constant_embedding_finds_nobody() -> None:
    found = retrieve(np.ones((1, 3)), ["a"], ["a", "b", "c"])
    assert found.rank[1] == 0.0
    assert found.mean_ap == pytest.approx(1 / 3)


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 probes"):
        retrieve(np.ones((1, 1)), ["a", "b"], ["a"])


def test_threshold_accepts_at_most_the_asked_share() -> None:
    impostor = np.arange(100) / 100
    threshold = threshold_at_far(impostor, 0.05)
    assert np.mean(impostor >= threshold) == 0.05
    assert np.mean(impostor >= np.nextafter(threshold, -1)) > 0.05
    assert np.mean(impostor >= threshold_at_far(impostor, 0.0)) == 0.0
    assert threshold_at_far(impostor, 1.0) == 0.0


def test_threshold_among_ties_stays_on_the_safe_side() -> None:
    impostor = np.array([0.9, 0.9, 0.9, 0.1])
    assert threshold_at_far(impostor, 0.5) > 0.9


def test_tar_at_far_by_hand() -> None:
    impostor = np.array([0.1, 0.2, 0.3, 0.4])
    assert tar_at_far(np.array([0.35, 0.5, 0.25]), impostor, 0.25) == pytest.approx(2 / 3)


def test_equal_error_rate_by_hand() -> None:
    # At 0.5: one of four impostors is accepted (0.6), one of four genuine rejected (0.4).
    rate, threshold = equal_error_rate(np.array([0.4, 0.5, 0.7, 0.8]), np.array([0.1, 0.2, 0.3, 0.6]))
    assert rate == 0.25
    assert threshold == 0.5
    assert equal_error_rate(np.array([0.9]), np.array([0.1]))[0] == 0.0
    assert equal_error_rate(np.array([0.1]), np.array([0.9]))[0] == 1.0


def test_scores_must_be_there() -> None:
    with pytest.raises(ValueError, match="no impostor score"):
        threshold_at_far(np.array([]), 0.01)
    with pytest.raises(ValueError, match="no genuine score"):
        tar_at_far(np.array([]), np.array([0.1]), 0.01)


def test_standardise_by_given_statistics() -> None:
    mean, std = statistics(np.array([[0.0, 5.0], [2.0, 5.0]]))
    assert standardise(np.array([[3.0, 7.0]]), mean, std).tolist() == [[2.0, 0.0]]


def test_similarities_by_hand() -> None:
    gallery = np.array([[0.0, 2.0], [3.0, 4.0]])
    assert cosine(np.array([[1.0, 0.0], [0.0, 0.0]]), gallery) == pytest.approx(np.array([[0.0, 0.6], [0.0, 0.0]]))
    assert euclidean(np.array([[0.0, 0.0]]), gallery).tolist() == [[-2.0, -5.0]]


def crowd(seed: int = 0, numbers: int = 6) -> dict[str, np.ndarray]:
    """Vectors of 40 probes and 70 entries of 9 people, small whole numbers so that there are ties and copies; person 8
    is asked for and not there, and some sessions are on both sides or unknown."""
    rng = np.random.default_rng(seed)
    people, entries = rng.integers(0, 9, 40), rng.integers(0, 8, 70)
    return {
        "probes": rng.integers(-2, 3, (40, numbers)).astype(np.float32),
        "gallery": rng.integers(-2, 3, (70, numbers)).astype(np.float32),
        "probe_ids": people.astype(str),
        "gallery_ids": entries.astype(str),
        "probe_sessions": np.array([f"{p}_{w}" if (w := rng.integers(0, 4)) else "" for p in people]),
        "gallery_sessions": np.array([f"{p}_{w}" if (w := rng.integers(0, 4)) else "" for p in entries]),
    }


def naive(similarity: np.ndarray, c: dict[str, np.ndarray]) -> tuple[np.ndarray, float, list[float]]:
    """(first places, mAP, impostor scores), one entry at a time."""
    first, precision, impostor = [], [], []
    for p, row in enumerate(similarity):
        entries = []
        for g, score in enumerate(row):
            if c["probe_sessions"][p] == "" or c["probe_sessions"][p] != c["gallery_sessions"][g]:
                entries.append((-score, c["probe_ids"][p] == c["gallery_ids"][g]))
        entries.sort()
        impostor += [-score for score, same in entries if not same]
        hits = [place for place, (_, same) in enumerate(entries, 1) if same]
        first.append(hits[0] if hits else np.inf)
        precision.append(np.mean([(n + 1) / place for n, place in enumerate(hits)]) if hits else 0.0)
    return np.array(first), float(np.mean(precision)), impostor


@pytest.mark.parametrize(("name", "compare"), [("cosine", cosine), ("euclidean", euclidean)])
def test_matching_is_what_a_loop_over_all_pairs_finds(
    name: Similarity, compare: Callable[[np.ndarray, np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    c = crowd()
    if name == "cosine":  # squares of whole numbers are exact, so that distances have ties; angles must have none
        c["gallery"] = c["gallery"] + np.random.default_rng(5).normal(0, 0.1, c["gallery"].shape)
    monkeypatch.setattr(matching, "_BLOCK", 70 * 7)  # seven probes at a time, and five at last
    found = match(**c, similarity=name)  # type: ignore[arg-type]
    similarity = compare(c["probes"], c["gallery"])
    first, mean_ap, impostor = naive(similarity, c)
    assert np.isinf(first).sum() == found.retrieval.absent > 0
    assert found.retrieval.rank == {k: float(np.mean(first <= k)) for k in (1, 5, 10)}
    assert found.retrieval.cmc == pytest.approx([np.mean(first <= k) for k in range(1, 10)])
    assert found.retrieval.mean_ap == pytest.approx(mean_ap)
    assert (found.nearest == c["probe_ids"]).tolist() == (first == 1).tolist()
    assert np.all(np.diff(found.impostor) >= 0)
    assert found.impostor == pytest.approx(np.sort(impostor), abs=1e-5)
    genuine, _ = pair_scores(similarity, *list(c.values())[2:])
    assert found.genuine == pytest.approx(np.sort(genuine), abs=1e-5)


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    c = {**crowd(), "probes": rng.normal(size=(40, 30)), "gallery": rng.normal(size=(70, 30))}
    whole = matches_of(euclidean(c["probes"], c["gallery"]), *list(c.values())[2:])
    for entries in (1, 70, 70 * 9, 10**6):
        monkeypatch.setattr(matching, "_BLOCK", entries)
        assert_same(match(**c, similarity="euclidean"), whole)  # type: ignore[arg-type]


def assert_same(a: Matches, b: Matches) -> None:
    assert (a.retrieval.rank, a.retrieval.absent) == (b.retrieval.rank, b.retrieval.absent)
    assert a.retrieval.mean_ap == pytest.approx(b.retrieval.mean_ap, abs=1e-12)
    assert a.nearest.tolist() == b.nearest.tolist()
    for mine, theirs in ((a.retrieval.cmc, b.retrieval.cmc), (a.genuine, b.genuine), (a.impostor, b.impostor)):
        assert mine == pytest.approx(theirs, abs=1e-5)


def test_distances_are_exact_where_vectors_are_long_and_near() -> None:
    rng = np.random.default_rng(1)
    gallery = 100 + rng.normal(size=(50, 91))
    probes = np.concatenate([gallery[:5] + 1e-3 * rng.normal(size=(5, 91)), gallery[5:10]])
    exact = -np.linalg.norm(probes[:, None] - gallery[None], axis=2)
    assert np.abs(euclidean(probes, gallery) - exact).max() < 1e-4
    assert np.diag(euclidean(probes, gallery)[5:, 5:10]).tolist() == [0] * 5


def test_the_nearest_entry_is_named_and_a_tie_goes_to_the_wrong_one() -> None:
    similarity = np.array([[0.9, 0.2, 0.1], [0.5, 0.5, 0.1], [0.3, 0.2, 0.1], [0.1, 0.1, 0.1]])
    found = matches_of(similarity, ["a", "a", "b", "c"], ["a", "b", "c"])
    assert found.nearest.tolist() == ["a", "b", "a", "a"]
    alone = matches_of(np.array([[1.0]]), ["a"], ["a"], ["a_1"], ["a_1"])
    assert alone.nearest.tolist() == [""]
    assert (alone.retrieval.absent, alone.retrieval.rank[1], len(alone.genuine)) == (1, 0.0, 0)


def test_the_match_curve_by_hand_ends_with_the_number_of_people() -> None:
    similarity = np.array([[0.9, 0.5, 0.7], [0.8, 0.9, 0.1]])
    assert retrieve(similarity, ["a", "b"], ["a", "a", "b"]).cmc.tolist() == [0.5, 0.5]
    assert len(retrieve(np.zeros((1, 30)), ["0"], [str(n) for n in range(30)]).cmc) == 20


def test_a_part_of_the_pairs_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ids = np.arange(400) % 20
    vectors = (rng.normal(size=(20, 5))[ids] + rng.normal(size=(400, 5))).astype(np.float32)
    labels = ids.astype(str), ids.astype(str)
    every = match(vectors, vectors[::-1], labels[0], labels[1][::-1])
    monkeypatch.setattr(matching, "PAIRS", 3000)
    some = match(vectors, vectors[::-1], labels[0], labels[1][::-1])
    assert (len(every.genuine), len(every.impostor)) == (400 * 20, 400 * 380)
    assert 2500 < len(some.impostor) <= 3300
    assert 2400 < len(some.genuine) <= 3300
    full, part = (verify(found.genuine, found.impostor) for found in (every, some))
    assert part.eer == pytest.approx(full.eer, abs=0.01)
    assert part.tar == pytest.approx(full.tar, abs=0.03)
    assert every.retrieval.rank == some.retrieval.rank


def test_verification_by_hand() -> None:
    found = verify(np.array([0.4, 0.5, 0.7, 0.8]), np.array([0.1, 0.2, 0.3, 0.6]), far=0.25)
    assert (found.eer, found.tar, found.far) == (0.25, 1.0, 0.25)
    assert 0.3 < found.threshold < 0.4


def test_scores_that_are_all_alike_verify_nobody() -> None:
    alike = np.full(50, 0.1, np.float32)
    found = verify(alike, alike)
    assert (found.eer, found.tar) == (0.5, 0.0)


def test_vectors_that_do_not_fit_their_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 probes with 1 labels"):
        match(np.ones((2, 3)), np.ones((1, 3)), ["a"], ["a"])
    with pytest.raises(ValueError, match="0 probes"):
        match(np.ones((0, 3)), np.ones((1, 3)), [], ["a"])
