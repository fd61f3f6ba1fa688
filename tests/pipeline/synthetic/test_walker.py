"""A walk keeps the body's bones, stands on the ground and does not slide."""

import numpy as np
import pytest

from pipeline.synthetic.body import Body, draw_body
from pipeline.synthetic.gait import Style, draw_style
from pipeline.synthetic.legs import walk_cycle, walking_speed
from pipeline.synthetic.path import loop, straight
from pipeline.synthetic.walker import Motion, walk


def person(seed: int) -> tuple[Body, Style]:
    generator = np.random.default_rng(seed)
    return draw_body(generator), draw_style(generator)


def stroll(seed: int, seconds: float = 5.0) -> tuple[Body, Style, Motion]:
    body, style = person(seed)
    motion = walk(body, style, loop(8.0), np.arange(0.0, seconds, 0.02), generator=np.random.default_rng(seed))
    return body, style, motion


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bones_keep_their_lengths(seed: int) -> None:
    body, _, motion = stroll(seed)
    joints = motion.joints
    for side in ("left", "right"):
        for upper, lower, length in (
            ("hip", "knee", body.thigh),
            ("knee", "ankle", body.shank),
            ("shoulder", "elbow", body.upper_arm),
            ("elbow", "wrist", body.forearm),
        ):
            measured = np.linalg.norm(joints[f"{side} {upper}"] - joints[f"{side} {lower}"], axis=1)
            np.testing.assert_allclose(measured, length, rtol=0.01)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_lower_foot_is_on_the_ground_and_stays_where_it_is(seed: int) -> None:
    _, style, motion = stroll(seed)
    feet = np.stack([motion.joints[f"{side} {at}"][:, 1] for side in ("left", "right") for at in ("heel", "ball")])
    assert -0.01 < feet.min() < 0.005
    assert feet.min(0).max() < 0.045
    for number, side in enumerate(("left", "right")):
        phase = np.mod(motion.phase + 0.5 * number, 1.0)
        ball = motion.joints[f"{side} ball"][:, [0, 2]]
        pace = np.linalg.norm(np.gradient(ball, 0.02, axis=0), axis=1)
        resting = (phase > 0.3) & (phase < 0.5)
        swinging = (phase > style.stance + 0.1) & (phase < 0.9)
        assert pace[resting].mean() < 0.05
        assert pace[swinging].mean() > 1.5


def test_speeds_and_strides_are_human() -> None:
    speeds = [walking_speed(*person(seed)) for seed in range(40)]
    strides = [walk_cycle(*person(seed)).stride / person(seed)[0].stature for seed in range(40)]
    assert 1.0 < np.mean(speeds) < 1.45
    assert 0.07 < np.std(speeds) < 0.3
    assert 0.65 < np.mean(strides) < 0.95


def test_left_is_left_and_the_face_looks_ahead() -> None:
    body, style = person(5)
    motion = walk(body, style, straight((0.0, 0.0), 0.0, 3.0), np.arange(0.0, 2.0, 0.05))
    joints = motion.joints
    assert (joints["left hip"][:, 0] > joints["right hip"][:, 0]).all()
    assert (joints["nose"][:, 2] > joints["left ear"][:, 2]).all()
    assert (joints["left toe"][:, 2] > joints["left heel"][:, 2]).all()
    assert joints["pelvis"][-1, 2] - joints["pelvis"][0, 2] > 1.2


def test_arms_swing_against_their_legs() -> None:
    body, style = person(6)
    motion = walk(body, style, straight((0.0, 0.0), 0.0, 3.0), np.arange(0.0, 4.0, 0.02))
    joints = motion.joints
    leg = joints["left ankle"][:, 2] - joints["left hip"][:, 2]
    arm = joints["left wrist"][:, 2] - joints["left shoulder"][:, 2]
    assert np.corrcoef(leg, arm)[0, 1] < -0.5
