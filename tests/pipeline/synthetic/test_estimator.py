"""What a model of a pose estimator is fitted to comes back: bias, offsets, noise, growth with distance, exchanges."""

from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DatasetError
from pipeline.joints import in_statures
from pipeline.synthetic.camera import Camera
from pipeline.synthetic.estimator import SMALL, Estimator, Pair, facing, features, fit_estimator, ray_axes
from pipeline.synthetic.rotation import about
from pipeline.synthetic.skeletons import population_skeletons
from smsge.canonical import stature
from smsge.layouts import CASIA14

FPS = 15.0
BODIES, PEOPLE, SHOTS, FRAMES = 20, 160, 4, 30
HIPS = [CASIA14.index["left hip"], CASIA14.index["right hip"]]
LEGS = [CASIA14.index[f"{side} {part}"] for part in ("knee", "ankle") for side in ("left", "right")]
PERSON, SHOT, NOISE, RHO, GROWTH = 0.03, 0.02, 0.025, 0.8, 0.6


def true_model() -> Estimator:
    """Heads 6 % of a stature too low, depth a fifth too small; else isotropic."""
    size = features(np.zeros((1, 14, 3)), np.array([0.0, 1.0, 0.0]), FPS).shape[1]
    weights = np.zeros((size, 42))
    weights[0, 3 * CASIA14.index["head"] + 1] = -0.06
    for joint in range(14):
        weights[11 + 3 * joint + 2, 3 * joint + 2] = -0.2
    one = np.eye(42)
    return Estimator(weights, PERSON * one, SHOT * one, NOISE * one, np.full(42, RHO), FPS, 1.0, GROWTH, 0.0, 0.3)


@cache
def walks() -> list[np.ndarray]:
    """Of a few bodies only, so that what stays with a person is not told by how they are built."""
    made = population_skeletons(8, range(1, BODIES + 1), 1, CASIA14, FPS, 6.0, form="canonical", stops=0.0, slopes=0.0)
    return [in_statures(walk.joints.astype(np.float64)) for walk in made]


def pairs_of(model: Estimator, people: int = PEOPLE, seed: int = 0) -> list[Pair]:
    generator = np.random.default_rng(seed)
    made = []
    for number in range(people):
        walk, person = walks()[number % BODIES], model.offsets(generator)
        for shot in range(SHOTS):
            first = int(generator.integers(0, len(walk) - FRAMES))
            turn = about(0, np.array(generator.uniform(0, 0.4))) @ about(1, np.array(generator.uniform(-np.pi, np.pi)))
            true, up = walk[first : first + FRAMES] @ turn.T, turn @ np.array([0.0, 1.0, 0.0])
            height = float(np.exp(generator.uniform(np.log(60), np.log(240))))
            seen = model.noisy(true, up, height, person, generator)
            made.append(Pair(f"p{number}", f"s{shot}", FPS, height, seen, true, up))
    return made


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return pairs_of(true_model())


@pytest.fixture(scope="module")
def fitted(pairs: list[Pair]) -> Estimator:
    return fit_estimator(pairs)


def spread(factor: np.ndarray) -> float:
    return float(np.sqrt((factor**2).sum() / len(factor)))


def quiet(share: float = 1.0) -> Estimator:
    model = true_model()
    return replace(model, person=0.2 * model.person, shot=0.2 * model.shot, noise=0.2 * model.noise, stretch=share)


def test_the_bias_comes_back() -> None:
    fitted = fit_estimator(pairs_of(quiet(), 60))
    others = pairs_of(true_model(), 5, seed=1)
    given, got = (
        np.concatenate([features(pair.true, pair.up, FPS) @ model.weights for pair in others])
        for model in (true_model(), fitted)
    )
    assert np.sqrt(((given - got) ** 2).mean()) < 0.5 * np.sqrt((given**2).mean())
    head = 3 * CASIA14.index["head"] + 1
    assert got[:, head].mean() == pytest.approx(-0.06, abs=0.01)


def test_spreads_come_back(fitted: Estimator) -> None:
    assert spread(fitted.person) == pytest.approx(PERSON, rel=0.3)
    assert spread(fitted.shot) == pytest.approx(SHOT, rel=0.35)
    assert spread(fitted.noise) == pytest.approx(NOISE, rel=0.3)
    assert fitted.rho.mean() == pytest.approx(RHO, abs=0.12)
    assert fitted.growth == pytest.approx(GROWTH, abs=0.15)
    assert fitted.stretch > 0.8
    assert fitted.swaps == 0
    assert fitted.fps == FPS


def test_who_is_alike_is_told_from_what_changes(fitted: Estimator) -> None:
    model = replace(true_model(), person=0 * np.eye(42), growth=0.0)
    alone = fit_estimator(pairs_of(model))
    assert spread(alone.person) < 0.5 * spread(fitted.person)
    assert alone.growth < 0.15


def test_bones_jitter_as_much_as_those_that_were_seen() -> None:
    def jitter(joints: np.ndarray) -> float:
        a, b = np.array(CASIA14.bones).T
        return float(np.linalg.norm(joints[:, a] - joints[:, b], axis=-1).var(axis=0).mean())

    some, generator = pairs_of(quiet(share=0.5), 60), np.random.default_rng(2)
    stiff = fit_estimator(some)
    assert 0.3 < stiff.stretch < 0.8
    nobody = np.zeros(42)
    again = [stiff.noisy(pair.true, pair.up, pair.height, nobody, generator) for pair in some]
    loose = [replace(stiff, stretch=1.0).noisy(pair.true, pair.up, pair.height, nobody, generator) for pair in some]
    given, got, more = (np.mean([jitter(one) for one in kind]) for kind in ([p.seen for p in some], again, loose))
    assert got == pytest.approx(given, rel=0.2)
    assert more > 1.15 * given


def test_exchanged_legs_are_counted_and_are_no_noise(pairs: list[Pair], fitted: Estimator) -> None:
    wrong = []
    for number, pair in enumerate(pairs):
        seen = pair.seen.copy()
        if number % 2:
            part = seen[10:20]
            part[:, LEGS] = part[:, [LEGS[1], LEGS[0], LEGS[3], LEGS[2]]]
        wrong.append(replace(pair, seen=seen))
    got = fit_estimator(wrong)
    seconds = sum(len(pair.seen) for pair in pairs) / FPS
    assert got.swaps == pytest.approx(0.5 * len(pairs) / seconds, rel=0.6)
    assert 0.1 < got.swap_seconds < 0.8
    assert spread(got.noise) < 1.4 * spread(fitted.noise)


def test_what_is_seen_has_the_errors_of_the_model() -> None:
    walk, generator = walks()[0], np.random.default_rng(0)
    model = true_model()
    still = replace(model, shot=0 * model.shot, noise=0 * model.noise)
    (seen,) = (still.see(3.0 * walk, 0.0, 0.0, SMALL, np.zeros(42), generator),)
    known = features(walk, np.array([0.0, 1.0, 0.0]), FPS) @ model.weights
    np.testing.assert_allclose(seen, walk + known.reshape(walk.shape), atol=1e-6)
    near, far = (
        np.std(replace(model, weights=0 * model.weights).see(walk, 0.0, 0.0, height, np.zeros(42), generator) - walk)
        for height in (4 * SMALL, SMALL)
    )
    assert far / near == pytest.approx(4**GROWTH, rel=0.3)


def test_a_body_is_seen_from_its_side_and_from_above() -> None:
    walk, model = walks()[1], true_model()
    exact = replace(model, weights=0 * model.weights, shot=0 * model.shot, noise=0 * model.noise)
    nobody, generator = np.zeros(42), np.random.default_rng(0)
    for azimuth in (0.0, 1.0, -2.0):
        seen = exact.see(walk, azimuth, 0.0, SMALL, nobody, generator)
        off = facing(seen, FPS) - azimuth - facing(walk, FPS)
        np.testing.assert_allclose(np.angle(np.exp(1j * off)), 0.0, atol=1e-3)
    above = exact.see(walk, 0.7, 0.5, SMALL, nobody, generator)
    assert (above[:, CASIA14.index["head"], 2] > 0.1).all()  # the head is nearer to a camera that looks down
    turning = exact.see(walk, np.linspace(0, 1, len(walk)), 0.0, SMALL, nobody, generator)
    np.testing.assert_allclose(turning[0], exact.see(walk, 0.0, 0.0, SMALL, nobody, generator)[0], atol=1e-9)


def test_legs_are_taken_for_each_other_as_often_as_the_model_says() -> None:
    walk, model = walks()[2], true_model()
    exact = replace(model, weights=0 * model.weights, shot=0 * model.shot, noise=0 * model.noise, swaps=0.5)
    wrong, begun = 0, 0
    for seed in range(25):
        off = np.abs(exact.see(walk, 0.0, 0.0, SMALL, np.zeros(42), np.random.default_rng(seed)) - walk).max(axis=2)
        frames = off[:, LEGS].max(axis=1) > 1e-6
        assert off[:, [j for j in range(14) if j not in LEGS]].max() < 1e-6
        wrong += frames.sum()
        begun += np.sum(np.diff(frames.astype(int)) == 1)
    seconds = 25 * len(walk) / FPS
    assert begun / seconds == pytest.approx(0.5, rel=0.3)
    assert wrong / FPS / begun == pytest.approx(exact.swap_seconds, rel=0.3)


def test_the_same_seed_sees_the_same(fitted: Estimator) -> None:
    walk = walks()[0]
    one, again, other = (
        fitted.see(walk, 0.3, 0.2, 90.0, fitted.offsets(np.random.default_rng(seed)), np.random.default_rng(seed))
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


def test_a_fit_is_always_the_same(pairs: list[Pair]) -> None:
    one, again = (fit_estimator(pairs[: 15 * SHOTS]) for _ in range(2))
    for item in fields(Estimator):
        np.testing.assert_array_equal(getattr(one, item.name), getattr(again, item.name))


def test_a_model_is_kept_and_read(tmp_path: Path, fitted: Estimator) -> None:
    path = fitted.save(tmp_path / "estimator.npz")
    read = Estimator.load(path)
    for item in fields(Estimator):
        np.testing.assert_allclose(getattr(read, item.name), getattr(fitted, item.name), rtol=1e-6, atol=1e-7)
    assert isinstance(read.fps, float)
    assert [file.name for file in tmp_path.iterdir()] == ["estimator.npz"]


def damaged(path: Path, model: Estimator, how: str) -> None:
    model.save(path)
    if how == "missing":
        path.unlink()
    elif how == "half":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "text":
        path.write_text("no model\n")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "one array":
        with path.open("wb") as file:
            np.save(file, model.weights)
    else:
        arrays = {item.name: np.asarray(getattr(model, item.name)) for item in fields(Estimator)}
        if how == "lacks one":
            del arrays["rho"]
        if how == "another shape":
            arrays["rho"] = arrays["rho"][:7]
        np.savez(path, **arrays)


@pytest.mark.parametrize("how", ["missing", "half", "text", "empty", "one array", "lacks one", "another shape"])
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path, fitted: Estimator, how: str) -> None:
    path = tmp_path / "estimator.npz"
    damaged(path, fitted, how)
    with pytest.raises(DatasetError, match="not a fitted estimator") as caught:
        Estimator.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_too_few_people_or_shots_are_refused(pairs: list[Pair]) -> None:
    with pytest.raises(DatasetError, match="9 people are too few"):
        fit_estimator(pairs[: 9 * SHOTS])
    with pytest.raises(DatasetError, match="too few shots"):
        fit_estimator(pairs[::SHOTS])
    with pytest.raises(DatasetError, match="0 people"):
        fit_estimator([])


def test_the_axes_of_the_ray_to_somebody() -> None:
    camera = Camera(azimuth=0.4, distance=5.0, height=3.0, focal=500.0, width=640, height_px=480, target=(2.0, 0.0))
    (walk,) = population_skeletons(8, [1], 1, CASIA14, FPS, 2.0, stops=0.0, slopes=0.0)
    world = walk.joints.astype(np.float64)
    up = camera.rotation @ np.array([0.0, 1.0, 0.0])
    seen, upward = ray_axes(camera.to_camera(world), up)
    np.testing.assert_allclose(seen[:, HIPS].mean(axis=1), 0.0, atol=1e-9)
    assert np.linalg.norm(upward) == pytest.approx(1.0)
    assert upward[1] > 0.7
    # The camera looks down at them: above is towards it, by the angle of the ray.
    ray = camera.place - world[:, HIPS].mean(axis=(0, 1))
    assert np.arcsin(upward[2]) == pytest.approx(np.arcsin(ray[1] / np.linalg.norm(ray)), abs=0.02)
    # No mirror: distances, and the sense of left x up, stay.
    assert stature(seen, CASIA14) == pytest.approx(stature(world, CASIA14), rel=1e-6)
    rise = (seen[:, CASIA14.index["head"]] - seen[:, HIPS].mean(axis=1)) @ upward
    np.testing.assert_allclose(rise, world[:, 0, 1] - world[:, HIPS, 1].mean(axis=1), atol=1e-6)
    left, true_left = (joints[:, HIPS[0]] - joints[:, HIPS[1]] for joints in (seen, world))
    ahead, true_ahead = np.cross(left, upward), np.cross(true_left, [0.0, 1.0, 0.0])
    away = camera.place - world.mean(axis=(0, 1))
    towards = true_ahead @ (away / np.linalg.norm(away))
    assert np.corrcoef(ahead[:, 2], towards)[0, 1] > 0.99
    units = in_statures(world)
    assert stature(units, CASIA14) == pytest.approx(1.0)
    np.testing.assert_allclose(units[:, HIPS].mean(axis=1), 0.0, atol=1e-9)
