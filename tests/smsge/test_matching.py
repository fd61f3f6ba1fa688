"""Metrics against cases worked out by hand."""

import numpy as np
import pytest

from smsge.matching import (
    cosine,
    equal_error_rate,
    euclidean,
    pair_scores,
    retrieve,
    standardise,
    statistics,
    tar_at_far,
    threshold_at_far,
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
