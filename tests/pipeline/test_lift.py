"""The lift: nearer to the truth on people it has never seen, equal for both sides, kept beside an encoder."""

import numpy as np
import pytest
from stick_people import Stick, moved, walk

import pipeline.lift
from pipeline.joints import MIRROR, in_statures, joints14
from pipeline.lift import Lift, fit_lift

TIMES = np.arange(0, 4, 0.04)
BODIES = [Stick(shoulders=0.32 + 0.02 * n, hips=0.2 + 0.015 * n, swing=0.35 + 0.03 * n) for n in range(6)]
HEADINGS = np.linspace(0, 2 * np.pi, 8, endpoint=False)


def frames(bodies: list[Stick], depth: float) -> np.ndarray:
    """(N, 14, 3) statures, of walks seen from all sides with `depth` times their depth."""
    seen = []
    for body in bodies:
        for heading in HEADINGS:
            track = walk(body, TIMES, heading)
            joints = joints14(moved(track, track.world * np.array([1, 1, depth], np.float32)))
            seen.append((joints - joints14(track)) / 1.6 + in_statures(joints14(track)))
    return np.concatenate(seen)


@pytest.fixture(scope="module")
def lift() -> Lift:
    return fit_lift(frames(BODIES[::2], 0.5), frames(BODIES[::2], 1.0))


def test_an_error_that_repeats_itself_is_taken_off_people_never_seen(lift: Lift) -> None:
    given, true = frames(BODIES[1::2], 0.5), frames(BODIES[1::2], 1.0)
    before = np.abs(given - true).mean()
    assert np.abs(lift(given) - true).mean() < 0.5 * before


def test_the_lift_is_the_mean_of_its_members(lift: Lift, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, true, given = frames(BODIES[::2], 0.5), frames(BODIES[::2], 1.0), frames(BODIES[1:2], 0.5)
    count = pipeline.lift.MEMBERS
    monkeypatch.setattr(pipeline.lift, "MEMBERS", 1)
    alone = [fit_lift(seen, true, seed)(given) for seed in range(count)]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    np.testing.assert_allclose(lift(given), np.mean(alone, axis=0), atol=1e-5)


def test_a_mirror_image_is_lifted_to_the_mirror_image(lift: Lift) -> None:
    given = frames(BODIES[1:2], 0.5)
    there = lift(given)
    back = lift(given[:, MIRROR] * (-1, 1, 1))[:, MIRROR] * (-1, 1, 1)
    assert np.abs(there - back).mean() < 0.25 * np.abs(there - given).mean()


def test_unit_and_origin_of_what_is_given_do_not_matter(lift: Lift) -> None:
    given = frames(BODIES[1:2], 0.5)
    np.testing.assert_allclose(lift(100 * given + 7), lift(given), atol=1e-6)


def test_without_layers_joints_stay_as_they_are() -> None:
    given = frames(BODIES[:1], 0.5)
    np.testing.assert_allclose(Lift()(given), in_statures(given))
    assert Lift().tensors() == {}
    assert Lift.from_tensors({"encoder.mean": np.zeros(3)}).layers == ()


def test_what_is_kept_beside_an_encoder_comes_back(lift: Lift) -> None:
    given = frames(BODIES[:1], 0.5)
    again = Lift.from_tensors({**lift.tensors(), "posture.mean": np.zeros(3)})
    np.testing.assert_allclose(again(given), lift(given), atol=1e-5)


def test_the_same_seed_gives_the_same_lift(lift: Lift) -> None:
    again = fit_lift(frames(BODIES[::2], 0.5), frames(BODIES[::2], 1.0))
    given = frames(BODIES[:1], 0.5)
    np.testing.assert_allclose(again(given), lift(given), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lift.0.weights", np.zeros((3, 256)), "do not follow"),
        ("lift.1.offsets", np.zeros(7), "do not follow"),
        ("lift.2.offsets", np.zeros(12), "ends with 12"),
        ("lift.2.weights", np.zeros((256, 41)), "do not follow"),
    ],
)
def test_layers_that_do_not_fit_are_refused(lift: Lift, name: str, value: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lift.from_tensors(lift.tensors() | {name: value.astype(np.float32)})


def test_a_layer_that_is_missing_is_refused(lift: Lift) -> None:
    tensors = lift.tensors()
    del tensors["lift.1.weights"]
    with pytest.raises(KeyError):
        Lift.from_tensors(tensors)
