"""A walk keeps the body's bones, stands on the ground and does not slide."""

import numpy as np
import pytest

from pipeline.synthetic.body import Body, draw_body
from pipeline.synthetic.gait import Style, draw_style
from pipeline.synthetic.ground import Ground
from pipeline.synthetic.legs import walk_cycle, walking_speed
from pipeline.synthetic.pace import Pace
from pipeline.synthetic.path import bends, loop, straight
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


OUTINGS = {
    "a stand": (Pace(stands=((3.0, 1.5),)), Ground()),
    "two stands": (Pace(stands=((2.0, 0.5), (5.0, 1.0))), Ground()),
    "from standing": (Pace(start=1.0), Ground()),
    "level": (Pace(), Ground()),
    "uphill": (None, Ground(0.105, 0.0)),
    "downhill": (None, Ground(0.105, np.pi)),
    "across, with a stand": (Pace(stands=((3.0, 1.0),)), Ground(0.105, 1.2)),
}


def outing(name: str, seed: int) -> tuple[Body, Style, Motion]:
    body, style = person(seed)
    pace, ground = OUTINGS[name]
    path = bends((0.0, 0.0), 0.0, [(4.0, 0.0), (6.0, 1.0)])
    motion = walk(body, style, path, np.arange(0.0, 9.0, 0.01), phase=0.13 * seed,
                  generator=np.random.default_rng(seed), pace=pace, ground=ground)  # fmt: skip
    return body, style, motion


def stances(motion: Motion, side: int, least: float, most: float) -> list[slice]:
    """Stretches of frames in which the phase of that leg is between these."""
    phase = np.mod(motion.phase + 0.5 * side, 1.0)
    inside = np.concatenate([[0], ((phase > least) & (phase < most)).astype(int), [0]])
    edges = np.flatnonzero(np.diff(inside))
    return [slice(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)]


@pytest.mark.parametrize("name", OUTINGS)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_feet_neither_slide_nor_sink_whatever_the_pace_and_the_ground(name: str, seed: int) -> None:
    _, style, motion = outing(name, seed)
    ground = OUTINGS[name][1]
    for number, side in enumerate(("left", "right")):
        # From foot-flat to heel-off the ball stays; the heel from the landing until it rises.
        for point, least, most in (("ball", 0.2, style.stance - 0.04), ("heel", 0.06, 0.25)):
            for stance in stances(motion, number, least, most):
                assert np.linalg.norm(np.ptp(motion.joints[f"{side} {point}"][stance][:, [0, 2]], axis=0)) < 0.02
    feet = [motion.joints[f"{side} {point}"] for side in ("left", "right") for point in ("heel", "ball")]
    above = np.stack([foot[:, 1] - ground.height(foot) for foot in feet])
    assert above.min() > -0.005
    assert above.min(0).max() < 0.02


@pytest.mark.parametrize("name", OUTINGS)
def test_bones_keep_their_lengths_whatever_the_pace_and_the_ground(name: str) -> None:
    body, _, motion = outing(name, 4)
    for side in ("left", "right"):
        for upper, lower, length in (("hip", "knee", body.thigh), ("knee", "ankle", body.shank)):
            measured = np.linalg.norm(motion.joints[f"{side} {upper}"] - motion.joints[f"{side} {lower}"], axis=1)
            np.testing.assert_allclose(measured, length, rtol=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_who_stands_has_both_feet_below_the_body_and_moves_on(seed: int) -> None:
    body, style, motion = outing("a stand", seed)
    speed = np.gradient(motion.distance, 0.01)
    still = speed < 1e-6
    assert 1.3 < still.sum() * 0.01 < 1.7
    assert 2.8 < motion.times[still][0] < 5.5
    pelvis = motion.joints["pelvis"][still]
    for side in ("left", "right"):
        away = np.linalg.norm((motion.joints[f"{side} ankle"][still] - pelvis)[:, [0, 2]], axis=1)
        assert away.max() < 0.5 * style.step_width + 0.05
        assert motion.joints[f"{side} heel"][still][:, 1].max() < 0.01
    assert pelvis[:, 1].mean() > 0.97 * body.leg
    assert speed[-100:].mean() == pytest.approx(walking_speed(body, style), rel=0.15)
    assert np.abs(np.diff(motion.joints["pelvis"], 2, axis=0)).max() / 0.01**2 < 12.0


def test_a_start_from_standing_takes_two_steps_to_full_speed() -> None:
    body, style, motion = outing("from standing", 1)
    speed = np.gradient(motion.distance, 0.01)
    assert speed[:95].max() < 1e-6
    full = motion.times[speed > 0.8 * walking_speed(body, style)][0]
    assert 1.3 < full < 3.0


def test_the_path_climbs_and_the_trunk_leans_into_it() -> None:
    motions = {}
    for name in ("level", "uphill", "downhill"):
        body, style = person(3)
        motions[name] = walk(body, style, straight((0.0, 0.0), 0.0, 9.0), np.arange(0.0, 5.0, 0.02),
                             ground=OUTINGS[name][1])  # fmt: skip
    climbed = {name: np.ptp(motion.joints["pelvis"][:, 1]) for name, motion in motions.items()}
    walked = motions["uphill"].distance[-1] - motions["uphill"].distance[0]
    assert climbed["uphill"] == pytest.approx(walked * np.tan(0.105), rel=0.1)
    down = motions["downhill"].joints["pelvis"][:, 1]
    assert down[-1] - down[0] == pytest.approx(-climbed["uphill"], rel=0.1)
    np.testing.assert_allclose(
        motions["uphill"].rise, motions["uphill"].joints["pelvis"][:, 2] * np.tan(0.105), atol=1e-3
    )
    assert np.all(motions["level"].rise == 0.0)
    lean = {name: motion.rotations["trunk_rotation"][:, 2, 1].mean() for name, motion in motions.items()}
    assert lean["uphill"] > lean["level"] + 0.03
    assert lean["downhill"] < lean["level"] - 0.03


def test_an_even_pace_is_no_pace() -> None:
    body, style = person(8)
    path, times = straight((0.0, 0.0), 0.0, 9.0), np.arange(0.0, 5.0, 0.05)
    plain = walk(body, style, path, times, ground=Ground())
    paced = walk(body, style, path, times, ground=Ground(), pace=Pace())
    for name, joint in plain.joints.items():
        np.testing.assert_allclose(paced.joints[name], joint, atol=0.003)
