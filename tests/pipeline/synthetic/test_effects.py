"""A day changes how somebody walks, in the direction that is known, and leaves them who they are."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from pipeline.synthetic.body import Body, draw_body
from pipeline.synthetic.effects import Effects, Load, draw_effects, with_effects
from pipeline.synthetic.gait import Style, draw_style, session_style, style_distance
from pipeline.synthetic.legs import walking_speed


def person(seed: int = 0) -> tuple[Body, Style]:
    generator = np.random.default_rng(seed)
    return draw_body(generator), draw_style(generator)


def test_an_ordinary_day_barefoot_changes_nothing() -> None:
    body, style = person()
    plain, same = with_effects(body, style, Effects())
    assert plain == body
    assert style_distance(style, same) == 0.0


def test_days_of_one_person_are_nearer_to_each_other_than_strangers() -> None:
    generator = np.random.default_rng(1)
    days = []
    for _ in range(40):
        body, style = draw_body(generator), draw_style(generator)
        days.append(
            [
                with_effects(body, session_style(style, generator, pace=1.0), draw_effects(generator))[1]
                for _ in range(2)
            ]
        )
    own = np.array([style_distance(first, second) for first, second in days])
    others = np.array([style_distance(days[i][0], days[j][1]) for i in range(40) for j in range(40) if i != j])
    assert (own[:, None] < others).mean() > 0.9
    assert own.mean() > 0.3  # more than a day without effects: about 0.25


def test_days_are_drawn_within_their_ranges() -> None:
    generator = np.random.default_rng(2)
    days = [draw_effects(generator) for _ in range(400)]
    assert 0.06 < np.std([day.pace for day in days]) < 0.1
    assert all(0.0 <= day.heel <= 0.06 and -1.0 <= day.mood <= 1.0 for day in days)
    assert {day.load for day in days} == set(Load.__args__)
    assert all((day.kilograms > 0) == (day.load != "none") for day in days)
    assert draw_effects(np.random.default_rng(3)) == draw_effects(np.random.default_rng(3))


def test_a_quicker_day_is_quicker_by_about_as_much() -> None:
    body, style = person(2)
    faster = walking_speed(*with_effects(body, style, Effects(pace=1.1)))
    assert faster / walking_speed(body, style) == pytest.approx(1.1, abs=0.03)


def test_heels_raise_the_ankle_and_shorten_foot_and_step() -> None:
    body, style = person(3)
    shod, walked = with_effects(body, style, Effects(heel=0.06, sole=0.01))
    assert 0.04 < shod.ankle_height - body.ankle_height < 0.06
    assert shod.foot < body.foot
    assert walked.hip_scale < style.hip_scale
    changed = {name for name, value in asdict(body).items() if asdict(shod)[name] != value}
    assert changed == {"ankle_height", "foot"}


@pytest.mark.parametrize("place", ["shoulder", "hand"])
@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_the_arm_on_the_loaded_side_swings_less_and_the_trunk_leans_away(place: str, side: str, sign: float) -> None:
    body, style = person(4)
    load: Load = f"{side} {place}"  # type: ignore[assignment]
    _, walked = with_effects(body, style, Effects(load=load, kilograms=5.0))

    def arm(of: Style, which: float) -> float:
        return of.arm_scale * (1.0 + which * of.arm_asymmetry)

    assert arm(walked, sign) < 0.85 * arm(style, sign)
    assert arm(walked, -sign) == pytest.approx(arm(style, -sign))
    assert sign * (walked.trunk_side - style.trunk_side) < -0.01
    if place == "hand":
        straightened = [
            one.elbow_carriage + which * one.elbow_asymmetry for which in (sign, -sign) for one in (style, walked)
        ]
        assert straightened[1] < straightened[0]
        assert straightened[3] == pytest.approx(straightened[2])


def test_a_backpack_makes_lean_forwards_and_twist_less() -> None:
    body, style = person(5)
    light, heavy = (with_effects(body, style, Effects(load="backpack", kilograms=kg))[1] for kg in (3.0, 12.0))
    assert style.trunk_lean < light.trunk_lean < heavy.trunk_lean < style.trunk_lean + np.radians(8)
    assert heavy.trunk_twist < style.trunk_twist


def test_the_subdued_look_down_and_swing_their_arms_less() -> None:
    body, style = person(6)
    low, high = (with_effects(body, style, replace(Effects(), mood=mood))[1] for mood in (-1.0, 1.0))
    assert low.arm_scale < style.arm_scale < high.arm_scale
    assert low.bob < high.bob
    assert low.head_pitch > high.head_pitch
    assert low.trunk_lean > high.trunk_lean
