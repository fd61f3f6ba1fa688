"""Bodies have the builds that anthropometry says people have."""

from dataclasses import asdict

import numpy as np
import pytest

from pipeline.synthetic.body import Body, draw_body


def crowd(sex: str, count: int = 250) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    bodies = [draw_body(generator, "female" if sex == "female" else "male") for _ in range(count)]
    return {name: np.array([asdict(body)[name] for body in bodies]) for name in asdict(bodies[0]) if name != "sex"}


def test_the_same_seed_gives_the_same_body() -> None:
    assert draw_body(np.random.default_rng(7)) == draw_body(np.random.default_rng(7))
    assert draw_body(np.random.default_rng(7)) != draw_body(np.random.default_rng(8))


def test_stature_has_the_published_mean_and_spread_of_either_sex() -> None:
    men, women = crowd("male"), crowd("female")
    assert abs(men["stature"].mean() - 1.756) < 0.015
    assert abs(women["stature"].mean() - 1.629) < 0.015
    assert 0.055 < men["stature"].std() < 0.08


def test_segments_add_up_to_the_stature() -> None:
    body: Body = draw_body(np.random.default_rng(3))
    standing = body.leg + body.trunk + body.neck + body.head_height
    assert abs(standing - body.stature) < 0.03 * body.stature


def test_segments_follow_stature_but_not_blindly() -> None:
    people = crowd("male")
    together = np.corrcoef(people["stature"], people["thigh"])[0, 1]
    assert 0.6 < together < 0.95
    ratio = people["thigh"] / people["trunk"]
    assert 0.05 < ratio.std() / ratio.mean() < 0.12
    assert np.corrcoef(people["upper_arm"] / people["stature"], people["forearm"] / people["stature"])[0, 1] > 0.3


def test_men_have_broader_shoulders_and_women_broader_hips_for_their_stature() -> None:
    men, women = crowd("male"), crowd("female")
    assert (men["shoulder_width"] / men["stature"]).mean() > (women["shoulder_width"] / women["stature"]).mean()
    assert (men["hip_width"] / men["stature"]).mean() < (women["hip_width"] / women["stature"]).mean()
    assert min(values.min() for values in men.values()) > 0.02


@pytest.mark.parametrize("sex", ["female", "male"])
def test_measures_go_together_as_they_do_in_people(sex: str) -> None:
    """Wide ranges about what surveys of adults find: legs follow stature closely, feet less, the upper body least."""
    people = crowd(sex, 800)
    people["leg"] = people["thigh"] + people["shank"] + people["ankle_height"]
    people["arm"] = people["upper_arm"] + people["forearm"] + people["hand"]
    people["upper body"] = people["trunk"] + people["neck"] + people["head_height"]

    def together(first: str, second: str) -> float:
        return float(np.corrcoef(people[first], people[second])[0, 1])

    assert 0.75 < together("stature", "leg") < 0.95
    assert 0.6 < together("stature", "foot") < 0.85
    assert 0.65 < together("stature", "arm") < 0.9
    assert 0.5 < together("stature", "upper body") < 0.85
    assert 0.4 < together("stature", "shoulder_width") < 0.75
    assert together("leg", "upper body") < 0.5
    assert together("thigh", "shank") > 0.7
    assert together("waist_radius", "stature") < 0.5
