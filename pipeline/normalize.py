"""One tracked person -> skeletons for the encoder: by timestamps, so that frame rates do not matter.

33 landmarks -> 14 joints; flipped sides mended; spikes and unseen joints filled from their neighbours in time; long
gaps split the track into segments; smoothed and resampled in one step. So far the skeletons are as the camera saw them,
and so a gallery keeps them. What an encoder is given is lifted with its own lift (`pipeline.lift`), then made canonical
(`smsge.canonical`).
"""

import itertools
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.joints import CORE, HEAD, VISIBLE, in_statures, joints14, visibility14
from pipeline.lift import Lift
from pipeline.settings import NormalizeSettings
from pipeline.sides import mend_sides
from pipeline.travel import mend_facing
from pipeline.values import PoseTrack
from smsge.canonical import canonicalize, stature
from smsge.layouts import CASIA14
from smsge.sequence import SkeletonSequence

VERSION = 3
"""Rises whenever the same landmarks would give other skeletons: it is part of an encoder's fingerprint."""

AS_SEEN = f"seen.{VERSION}"
"""How the skeletons of `as_seen` are made, in short: skeletons belong together where this is the same."""

SPIKE = 0.12  # statures off the median of its neighbours in time
SPIKE_SECONDS = 0.12  # reach of those neighbours, to each side
ODD_LENGTH = 0.25  # by what share a part of the body may differ from its usual length
SHORTEST = 0.6  # seconds; in shorter segments not even a heading can be told

_SPAN = np.array([CASIA14.bones[i] for i in (0, 7, 10, 8, 11, 9, 12)])
_PAIRS = ([0], [1, 2], [3, 4], [5, 6])  # of those: head to neck, neck to hips, thighs, shins


def normalize(track: PoseTrack, settings: NormalizeSettings, lift: Lift) -> SkeletonSequence:
    """Skeletons of `track` as an encoder is given them: `as_seen`, then `made_canonical` with the encoder's lift."""
    return made_canonical(as_seen(track, settings), lift)


def as_seen(track: PoseTrack, settings: NormalizeSettings) -> SkeletonSequence:
    """Skeletons of `track` at settings.fps in the layout casia14, gaps filled, as the camera saw them: in statures from
    the mid-hip, x right of the picture, y up, z towards the camera. No encoder has a say in them.

    Empty (no frames) where nothing is usable; a segment may be shorter than an encoder's window, so a caller asks
    `windows` how much there is.
    """
    return _sequence([in_statures(part) for _, part in steady(track, settings)], settings.fps)


def made_canonical(seen: SkeletonSequence, lift: Lift) -> SkeletonSequence:
    """Skeletons as seen -> the same lifted, upright, facing +z, of unit stature."""
    made = canonical_sequence([lift(part) for part in seen.stretches() if len(part)], seen.fps)
    return replace(made, identity=seen.identity, session=seen.session)


def steady(track: PoseTrack, settings: NormalizeSettings) -> list[tuple[np.ndarray, np.ndarray]]:
    """The uninterrupted stretches of `track`, cleaned and at settings.fps but still as the camera sees them: (N,)
    seconds and (N, 14, 3) metres each, x right of the picture, y up, z towards the camera."""
    frames = readable(track)
    parts = [part for part in stretches(track.times, frames, settings.max_gap)
             if track.times[part[-1]] - track.times[part[0]] >= SHORTEST]  # fmt: skip
    if not parts:
        return []
    given, visibility = mend_facing(joints14(track), visibility14(track), track)
    height = max(stature(given[frames], CASIA14), 1e-3)
    found = []
    for part in parts:
        cleaned = _clean(given[part], visibility[part], track.times[part], height, settings.max_gap)
        joints = _resample(cleaned, track.times[part], settings)
        found.append((track.times[part[0]] + np.arange(len(joints)) / settings.fps, joints))
    return found


def canonical_sequence(parts: list[np.ndarray], fps: float) -> SkeletonSequence:
    """Stretches (N, 14, 3) of one person in any one upright camera's axes -> one sequence in canonical form, each
    stretch of unit stature."""
    return _sequence([canonicalize(part, CASIA14, fps, level=True) for part in parts], fps)


def _sequence(parts: list[np.ndarray], fps: float) -> SkeletonSequence:
    segment = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    joints = np.concatenate([np.zeros((0, CASIA14.n_joints, 3)), *parts])
    return SkeletonSequence(joints.astype(np.float32), CASIA14, fps, segment)


def readable(track: PoseTrack) -> np.ndarray:
    """(T,) bool: frames in which the head is seen and the shoulder, hip, knee and ankle of one side at the least, and
    no part of the body is far longer or shorter than in the rest of the track, as at the picture's edge."""
    visibility = visibility14(track)
    left, right = visibility[:, CORE[1::2]].min(1), visibility[:, CORE[::2]].min(1)
    seen = np.minimum(visibility[:, HEAD], np.maximum(left, right)) >= VISIBLE
    if not seen.any():
        return np.zeros(len(track), bool)
    joints = joints14(track)
    bones = np.linalg.norm(joints[:, _SPAN[:, 0]] - joints[:, _SPAN[:, 1]], axis=-1)
    lengths = np.stack([bones[:, pair].mean(1) for pair in _PAIRS], axis=1)
    usual = np.maximum(np.median(lengths[seen], axis=0), 1e-3)
    return np.asarray(seen & (np.abs(lengths / usual - 1) < ODD_LENGTH).all(1))


def stretches(times: np.ndarray, wanted: np.ndarray, max_gap: float) -> list[np.ndarray]:
    """The wanted frames' numbers, cut wherever two that follow each other lie more than `max_gap` seconds apart."""
    numbers = np.flatnonzero(wanted)
    return [part for part in np.split(numbers, np.flatnonzero(np.diff(times[numbers]) > max_gap) + 1) if len(part)]


def _clean(joints: np.ndarray, visibility: np.ndarray, times: np.ndarray, height: float, max_gap: float) -> np.ndarray:
    """Joints (T, 14, 3) with flipped sides mended, spikes taken out and short blind spots filled.

    A joint unseen for longer than `max_gap` keeps the estimator's guess: the far arm of a walker seen from the side is
    a guess all the way, and one that moves with the body is nearer the truth than a straight line.
    """
    joints, visibility, _ = mend_sides(joints, visibility, times, height)
    missing = (visibility < VISIBLE) | _spikes(joints, times, height)
    out = joints.copy()
    for j in range(joints.shape[1]):
        seen = np.flatnonzero(~missing[:, j])
        for a, b in itertools.pairwise(seen):
            if b - a > 1 and times[b] - times[a] <= max_gap:
                share = ((times[a + 1 : b] - times[a]) / (times[b] - times[a]))[:, None]
                out[a + 1 : b, j] = (1 - share) * joints[a, j] + share * joints[b, j]
    return out


def _spikes(joints: np.ndarray, times: np.ndarray, height: float) -> np.ndarray:
    """(T, 14) bool: joints far from the median of the frames around them."""
    if len(times) < 3:
        return np.zeros(joints.shape[:2], bool)
    reach = max(1, round(SPIKE_SECONDS / float(np.median(np.diff(times)))))
    padded = np.pad(joints, ((reach, reach), (0, 0), (0, 0)), mode="reflect" if len(times) > reach else "edge")
    middle = np.median(sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)
    return np.asarray(np.linalg.norm(joints - middle, axis=-1) > SPIKE * height)


def _resample(joints: np.ndarray, times: np.ndarray, settings: NormalizeSettings) -> np.ndarray:
    """Joints (T, 14, 3) at `times` -> (N, 14, 3) at settings.fps, smoothed.

    At each new time a parabola is fitted to the samples around it, with Gaussian weights of `smooth` seconds (local
    regression, a Savitzky-Golay filter for uneven times): timestamps alone decide, whatever the frame rate.
    """
    times, joints = _filled(times, joints, 1 / settings.fps)
    flat = joints.reshape(len(joints), -1)
    wanted = times[0] + np.arange(int((times[-1] - times[0]) * settings.fps + 1e-6) + 1) / settings.fps
    # Where frames are sparse, the kernel must still reach three of them.
    width = max(settings.smooth, 0.6 * float(np.median(np.diff(times))))
    out = np.empty((len(wanted), flat.shape[1]))
    for k, now in enumerate(wanted):
        first, stop = np.searchsorted(times, [now - 4 * width, now + 4 * width])
        first, stop = max(min(first, len(times) - 3), 0), max(stop, 3)
        u = (times[first:stop] - now) / width
        basis = np.stack([np.ones_like(u), u, u * u], 1)
        weighted = basis * np.exp(-0.5 * u * u)[:, None]
        # The ridge on the curvature keeps the ends, where all samples lie to one side, from swinging.
        normal = weighted.T @ basis + np.diag([0.0, 1e-3, 3e-2])
        out[k] = np.linalg.solve(normal, weighted.T @ flat[first:stop])[0]
    return out.reshape(-1, *joints.shape[1:])


def _filled(times: np.ndarray, joints: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The same with frames added on straight lines wherever two lie more than 1.5 steps apart."""
    gaps = np.flatnonzero(np.diff(times) > 1.5 * step)
    new = [np.arange(times[g] + step, times[g + 1] - 0.5 * step, step) for g in gaps]
    if not new:
        return times, joints
    added = np.concatenate(new)
    after = np.searchsorted(times, added)
    share = ((added - times[after - 1]) / (times[after] - times[after - 1]))[:, None, None]
    between = (1 - share) * joints[after - 1] + share * joints[after]
    order = np.argsort(np.concatenate([times, added]), kind="stable")
    return np.concatenate([times, added])[order], np.concatenate([joints, between])[order]
