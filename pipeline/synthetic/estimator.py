"""What a monocular pose estimator does to a skeleton, fitted to shots of which the truth is known, and done to others.

In the axes of the ray to the person (x right, y up, z towards the camera) and in statures, let t be the 14 joints as
they are and y as they were estimated, cleaned and resampled (`pipeline.normalize.steady`), both from the mid-hip. Then

    y = t + phi(t) W + p + s + n,    n_k = rho n_{k-1} + sqrt(1 - rho^2) e_k

phi(t): the posture, harmonics of the azimuth from which the body is seen, the elevation, and their products: depth that
is guessed, lengths that are foreshortened wrongly. p, s: offsets that stay with a person and with a shot, n: noise that
goes on over time; p, s and e are Gaussian, and all three grow as the person gets smaller. An
estimator's bones jitter less than its joints: their lengths follow the noise by a share only. On top, now and then, the
legs are taken for each other.
"""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from pipeline.errors import DatasetError
from pipeline.joints import in_statures
from pipeline.synthetic.rotation import about
from smsge.canonical import joint
from smsge.files import whole_file
from smsge.layouts import CASIA14

SMALL = 120.0
"""Pixels, the height at which errors have their fitted size."""
RIDGE = 30.0
_HEADING = 0.5  # seconds, deviation of the low-pass of the direction in which a body faces
_HIPS = [CASIA14.index[f"{side} hip"] for side in ("left", "right")]
_LEGS = np.array([CASIA14.index[f"{side} {part}"] for part in ("knee", "ankle") for side in ("left", "right")])
_OTHER = _LEGS.reshape(-1, 2)[:, ::-1].ravel()
_ROOTS = np.array(_HIPS * 2)
_TREE = ((1, None), (0, 1), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, None), (9, 8), (10, 9), (11, None),
         (12, 11), (13, 12))  # fmt: skip
"""(joint, the one it hangs from), None for the mid-hip; parents first."""
_SIZE = 3 * CASIA14.n_joints
_SHAPES = {"weights": (11 + 6 * _SIZE, _SIZE), "person": (_SIZE, _SIZE), "shot": (_SIZE, _SIZE),
           "noise": (_SIZE, _SIZE), "rho": (_SIZE,)}  # fmt: skip
"""Of a model's arrays; everything else is one number."""


@dataclass(frozen=True)
class Pair:
    """One stretch of one person, estimated and as it was. person, shot: which. fps: frames a second. height: pixels
    from head to ankle. seen, true: (T, 14, 3) in the ray's axes, statures, from the mid-hip; up: (3,) unit vector."""

    person: str
    shot: str
    fps: float
    height: float
    seen: np.ndarray
    true: np.ndarray
    up: np.ndarray


def ray_axes(camera: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 14, 3) metres in the camera's axes (x right, y down, z away) and its upward (3,) -> the same in the mean
    ray's axes (x right, y up, z towards the camera), from the mid-hip, and the upward vector in them."""
    hips = camera[:, _HIPS].mean(axis=1)
    away = hips.mean(axis=0)
    away = away / np.linalg.norm(away)
    right = np.cross(np.array([0.0, 1.0, 0.0]), away)
    right = right / np.linalg.norm(right)
    turn = np.stack([right, -np.cross(away, right), -away])
    return (camera - hips[:, None]) @ turn.T, turn @ up


def facing(joints: np.ndarray, fps: float) -> np.ndarray:
    """(T,) radians: 0 where the body faces the camera, a quarter turn where it goes to the right of the picture."""
    left = sum(joint(joints, CASIA14, f"left {part}") - joint(joints, CASIA14, f"right {part}")
               for part in ("hip", "shoulder"))  # fmt: skip
    left = gaussian_filter1d(np.asarray(left), _HEADING * fps, axis=0, mode="nearest")
    return np.asarray(np.arctan2(-left[:, 2], left[:, 0]))


def features(true: np.ndarray, up: np.ndarray, fps: float) -> np.ndarray:
    """phi: (T, 14, 3) -> (T, F)."""
    flat = true.reshape(len(true), -1)
    angle, tilt = facing(true, fps)[:, None], np.full((len(true), 1), np.arcsin(np.clip(up[2], -1, 1)))
    waves = np.concatenate([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle), tilt], axis=1)
    products = [flat * wave[:, None] for wave in waves.T]
    squares = [waves[:, :4] * tilt, tilt**2]
    return np.concatenate([np.ones_like(angle), waves, *squares, flat, *products], axis=1)


@dataclass(frozen=True)
class Estimator:
    """The fitted model. weights: (F, 42). person, shot, noise: (42, 42) factors L of covariances L L'. rho: (42,) of
    the noise's principal directions at `fps`. stretch: the share. growth: errors grow as (120 px / height)^growth.
    swaps: of the legs, a second; swap_seconds: how long one lasts."""

    weights: np.ndarray
    person: np.ndarray
    shot: np.ndarray
    noise: np.ndarray
    rho: np.ndarray
    fps: float
    stretch: float
    growth: float
    swaps: float
    swap_seconds: float

    def offsets(self, generator: np.random.Generator) -> np.ndarray:
        """(42,) p of one person."""
        return np.asarray(self.person @ generator.normal(size=42))

    def see(self, joints: np.ndarray, azimuth: np.ndarray | float, elevation: float, height: float,
            person: np.ndarray, generator: np.random.Generator) -> np.ndarray:  # fmt: skip
        """(T, 14, 3) upright joints in any unit at the model's rate -> as an estimator would give them, in statures.

        azimuth: radians, (T,) or one, by which the body's own +z is turned from the camera; elevation: radians of the
        camera above the body; height: pixels; person: of `offsets`.
        """
        turn = about(0, np.array(elevation)) @ about(1, np.broadcast_to(azimuth, len(joints)))
        true = np.einsum("tij,tkj->tki", turn, in_statures(joints))
        up = about(0, np.array(elevation)) @ np.array([0.0, 1.0, 0.0])
        return self._swapped(self.noisy(true, up, height, person, generator), generator)

    def noisy(self, true: np.ndarray, up: np.ndarray, height: float, person: np.ndarray, generator: np.random.Generator
              ) -> np.ndarray:  # fmt: skip
        """(T, 14, 3) in the ray's axes and statures, with the upward (3,) -> the same with all errors but exchanges."""
        size = (SMALL / height) ** self.growth
        lasting = person + self.shot @ generator.normal(size=42)
        drive = generator.normal(size=(len(true), 42)) * np.sqrt(1 - self.rho**2)
        drive[0] = generator.normal(size=42)
        moving = np.stack([lfilter([1.0], [1.0, -r], column) for r, column in zip(self.rho, drive.T, strict=True)], 1)
        steady = true + (features(true, up, self.fps) @ self.weights + size * lasting).reshape(true.shape)
        return _stretched(steady, steady + size * (moving @ self.noise.T).reshape(true.shape), self.stretch)

    def _swapped(self, seen: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        for _ in range(generator.poisson(self.swaps * len(seen) / self.fps)):
            first = int(generator.integers(len(seen)))
            last = first + 1 + int(generator.exponential(self.swap_seconds) * self.fps)
            part = seen[first:last]
            own = part[:, _LEGS] - part[:, _ROOTS]  # each leg's posture, from its own hip
            part[:, _LEGS] = part[:, _ROOTS] + own.reshape(len(part), 2, 2, 3)[:, :, ::-1].reshape(own.shape)
        return seen

    def save(self, path: Path) -> Path:
        """Writes an .npz, whole or not at all."""
        with whole_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **{
                item.name: np.asarray(getattr(self, item.name), np.float32) for item in fields(self)
            })  # fmt: skip
        return path

    @staticmethod
    def load(path: Path) -> "Estimator":
        """Raises DatasetError where the file is missing, damaged or of another form."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {item.name: archive[item.name].astype(np.float64) for item in fields(Estimator)}
            wrong = [name for name, value in arrays.items() if value.shape != _SHAPES.get(name, ())]
            if wrong:
                raise ValueError(f"{wrong[0]} has the shape {arrays[wrong[0]].shape}")
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise DatasetError(f"{path} is not a fitted estimator ({error}); fit it again") from error
        values: dict[str, Any] = {name: value if value.ndim else float(value) for name, value in arrays.items()}
        return Estimator(**values)


def _stretched(steady: np.ndarray, moved: np.ndarray, share: float) -> np.ndarray:
    """(T, 14, 3): bones in the directions of `moved`, as long as in `steady` and by a `share` as in `moved`."""
    out = np.zeros_like(moved)
    for child, parent in _TREE:
        bones = [one[:, child] - (0.0 if parent is None else one[:, parent]) for one in (steady, moved)]
        usual, now = (np.linalg.norm(bone, axis=1, keepdims=True) for bone in bones)
        length = usual + share * (now - usual)
        out[:, child] = (0.0 if parent is None else out[:, parent]) + bones[1] * length / np.maximum(now, 1e-9)
    return out


def _jitter(joints: np.ndarray) -> np.ndarray:
    """(13,) variances over time of the lengths of the bones of (T, 14, 3)."""
    a, b = np.array(CASIA14.bones).T
    return np.asarray(np.linalg.norm(joints[:, a] - joints[:, b], axis=-1).var(axis=0))


def _fitted_stretch(model: "Estimator", pairs: Sequence[Pair]) -> float:
    """The share with which the model's bones jitter as much as those that were seen."""
    generator, some = np.random.default_rng(0), pairs[:: max(1, len(pairs) // 200)]
    seen = np.mean([_jitter(_mended(pair)) for pair in some])
    least, most = (
        np.mean([_jitter(replace(model, stretch=share).noisy(pair.true, pair.up, pair.height, model.offsets(generator),
                                                             generator)) for pair in some])
        for share in (0.0, 1.0)
    )  # fmt: skip
    return float(np.sqrt(np.clip((seen - least) / max(most - least, 1e-12), 0.0, 1.0)))


def fit_estimator(pairs: Sequence[Pair]) -> Estimator:
    """Least squares for W with a ridge; covariances of what is left: between people, between a person's shots, in time.

    Raises DatasetError where nobody has two shots or there are fewer than ten people.
    """
    people = sorted({pair.person for pair in pairs})
    if len(people) < 10 or len({(pair.person, pair.shot) for pair in pairs}) < 1.1 * len(people):
        raise DatasetError(f"{len(people)} people are too few, or have too few shots, to fit an estimator to")
    phi = np.concatenate([features(pair.true, pair.up, pair.fps) for pair in pairs])
    error = np.concatenate([(_mended(pair) - pair.true).reshape(len(pair.true), -1) for pair in pairs])
    weights = _ridge(phi, error)
    rest = np.split(error - phi @ weights, np.cumsum([len(pair.true) for pair in pairs])[:-1])
    growth = _growth(pairs, rest)
    rest = [one * (pair.height / SMALL) ** growth for one, pair in zip(rest, pairs, strict=True)]
    means = np.stack([one.mean(axis=0) for one in rest])
    owner = np.array([people.index(pair.person) for pair in pairs])
    centres = np.stack([means[owner == number].mean(axis=0) for number in range(len(people))])
    counts = np.bincount(owner, minlength=len(people))
    inside = means - centres[owner]
    shot = inside.T @ inside / max(len(means) - len(people), 1)
    between = np.cov(centres.T) - shot / max(float(np.mean(counts)), 1.0)
    moving = np.concatenate([one - one.mean(axis=0) for one in rest])
    noise = moving.T @ moving / len(moving)
    values, axes = np.linalg.eigh(noise)
    now = np.concatenate([(one - one.mean(axis=0))[:-1] @ axes for one in rest])
    later = np.concatenate([(one - one.mean(axis=0))[1:] @ axes for one in rest])
    rho = np.clip((now * later).sum(0) / np.maximum((now**2).sum(0), 1e-12), 0.0, 0.98)
    swapped = [exchanged(pair) for pair in pairs]
    begun = sum(int(np.sum(np.diff(one.astype(int)) == 1)) + int(one[0]) for one in swapped)
    fps = pairs[0].fps
    seconds = sum(len(one) for one in swapped) / fps
    lasted = sum(int(one.sum()) for one in swapped) / fps
    model = Estimator(weights, _factor(between), _factor(shot), axes * np.sqrt(np.maximum(values, 0.0)), rho, fps,
                      1.0, growth, begun / seconds, lasted / max(begun, 1))  # fmt: skip
    return replace(model, stretch=_fitted_stretch(model, pairs))


def _ridge(phi: np.ndarray, error: np.ndarray) -> np.ndarray:
    scale = np.maximum(phi.std(axis=0), 1e-3)
    scale[0] = 1.0
    z = phi / scale
    penalty = RIDGE * np.eye(z.shape[1])
    penalty[0, 0] = 1e-6
    return np.asarray(np.linalg.solve(z.T @ z + penalty, z.T @ error) / scale[:, None])


def _growth(pairs: Sequence[Pair], rest: Sequence[np.ndarray]) -> float:
    """The slope of log error over log height, changed in sign."""
    heights = np.log([pair.height / SMALL for pair in pairs])
    sizes = np.log([float(np.sqrt((one**2).mean())) for one in rest])
    return float(np.clip(-np.polyfit(heights, sizes, 1)[0], 0.0, 1.0))


def _factor(covariance: np.ndarray) -> np.ndarray:
    values, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))


def exchanged(pair: Pair) -> np.ndarray:
    """(T,) bool: frames in which the legs lie clearly nearer to each other's truth than to their own."""
    own = ((pair.seen[:, _LEGS] - pair.true[:, _LEGS]) ** 2).sum(axis=(1, 2))
    other = ((pair.seen[:, _OTHER] - pair.true[:, _LEGS]) ** 2).sum(axis=(1, 2))
    return np.asarray(other < 0.5 * own)


def _mended(pair: Pair) -> np.ndarray:
    """What was seen, the legs put right, so that exchanges do not count as noise."""
    seen = pair.seen.copy()
    wrong = exchanged(pair)
    seen[np.ix_(wrong, _LEGS)] = pair.seen[np.ix_(wrong, _OTHER)]
    return seen
