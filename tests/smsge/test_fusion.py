"""Standardising and joining descriptors."""

import numpy as np
import pytest

from smsge.fusion import Standard, fit_standard, fuse


def people(seed: int, count: int = 40, clips: int = 5, size: int = 6) -> tuple[np.ndarray, list[str]]:
    """Tracks of people who differ in number 0 and vary wildly from clip to clip in number 1."""
    generator = np.random.default_rng(seed)
    centre = generator.normal(size=(count, size)) * np.array([3.0, 0.1, *[1.0] * (size - 2)])
    noise = generator.normal(size=(count, clips, size)) * np.array([0.3, 5.0, *[1.0] * (size - 2)])
    vectors = (centre[:, None] + noise).reshape(-1, size) * 7 + 100
    return vectors, [f"{person}" for person in range(count) for _ in range(clips)]


def test_the_cosine_of_joined_vectors_is_the_weighted_mean_of_their_cosines():
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=(2, size)).astype(np.float32) for size in (5, 9))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    joined = fuse([a, b], [0.3, 0.7])
    assert joined.shape == (2, 14)
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-6)
    assert joined[0] @ joined[1] == pytest.approx(0.3 * (a[0] @ a[1]) + 0.7 * (b[0] @ b[1]), abs=1e-6)


def test_what_varies_within_a_person_is_turned_down():
    vectors, names = people(1)
    plain, turned = (fit_standard(vectors, names, shrinkage) for shrinkage in (1.0, 0.1))
    who = np.array(names)

    def rank1(standard: Standard) -> float:
        unit = standard(people(2)[0])
        similarity = unit @ unit.T - 2 * np.eye(len(unit))
        return float((who[similarity.argmax(axis=1)] == who).mean())

    assert rank1(turned) > rank1(plain) + 0.05


def test_the_projection_whitens_the_within_person_covariance():
    vectors, names = people(3)
    standard = fit_standard(vectors, names, 0.0)
    z = np.clip((vectors - standard.mean) / standard.scale, -4, 4) @ standard.project
    rows = z.reshape(40, 5, -1)
    residuals = (rows - rows.mean(axis=1, keepdims=True)).reshape(200, -1)
    np.testing.assert_allclose(residuals.T @ residuals / (200 - 40), np.eye(6), atol=1e-8)


def test_a_full_shrinkage_only_standardises():
    vectors, names = people(4)
    standard = fit_standard(vectors, names, 1.0)
    assert np.allclose(standard.project, standard.project[0, 0] * np.eye(6))


def test_numbers_that_never_vary_do_no_harm():
    vectors, names = people(5)
    vectors[:, 3] = 2.0
    assert np.isfinite(fit_standard(vectors, names, 0.5)(vectors)).all()


def test_people_with_one_track_each_tell_nothing_of_what_varies():
    with pytest.raises(ValueError, match="nobody has two tracks"):
        fit_standard(np.eye(3), ["a", "b", "c"], 0.5)


def test_tensors_come_back_as_they_were_and_misfits_are_refused():
    vectors, names = people(6)
    standard = fit_standard(vectors, names, 0.5)
    tensors = standard.tensors("posture")
    np.testing.assert_allclose(Standard.from_tensors("posture", tensors)(vectors), standard(vectors), atol=1e-4)
    with pytest.raises(ValueError, match="do not agree"):
        Standard.from_tensors("posture", tensors | {"posture.scale": np.ones(3, np.float32)})
    with pytest.raises(KeyError):
        Standard.from_tensors("encoder", tensors)
