"""Questions by how differently the camera sees somebody."""

import numpy as np

from pipeline.thresholds import Thresholds
from pipeline.views import FEW, found_among, nearer, questions, searched, strangers, table

PEOPLE = np.array(["a", "a", "b", "b", "c"])
SHOTS = np.array(["a1", "a2", "b1", "b2", "c1"])
AZIMUTHS = np.array([0.0, 170.0, 10.0, -100.0, 90.0])


def test_every_pair_of_shots_asks_and_strangers_are_seen_as_differently() -> None:
    asked = questions(PEOPLE, SHOTS, AZIMUTHS)
    assert [(q.probe, q.mate, q.bin) for q in asked] == [(0, 1, 5), (1, 0, 5), (2, 3, 3), (3, 2, 3)]
    # The probe looks 170 degrees away from its mate; of b's tracks the second, at 100, is nearest to that.
    assert sorted(asked[0].others.tolist()) == [3, 4]


def test_differences_go_round_the_circle() -> None:
    asked = questions(np.array(["a", "a", "b"]), np.array(["1", "2", "3"]), np.array([175.0, -175.0, 0.0]))
    assert {q.bin for q in asked} == {0}


def test_tracks_of_one_shot_do_not_ask_each_other() -> None:
    assert questions(np.array(["a", "a", "b"]), np.array(["1", "1", "2"]), np.zeros(3)) == []


def test_a_mate_must_be_nearer_than_everybody_else() -> None:
    asked = questions(PEOPLE, SHOTS, AZIMUTHS)
    similarity = np.zeros((5, 5))
    similarity[0, 1], similarity[0, 3] = 0.9, 0.8  # right
    similarity[1, 0] = similarity[1, 4] = 0.9  # a tie
    similarity[2, 3] = -1.0
    similarity[3, 2] = 0.1
    assert nearer(similarity, asked).tolist() == [0, 1, 2, 0]
    lines = table({"it": similarity}, PEOPLE, asked).splitlines()
    assert "90-120° (2)" in lines[0]
    assert lines[2].startswith("| it | - | - | - | 50.0 | - | 50.0 | 50.0 |")
    assert lines[2].endswith("| – |")  # three people are fewer than the few


def test_in_a_smaller_gallery_those_who_were_nearer_may_be_missing() -> None:
    generator = np.random.default_rng(0)
    similarity = generator.normal(size=(40, 40))
    people = np.array([f"p{number // 2}" for number in range(40)])
    asked = questions(people, np.arange(40).astype(str), np.zeros(40))
    before, others = nearer(similarity, asked), np.array([len(question.others) for question in asked])
    tried = []
    for question in asked:
        draws = np.array([generator.choice(question.others, FEW - 1, replace=False) for _ in range(400)])
        tried.append((similarity[question.probe, draws].max(axis=1) < similarity[question.probe, question.mate]).mean())
    np.testing.assert_allclose(found_among(FEW, before, others), tried, atol=0.1)
    assert np.isnan(found_among(FEW, np.zeros(1, np.int64), np.array([FEW - 2]))).all()
    assert found_among(FEW, np.array([0, 3]), np.array([FEW - 1, FEW - 1])).tolist() == [1, 0]


def test_what_a_threshold_lets_pass_is_told_of_strangers_and_of_one_person() -> None:
    centre = np.eye(4)[3] * 2
    vectors = centre + np.array([np.eye(4)[0], np.eye(4)[0], np.eye(4)[1], np.eye(4)[1], np.eye(4)[2]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    told = strangers(vectors, PEOPLE, SHOTS, 0.7)
    assert told == "threshold 0.700: accepts 0.00 % of 16 pairs of strangers, 100.00 % of 4 pairs of one person"
    assert "accepts 100.00 %" in strangers(vectors, PEOPLE, SHOTS, -1.0)


def test_a_search_names_those_enrolled_and_no_stranger() -> None:
    axes = np.eye(3)
    vectors = np.array([axes[0], axes[0], axes[1], axes[1], axes[2]])
    told = searched(vectors, PEOPLE, SHOTS, Thresholds.single(0.7))
    assert told.startswith("3 enrolled by one track, match from 0.720: of 2 tracks 100.0 % are called by their name")
    assert told.endswith("0.0 % by another; of strangers' 0.0 % are called by a name")
    anybody = searched(vectors, PEOPLE, SHOTS, Thresholds((0.01, 0.001), (1,), ((-1.0, -1.0),)))
    assert anybody.endswith("of strangers' 100.0 % are called by a name")
    swapped = searched(vectors[[0, 2, 2, 0, 4]], PEOPLE, SHOTS, Thresholds.single(0.7))
    assert "0.0 % are called by their name and 100.0 % by another" in swapped
