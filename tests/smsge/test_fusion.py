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
    turned = fit_standard(vectors, names, 0.1, 6)
    plain = Standard(turned.mean, turned.scale, np.eye(6))
    who = np.array(names)

    def rank1(standard: Standard) -> float:
        unit = standard(people(2)[0])
        similarity = unit @ unit.T - 2 * np.eye(len(unit))
        return float((who[similarity.argmax(axis=1)] == who).mean())

    assert rank1(turned) > rank1(plain) + 0.05


def test_each_direction_counts_by_the_share_of_its_variance_that_is_the_person_s():
    vectors, names = people(3)
    standard = fit_standard(vectors, names, 0.0, 6)
    z = np.clip((vectors - standard.mean) / standard.scale, -4, 4) @ standard.project
    rows = z.reshape(40, 5, -1)
    residuals = (rows - rows.mean(axis=1, keepdims=True)).reshape(200, -1)
    within, between = residuals.T @ residuals / (200 - 40), np.cov(rows.mean(axis=1).T)
    share = np.diag(within)  # u' S_w u = 1 before the scaling
    np.testing.assert_allclose(within, np.diag(share), atol=1e-8)
    np.testing.assert_allclose(np.diag(between), share**2 / (1 - share), rtol=1e-6)  # l l/(1+l), with share = l/(1+l)
    assert (np.diff(share) < 0).all()


def test_the_rank_is_the_length():
    vectors, names = people(4)
    assert fit_standard(vectors, names, 0.5, 3)(vectors).shape == (200, 3)


def test_numbers_that_never_vary_do_no_harm():
    vectors, names = people(5)
    vectors[:, 3] = 2.0
    assert np.isfinite(fit_standard(vectors, names, 0.5, 6)(vectors)).all()


def test_people_with_one_track_each_tell_nothing_of_what_varies():
    with pytest.raises(ValueError, match="nobody has two tracks"):
        fit_standard(np.eye(3), ["a", "b", "c"], 0.5, 3)
    with pytest.raises(ValueError, match="the same to the last number"):
        fit_standard(np.eye(3)[[0, 0, 1, 1]], ["a", "a", "b", "b"], 0.5, 3)


def test_tensors_come_back_as_they_were_and_misfits_are_refused():
    vectors, names = people(6)
    standard = fit_standard(vectors, names, 0.5, 6)
    tensors = standard.tensors("posture")
    np.testing.assert_allclose(Standard.from_tensors("posture", tensors)(vectors), standard(vectors), atol=1e-4)
    with pytest.raises(ValueError, match="do not agree"):
        Standard.from_tensors("posture", tensors | {"posture.scale": np.ones(3, np.float32)})
    with pytest.raises(KeyError):
        Standard.from_tensors("encoder", tensors)


def test_the_view_is_taken_off_without_being_told_of_new_tracks():
    generator = np.random.default_rng(0)
    vectors, names = people(7)
    views = generator.normal(size=(len(vectors), 1))
    loading = generator.normal(size=(1, vectors.shape[1]))
    seen = vectors + 5.0 * views @ loading
    plain, told = (fit_standard(seen, names, 0.5, 3, given) for given in (None, views))
    shift = 5.0 * loading  # the same tracks seen from elsewhere
    moved = [np.linalg.norm(standard(seen + shift) - standard(seen), axis=1).mean() for standard in (told, plain)]
    assert moved[0] < 0.7 * moved[1]
