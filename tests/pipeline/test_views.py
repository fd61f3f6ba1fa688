"""Questions by how differently the camera sees somebody."""

import numpy as np

from pipeline.views import answers, questions, table

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
    assert answers(similarity, asked).tolist() == [True, False, False, True]
    lines = table({"it": similarity}, PEOPLE, asked).splitlines()
    assert "90-120° (2)" in lines[0]
    assert lines[2].startswith("| it | - | - | - | 50.0 | - | 50.0 | 50.0 |")
