"""Walking curves look like walking, and a style is a person's own."""

import numpy as np
import pytest

from pipeline.synthetic.gait import curve, draw_style, mean_angle, session_style, style_distance

PHASE = np.arange(200) / 200


def test_the_mean_curves_are_those_of_normal_gait() -> None:
    style = draw_style(np.random.default_rng(0))
    plain = type(style)(**{**vars(style), "shape": np.ones_like(style.shape)})
    knee = np.degrees(mean_angle("knee") + curve(plain, "knee", 0, PHASE))
    hip = np.degrees(mean_angle("hip") + curve(plain, "hip", 0, PHASE))
    assert 0.66 < PHASE[knee.argmax()] < 0.78
    assert 52 < knee.max() < 68
    assert 0.45 < PHASE[hip.argmin()] < 0.58
    assert 36 < np.ptp(hip) < 50


def test_a_person_stays_like_themselves_from_day_to_day() -> None:
    generator = np.random.default_rng(1)
    people = [draw_style(generator) for _ in range(20)]
    days = [(session_style(one, generator), session_style(one, generator)) for one in people]
    own = [style_distance(first, second) for first, second in days]
    others = [style_distance(days[i][0], days[j][1]) for i in range(20) for j in range(20) if i != j]
    assert np.mean(own) < 0.5 * np.mean(others)
    assert max(own) < min(others)
    assert min(own) > 0.0


def test_the_same_seed_gives_the_same_style() -> None:
    first, second = (draw_style(np.random.default_rng(4)) for _ in range(2))
    assert first.cadence == second.cadence
    np.testing.assert_array_equal(first.shape, second.shape)


def test_a_quicker_pace_takes_quicker_and_longer_steps() -> None:
    style = draw_style(np.random.default_rng(2))
    slow = session_style(style, np.random.default_rng(0), pace=0.9)
    fast = session_style(style, np.random.default_rng(0), pace=1.1)
    assert fast.cadence / slow.cadence == pytest.approx((1.1 / 0.9) ** 0.5)
    assert fast.hip_scale > slow.hip_scale
