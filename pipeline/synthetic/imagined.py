"""Shots that are never rendered: true skeletons as the fitted estimator model would have seen them, by the thousand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.joints import in_statures
from pipeline.lift import Lift
from pipeline.normalize import canonical_sequence
from pipeline.synthetic.driven import measured_body, one_body, recorded_motion
from pipeline.synthetic.estimator import Estimator
from smsge.datasets.kgbd import FPS, resample
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence

TURNING = 0.25
"""Radians a second, deviation of how fast a walker's direction to the camera changes, beside those who go straight."""


def draw_view(frames: int, fps: float, generator: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """A camera at random, as `shots.draw_shot` draws one: (T,) azimuth and elevation in radians, height in pixels."""
    rate = generator.normal(0.0, TURNING, frames) if generator.random() < 0.5 else np.zeros(frames)
    drift = np.cumsum(gaussian_filter1d(rate, fps, mode="nearest") * np.sqrt(3.5 * fps)) / fps
    above = generator.uniform(0.8, 2.6) if generator.random() < 0.65 else generator.uniform(2.6, 4.5)
    elevation = float(np.arctan2(above - 0.95, generator.uniform(4.2, 8.0)))
    height = float(np.exp(generator.uniform(np.log(60.0), np.log(200.0))))
    return generator.uniform(-np.pi, np.pi) + drift, elevation, height


def imagine(joints: np.ndarray, estimator: Estimator, lift: Lift, person: np.ndarray, generator: np.random.Generator
            ) -> SkeletonSequence:  # fmt: skip
    """(T, 14, 3) of a walk that faces +z, at the model's rate -> what a search would make of a shot of it, and the
    truth."""
    azimuth, elevation, height = draw_view(len(joints), estimator.fps, generator)
    seen = estimator.see(joints, azimuth, elevation, height, person, generator)
    truth = canonical_sequence([in_statures(joints)], estimator.fps).joints
    return replace(canonical_sequence([lift(seen)], estimator.fps), truth=truth)


def cut(joints: np.ndarray, frames: int, generator: np.random.Generator) -> np.ndarray:
    """`frames` uninterrupted frames from anywhere in (T, J, 3), all where there are fewer."""
    first = int(generator.integers(0, max(len(joints) - frames, 0) + 1))
    return joints[first : first + frames]


def walked_joints(walks: Sequence[np.ndarray], fps: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Each (T, 20, 3) metres of one person, at a Kinect's rate -> (T', 14, 3) of a walk along +z at `fps`, with the
    same joints (head between the ears, neck between the shoulders) as rendered walkers have."""
    walks = one_body(walks)
    body = measured_body(np.concatenate(walks), generator)
    pitch = float(generator.normal(0.07, 0.08))
    found = []
    for walk in walks:
        motion = recorded_motion(walk, FPS, body, pitch)
        joints = np.stack([motion.joints[name] for name in CASIA14.joints], axis=1)
        found.append(resample(joints.astype(np.float32), FPS, fps).astype(np.float64))
    return found


def imagined_shots(walks: Sequence[np.ndarray], estimator: Estimator, lift: Lift, identity: str, views: int,
                   seconds: float, seed: Sequence[int]) -> Iterator[SkeletonSequence]:  # fmt: skip
    """`views` shots of up to `seconds` of each (T, 14, 3) walk of one person; every shot is a session of its own."""
    generator = np.random.default_rng(seed)
    person = estimator.offsets(generator)
    for number, walk in enumerate(walks, start=1):
        for view in range(1, views + 1):
            part = cut(walk, round(seconds * estimator.fps), generator)
            seen = imagine(part, estimator, lift, person, generator)
            yield replace(seen, identity=identity, session=f"{identity}/i{number}.{view}")
