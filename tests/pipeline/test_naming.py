"""Who is called by which name in a search of people who are known."""

import numpy as np
import pytest

from pipeline.naming import Named, named
from pipeline.thresholds import Thresholds

AXES = np.eye(4)
ANN, BEN, CAT = (AXES[number] for number in range(3))
ALIKE = (BEN + 0.2 * ANN) / np.linalg.norm(BEN + 0.2 * ANN)


def asked(probes: list[np.ndarray], people: list[str], thresholds: Thresholds) -> Named:
    gallery = np.stack([ANN, BEN, CAT])
    return named(gallery, np.array(["ann", "ben", "cat"]), np.stack(probes), np.array(people), thresholds)


def test_right_wrong_and_strangers_are_shares_of_the_probes() -> None:
    told = asked([ANN, BEN, ALIKE, -ANN], ["ann", "ben", "ann", "cat"], Thresholds.single(0.7))
    assert (told.right, told.wrong) == (0.5, 0.25)
    assert told.stranger == 0.25  # ann's second probe is taken for ben whether she is enrolled or not


def test_where_nobody_else_is_enrolled_nothing_is_said_of_strangers() -> None:
    told = named(ANN[None], np.array(["ann"]), ANN[None], np.array(["ann"]), Thresholds.single(0.7))
    assert told.right == 1
    assert np.isnan(told.stranger)


def test_more_is_asked_of_somebody_with_more_templates_and_among_more_people() -> None:
    gallery, who = np.stack([ANN, ANN, BEN]), np.array(["ann", "ann", "ben"])
    lenient = Thresholds((0.01, 0.005), (1, 2), ((0.1, 0.1), (0.1, 0.1)))
    for strict in (
        Thresholds((0.01, 0.005), (1, 2), ((0.1, 0.1), (1.0, 1.0))),  # of two templates
        Thresholds((0.01, 0.005), (1, 2), ((0.1, 1.0), (0.1, 1.0))),  # among two people
    ):
        probe = (ANN + 0.3 * CAT)[None] / np.linalg.norm(ANN + 0.3 * CAT)
        shares = [named(gallery, who, probe, np.array(["ann"]), thresholds).right for thresholds in (lenient, strict)]
        assert shares == pytest.approx([1, 0])


def test_somebody_is_called_by_the_mean_of_their_templates() -> None:
    """Between two templates of Ann, 0.71 from each of them, and right at their mean."""
    gallery, who = np.stack([(ANN + BEN) / 2**0.5, (ANN - BEN) / 2**0.5, CAT]), np.array(["ann", "ann", "cat"])
    told = named(gallery, who, ANN[None], np.array(["ann"]), Thresholds.single(0.9))
    assert (told.right, told.stranger) == (1, 0)


def test_of_somebody_enrolled_alone_more_is_asked_than_of_one_among_people_who_share_nothing() -> None:
    probe = (ANN + 0.7 * AXES[3])[None] / np.linalg.norm(ANN + 0.7 * AXES[3])
    alone = named(ANN[None], np.array(["ann"]), probe, np.array(["ann"]), Thresholds.single(0.7))
    others = named(np.stack([ANN, BEN, CAT]), np.array(["ann", "ben", "cat"]), probe, np.array(["ann"]),
                   Thresholds.single(0.7))  # fmt: skip
    assert (alone.right, others.right) == (0, 1)
