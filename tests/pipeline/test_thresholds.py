"""Which similarity is enough: the quantiles against a naive count, what lies between them, and what is not believed."""

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.errors import ConfigError, DatasetError
from pipeline.in_common import ALIKE
from pipeline.thresholds import FAR, FEWEST, Thresholds

TABLE = Thresholds(
    (0.1, 0.01, 0.001), (1, 4), ((0.3, 0.5, 0.6), (0.4, 0.6, 0.9)), ((0.1, 0.4), (0.01, 0.2)), people=9, pairs=5000
)


def people(count: int, clips: int, spread: float = 0.6, seed: int = 3) -> tuple[np.ndarray, list[str], list[str]]:
    """Similarities (N, N) of people with so many clips of one track each, in 8 dimensions."""
    generator = np.random.default_rng(seed)
    vectors = np.repeat(generator.normal(size=(count, 8)), clips, axis=0)
    vectors += spread * generator.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"p{person}" for person in range(count) for _ in range(clips)]
    return vectors @ vectors.T, names, [f"{name}-{clip}" for clip, name in enumerate(names)]


def fitted(count: int = 30, clips: int = 4, **options: Any) -> Thresholds:
    return Thresholds.fit(*people(count, clips, **options), np.random.default_rng(0))


def test_the_rates_asked_for_pass() -> None:
    similarity, names, clips = people(30, 4)
    found = fitted()
    other = np.array(names)[:, None] != np.array(names)[None]
    for rate in found.rates:
        assert (similarity[other] >= found.at(rate)).mean() == pytest.approx(rate, abs=2 / other.sum())
    # Against all four tracks of a stranger at once, naively; the four are the only draw there is.
    groups = similarity.reshape(len(names), 30, 4).max(axis=2)[np.arange(120)[:, None] // 4 != np.arange(30)]
    assert (groups >= found.at(0.01, 4)).mean() <= 0.01
    assert (groups >= found.at(0.01, 4) - 0.01).mean() > 0.005
    assert (groups >= found.at(0.01, 1)).mean() > 0.02  # what the threshold of one template would have let pass
    genuine = similarity[~other & (np.array(clips)[:, None] != np.array(clips)[None])]
    assert found.below(0.02) is not None
    assert (genuine < found.below(0.02)).mean() <= 0.02  # type: ignore[operator]
    assert (genuine <= found.below(0.02)).mean() > 0.015  # type: ignore[operator]


def test_strangers_filmed_alike_pass_no_more_often_than_others() -> None:
    generator = np.random.default_rng(4)
    names = [f"p{number}" for number in range(40) for _ in range(4)]
    kinds = np.array(["near", "near", "far", "far"] * 40)
    vectors = np.repeat(generator.normal(size=(40, 16)), 4, axis=0) + 0.5 * generator.normal(size=(160, 16))
    vectors[kinds == "far"] += 1.5  # all who are filmed from afar have something in common
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = vectors @ vectors.T, names, [str(clip) for clip in range(160)]
    told = Thresholds.fit(*labels, np.random.default_rng(0), kinds=kinds)
    blind = Thresholds.fit(*labels, np.random.default_rng(0))

    def passing(kind: str, threshold: float) -> float:
        own = kinds == kind
        other = np.array(names)[own][:, None] != np.array(names)[own][None]
        return float((labels[0][np.ix_(own, own)][other] >= threshold).mean())

    assert max(passing(kind, told.at(0.01)) for kind in ("near", "far")) <= 0.01
    assert passing("far", told.at(0.01)) > 0.005
    assert passing("far", blind.at(0.01)) > 0.02
    assert told.pairs < blind.pairs
    # Only those who are near have four tracks here; what four ask for more is asked of those who are far as well.
    few = np.array([kind == "near" or number % 4 == 2 for number, kind in enumerate(kinds)])
    again = np.concatenate([np.flatnonzero(few), np.flatnonzero(kinds == "near")])
    parts = labels[0][np.ix_(again, again)], np.array(names)[again], np.arange(len(again)).astype(str)
    found = Thresholds.fit(*parts, np.random.default_rng(0), kinds=kinds[again])
    assert found.at(0.01, 4) > found.at(0.01, 1)


def test_no_rate_is_believed_that_the_strictest_kind_cannot_tell() -> None:
    generator = np.random.default_rng(5)
    names = [f"p{number}" for number in range(30) for _ in range(5)]
    kinds = np.array(["alike", "poor", "poor", "poor", "poor"] * 30)
    vectors = generator.normal(size=(150, 16))
    vectors[kinds == "alike"] += 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clips = [str(clip) for clip in range(150)]
    found = Thresholds.fit(vectors @ vectors.T, names, clips, np.random.default_rng(0), kinds=kinds)
    assert found.rates[-1] == 0.01  # 870 comparisons of those who are alike; the 13,920 of the others tell 0.001
    assert found.pairs == 870
    assert found.among(0.01, 2) > found.at(0.01) + 0.01


def test_more_templates_and_rarer_strangers_never_ask_for_less() -> None:
    for found in (fitted(spread=2.0), fitted(40, 8), fitted(12, 3)):
        values = [[found.at(rate, held) for rate in found.rates] for held in range(1, 12)]
        assert (np.diff(values, axis=0) >= 0).all()
        assert (np.diff(values, axis=1) >= 0).all()


def test_what_two_templates_ask_for_is_told_of_their_mean_too() -> None:
    """Strangers between the two tracks that everybody has are nearer to their mean than to either of them."""
    generator = np.random.default_rng(4)
    axes = generator.normal(size=(60, 6))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    side = generator.normal(size=(60, 6))
    side -= (side * axes).sum(axis=1, keepdims=True) * axes
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    vectors = np.stack([0.5 * axes + 0.75**0.5 * side, 0.5 * axes - 0.75**0.5 * side], axis=1).reshape(120, 6)
    people = np.repeat([f"p{number:02d}" for number in range(60)], 2)
    told = Thresholds.fit(vectors @ vectors.T, people, np.arange(120).astype(str), np.random.default_rng(0))
    strangers = people[:, None] != people[None, ::2]
    passed = (vectors @ axes.T)[strangers]
    nearest = np.maximum(vectors @ vectors[::2].T, vectors @ vectors[1::2].T)[strangers]
    wanted = np.quantile(np.maximum(passed, nearest), 0.99)
    assert told.at(0.01, 2) == pytest.approx(wanted, abs=0.008)
    assert wanted > np.quantile(nearest, 0.99) + 0.02


def test_only_what_the_comparisons_can_tell_is_kept() -> None:
    found = fitted(30, 4)
    assert found.templates == (1, 2, 4)
    assert found.pairs == 120 * 29  # of four templates: each track against each other person
    assert found.people == 30
    assert all(rate * found.pairs >= FEWEST for rate in found.rates)
    assert found.rates[-1] == 0.002
    assert [rate for rate, _ in found.rejects] == [0.1, 0.05, 0.02]  # 360 comparisons of one person
    assert fitted(40, 1).rejects == ()
    with pytest.raises(DatasetError, match=r"8 people gave 224 comparisons .* 0\.01 needs 500 \(0\.05 is the"):
        fitted(8, 2)
    assert Thresholds.fit(*people(8, 2), np.random.default_rng(0), far=0.05).rates == (0.1, 0.05)
    assert fitted(8, 4).templates == (1, 2)  # 224 comparisons with all four of somebody's are too few for 0.01
    with pytest.raises(DatasetError, match=r"0\.03 needs 250"):
        Thresholds.fit(*people(8, 2), np.random.default_rng(0), far=0.03)
    with pytest.raises(DatasetError, match="tell no rate at all"):
        fitted(1, 5)


def test_a_few_people_with_many_tracks_do_not_speak_for_all() -> None:
    similarity, names, clips = people(30, 8)
    chosen = [row for row in range(240) if row % 8 < 2 or row < 40]  # eight tracks of five people, two of the others
    found = Thresholds.fit(
        similarity[np.ix_(chosen, chosen)],
        [names[row] for row in chosen],
        [clips[row] for row in chosen],
        np.random.default_rng(0),
    )
    assert found.templates == (1, 2)


def test_tracks_of_one_clip_are_never_compared() -> None:
    similarity, names, clips = people(30, 4)
    together = [clip if row % 4 else "crowd" for row, clip in enumerate(clips)]  # the first clip shows everybody
    spoilt = similarity.copy()
    spoilt[::4, ::4] = 1.0
    found = Thresholds.fit(spoilt, names, together, np.random.default_rng(0))
    assert found.at(0.01, 1) < 0.99
    assert Thresholds.fit(spoilt, names, clips, np.random.default_rng(0)).at(0.01, 1) == 1.0
    unknown = Thresholds.fit(similarity, names, [""] * len(names), np.random.default_rng(0))
    assert unknown.pairs == 120 * 29  # of no clip is not of one clip


def test_the_same_people_give_the_same_thresholds() -> None:
    assert fitted() == fitted()


def test_between_rates_and_templates_it_is_linear_in_their_logarithms() -> None:
    assert TABLE.at(0.01, 1) == pytest.approx(0.5)
    assert TABLE.at(10**-1.5, 1) == pytest.approx(0.4)
    assert TABLE.at(0.01, 2) == pytest.approx(0.55)
    assert TABLE.at(10**-2.5, 2) == pytest.approx((0.55 + 0.75) / 2)
    assert TABLE.at(0.5, 1) == TABLE.at(0.1, 1)
    assert TABLE.at(0.1, 100) == TABLE.at(0.1, 4) == pytest.approx(0.4)
    assert TABLE.below(0.5) == pytest.approx(0.4)
    assert TABLE.below(10**-1.5) == pytest.approx(0.3)


def test_a_rate_that_cannot_be_told_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"0\.0001 was asked for, 0\.001 is the smallest"):
        TABLE.at(0.0001)
    assert TABLE.below(0.001) is None


def test_of_an_old_encoder_one_rate_is_known() -> None:
    single = Thresholds.single(0.4)
    assert [single.at(FAR, held) for held in (1, 3, 20)] == [0.4] * 3
    assert single.below(0.01) is None
    for rate in (0.02, 0.001):
        with pytest.raises(ConfigError, match="reid calibrate FOLDER"):
            single.at(rate)


def test_they_survive_a_file() -> None:
    for told in (TABLE, Thresholds.single(-0.25), fitted()):
        again = Thresholds.from_json(json.loads(json.dumps(told.json())))
        assert again == told


@pytest.mark.parametrize(
    "change",
    [
        {"rates": [0.1, 0.1, 0.001]},
        {"rates": [0.1, 0.01, 0]},
        {"rates": [2, 0.01, 0.001]},
        {"rates": []},
        {"rates": [0.1, 0.01]},
        {"rates": "abc"},
        {"rates": None},
        {"rates": [0.1, 0.01, True]},
        {"rates": [0.1, 0.01, float("nan")]},
        {"templates": [0, 4]},
        {"templates": [4, 1]},
        {"templates": [1, 4.0]},
        {"templates": [1]},
        {"similarity": [[0.3, 0.5, 0.6], [0.4, 0.6]]},
        {"similarity": [[0.3, 0.5, 0.6], [0.4, 0.6, 1.2]]},
        {"similarity": [[0.3, 0.5, 0.6], [0.4, 0.6, float("inf")]]},
        {"similarity": [[0.3, 0.5, 0.6], [0.4, 0.3, 0.6]]},
        {"similarity": [[0.3, 0.5, 0.6], [0.2, 0.6, 0.9]]},
        {"similarity": [[0.3, 0.5, 10**400], [0.4, 0.6, 0.9]]},
        {"similarity": 0.5},
        {"rejects": [[0.1, 0.2], [0.01, 0.4]]},
        {"rejects": [[0.1]]},
        {"rejects": [0.1]},
        {"rejects": [[0.9 - n / 100, -n / 100] for n in range(80)]},
        {"people": -1},
        {"pairs": 1.5},
        {"pairs": True},
    ],
    ids=str,
)
def test_what_cannot_be_thresholds_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Thresholds.from_json({**TABLE.json(), **change})
    missing = {key: value for key, value in TABLE.json().items() if key not in change}
    with pytest.raises(ValueError):
        Thresholds.from_json(missing)
    with pytest.raises(ValueError):
        Thresholds.from_json([change])


def test_what_strangers_have_in_common_is_told_by_files_that_know_it() -> None:
    document = TABLE.json()
    assert document.pop("alike") == ALIKE
    assert Thresholds.from_json(document) == TABLE  # as an older file has it
    assert Thresholds.from_json({**document, "alike": 0.25}).alike == 0.25
    for wrong in (1.5, -2, "much", None, True, float("nan")):
        with pytest.raises(ValueError):
            Thresholds.from_json({**document, "alike": wrong})


def test_each_of_many_people_is_given_an_equal_part_of_the_rate() -> None:
    told = Thresholds((0.1, 0.01, 0.001), (1, 2), ((0.2, 0.5, 0.8), (0.3, 0.6, 0.9)))
    assert told.among(0.1, 1) == told.at(0.1) == 0.2
    assert told.among(0.1, 10, templates=2) == pytest.approx(0.6)
    assert told.among(0.01, 5) == pytest.approx(told.at(0.002))
    assert told.among(0.1, 0) == 0.2
    assert Thresholds.single(0.7).among(0.01, 50) == 0.7
    with pytest.raises(ConfigError, match="smallest"):
        told.among(0.0001, 5)
    with pytest.raises(ConfigError, match="knows nothing"):
        Thresholds.single(0.7).among(0.05, 50)


def test_a_part_rarer_than_the_comparisons_tell_is_taken_from_the_tail_of_a_normal_distribution() -> None:
    rates = (0.1, 0.05, 0.02, 0.01, 0.005)
    scores = stats.norm(0.1, 0.2)
    told = Thresholds(rates, (1, 2), tuple(tuple(scores.isf(rates) + more) for more in (0.0, 0.05)))
    assert told.among(0.01, 100) == pytest.approx(scores.isf(0.0001))
    assert told.among(0.01, 100, templates=2) == pytest.approx(scores.isf(0.0001) + 0.05)
    assert told.among(0.005, 4) == pytest.approx(scores.isf(0.00125))
    assert told.among(0.01, 10**9) == 1.0


def test_no_more_strangers_of_a_normal_kind_are_called_by_a_name_than_the_rate_says_however_many_are_enrolled() -> None:
    generator = np.random.default_rng(3)
    known = np.sort(generator.normal(0, 0.15, 4000))[::-1]
    rates = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
    told = Thresholds(rates, (1,), (tuple(known[int(rate * len(known))] for rate in rates),))
    for people in (5, 50, 200):
        best = generator.normal(0, 0.15, (5000, people)).max(axis=1)
        assert np.mean(best >= told.among(0.02, people)) < 0.03
    # Asking for no more than the calibration tells would let pass ten times as many.
    assert np.mean(best >= told.at(0.002)) > 0.2


def test_one_rate_of_the_tail_alone_says_nothing_of_rarer_ones() -> None:
    assert Thresholds((0.1, 0.01), (1,), ((0.2, 0.5),)).among(0.02, 50) == 0.5
