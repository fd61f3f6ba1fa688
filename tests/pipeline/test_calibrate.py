"""The threshold and the standards, from made-up descriptors of known people."""

import numpy as np
import pytest

from pipeline.calibrate import FAR, calibrate
from pipeline.errors import DatasetError
from pipeline.thresholds import Thresholds
from smsge.fusion import fuse
from smsge.matching import pair_scores


def described(people: int, clips: int = 4) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    generator = np.random.default_rng(5)
    names = [f"p{person:02d}" for person in range(people) for _ in range(clips)]
    sessions = [f"{name}-{clip % clips}" for clip, name in enumerate(names)]
    raw = {
        part: np.repeat(generator.normal(size=(people, size)), clips, axis=0)
        + 0.5 * generator.normal(size=(people * clips, size))
        for part, size in (("encoder", 12), ("posture", 20))
    }
    return raw, names, sessions


def test_the_threshold_lets_the_chosen_share_of_strangers_pass():
    raw, names, sessions = described(40)
    done = calibrate(raw, names, sessions)
    held = np.isin(names, np.unique(names)[3::4])
    joined = fuse([done.standards[p](raw[p][held]) for p in done.weights], list(done.weights.values()))
    who, where = np.array(names)[held], np.array(sessions)[held]
    genuine, impostor = pair_scores(joined @ joined.T, who, who, where, where)
    assert (impostor >= done.threshold).mean() <= FAR + 0.002  # rounding to float32
    assert (impostor >= done.threshold).mean() > FAR / 2
    assert (genuine >= done.threshold).mean() == pytest.approx(done.report["joined true_accept_rate"], abs=0.02)
    assert done.report["people"] == 10


def test_thresholds_for_more_templates_come_with_it():
    done = calibrate(*described(60, 8))
    assert done.thresholds.at(FAR) == pytest.approx(done.threshold, abs=1e-5)
    assert done.thresholds.templates == (1, 2, 4, 8)
    assert done.thresholds.at(FAR, 4) > done.threshold
    assert done.thresholds.people == 15
    few = calibrate(*described(8))
    assert few.thresholds == Thresholds.single(few.threshold)


def test_nothing_is_fitted_to_the_people_of_the_threshold():
    raw, names, sessions = described(40)
    held = np.isin(names, np.unique(names)[3::4])
    other = {part: np.where(held[:, None], 9.0, values) for part, values in raw.items()}
    for part, standard in calibrate(raw, names, sessions).standards.items():
        np.testing.assert_array_equal(standard.project, calibrate(other, names, sessions).standards[part].project)


def test_too_few_people_are_refused():
    with pytest.raises(DatasetError, match="too few"):
        calibrate(*described(7))
