"""Mends the frames in which the pose estimator takes left for right: of the whole body, or of the legs alone.

The body: the line through hips and shoulders turns by half a circle from one frame to the next and soon back. For each
frame there are two readings, as given and mirrored; the cheapest path through them (Viterbi) pays for every jump and a
little for each second spent mirrored.

The legs: seen from the side at low resolution, estimators exchange the two legs in mid-stride, and at the moment at
which they pass each other nothing jumps. So here the path pays for changes of velocity: legs go through each other
without stopping, and a walker's feet take turns in front. What is exchanged is the legs' posture, each from its own
hip; the hips stay where they are.
"""

import itertools
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from pipeline.joints import MIRROR, VISIBLE
from smsge.layouts import CASIA14

TRUNK = np.array([CASIA14.index[f"{side} {name}"] for name in ("shoulder", "hip") for side in ("left", "right")])
HIPS, KNEES, ANKLES = (np.array([CASIA14.index[f"{side} {name}"] for side in ("left", "right")])
                       for name in ("hip", "knee", "ankle"))  # fmt: skip
BODY_WORTH, BODY_SECOND = 0.02, 0.4  # squared statures that a mirrored reading costs, once and each second
LEGS_SECOND = 0.02  # share of the legs' squared distance that an exchanged reading costs each second: a casting vote
JUMP = 0.5  # squared statures: no single jump costs more
FINEST = 1 / 30  # seconds: in closer frames velocities are mostly noise
STEP = (0.25, 0.85)  # seconds between one foot's farthest reach and the other's
LONGEST = 0.25  # seconds between frames beyond which nothing is said of what lies between


def mend_sides(
    joints: np.ndarray, visibility: np.ndarray, times: np.ndarray, height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """joints (T, 14, 3), visibility (T, 14), times (T,) seconds, height: the stature in the joints' unit.

    Returns the mended joints and visibility, and (T,) bool: the frames in which anything was exchanged.
    """
    body = _mirrored(joints[:, TRUNK] / height, joints[:, MIRROR[TRUNK]] / height, times)
    joints = np.where(body[:, None, None], joints[:, MIRROR], joints)
    visibility = np.where(body[:, None], visibility[:, MIRROR], visibility)
    knees, ankles = joints[:, KNEES] - joints[:, HIPS], joints[:, ANKLES] - joints[:, HIPS]
    apart = np.concatenate([knees[:, 0] - knees[:, 1], ankles[:, 0] - ankles[:, 1]], axis=1) / height
    known = np.repeat(np.stack([visibility[:, pair].min(1) for pair in (KNEES, ANKLES)], 1) >= VISIBLE, 3, axis=1)
    legs = _exchanged(apart, known, _forward(joints, times), times)
    mended, clear = joints.copy(), visibility.copy()
    for pair, offset in ((KNEES, knees), (ANKLES, ankles)):
        mended[np.ix_(legs, pair)] = (joints[:, HIPS] + offset[:, ::-1])[legs]
        clear[np.ix_(legs, pair)] = visibility[np.ix_(legs, pair[::-1])]
    return mended, clear, body | legs


def _mirrored(given: np.ndarray, other: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) bool: the frames in which the reading `other` (T, n, 3) joins on better than `given`."""
    dt = np.diff(times)
    trust = 1 / (1 + dt / 0.2)  # a long step says less about which side is which
    same = np.minimum(np.sum((given[1:] - given[:-1]) ** 2, axis=(1, 2)), JUMP) * trust
    across = np.minimum(np.sum((given[1:] - other[:-1]) ** 2, axis=(1, 2)), JUMP) * trust + BODY_WORTH

    def step(t: int) -> np.ndarray:
        spent = np.array([0.0, BODY_SECOND * min(float(dt[t - 1]), LONGEST)])
        return np.asarray(np.array([[same[t - 1], across[t - 1]], [across[t - 1], same[t - 1]]]) + spent)

    return np.asarray(_cheapest(len(given), 2, step) == 1)


def _forward(joints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T, 3) unit vectors: the way the body faces, left x up, low-passed over about half a second."""
    left = joints[:, TRUNK[0]] - joints[:, TRUNK[1]] + joints[:, TRUNK[2]] - joints[:, TRUNK[3]]
    up = joints[:, TRUNK[:2]].mean(1) - joints[:, TRUNK[2:]].mean(1)
    width = 0.25 / max(float(np.median(np.diff(times))), 1e-3) if len(times) > 1 else 1.0
    forward = np.cross(gaussian_filter1d(left, width, axis=0, mode="nearest"), up)
    return np.asarray(forward / np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9))


def _exchanged(apart: np.ndarray, known: np.ndarray, forward: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) bool: the frames in which left-minus-right `apart` (T, 6) must change its sign for a smooth gait.

    known: (T, 6) bool, what of `apart` was seen. forward: (T, 3), the way the body faces.
    """
    if len(apart) < 4:
        return np.zeros(len(apart), bool)
    every = max(1, round(FINEST / float(np.median(np.diff(times)))))
    coarse = np.arange(0, len(apart), every)
    x, sure, dt = apart[coarse], known[coarse], np.diff(times[coarse])
    weight = np.sum(x**2 * sure, axis=1)
    # A state is (sign one frame ago, sign now): 0 ++, 1 +-, 2 -+, 3 --.
    now = np.array([1.0, -1.0, 1.0, -1.0])
    before = np.array([1.0, 1.0, -1.0, -1.0])

    def step(t: int) -> np.ndarray:
        cost = np.full((4, 4), np.inf)
        clear = sure[t] & sure[t - 1] & sure[max(t - 2, 0)]
        spent = LEGS_SECOND * weight[t] * min(dt[t - 1], LONGEST) * (now < 0)
        for old in range(4):
            for new in np.flatnonzero(before == now[old]):
                expected = now[old] * x[t - 1]
                if t > 1 and dt[t - 2] <= LONGEST:
                    expected = expected + (expected - before[old] * x[t - 2]) * min(dt[t - 1] / dt[t - 2], 2.0)
                jump = (
                    min(float(np.sum((now[new] * x[t] - expected)[clear] ** 2)), JUMP) if dt[t - 1] <= LONGEST else 0.0
                )
                cost[old, new] = jump + spent[new]
        return cost

    sign = now[_cheapest(len(x), 4, step)]
    if every > 1:  # the frames between take the sign with which they lie nearest to the line
        line = np.stack([np.interp(times, times[coarse], sign * column) for column in x.T], axis=1)
        full = np.where(np.sum(line * apart, axis=1) < 0, -1.0, 1.0)
        full[coarse] = sign
        sign = full
    swing = sign * np.sum(apart[:, 3:] * forward, axis=1)
    if known[:, 3].any():
        swing = np.interp(times, times[known[:, 3]], swing[known[:, 3]])
    return np.asarray(sign * _alternating(swing, times) < 0)


def _alternating(swing: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) +1 or -1, to be multiplied with `swing` (T,), how far the left foot is ahead, so that the feet take turns.

    Where a poor picture makes the legs meet and part again as if they had bounced, nothing in their motion tells that
    they passed each other; but a walker's feet always do. Two reaches to the same side in the time of a step, with none
    to the other side between, are taken for such a bounce.
    """
    width = 0.06 / max(float(np.median(np.diff(times))), 1e-3)
    swing = gaussian_filter1d(swing, width, mode="nearest")
    size = np.abs(swing)
    peaks, _ = find_peaks(np.concatenate([[0.0], size, [0.0]]), prominence=0.4 * np.percentile(size, 90))
    peaks -= 1
    flip = np.ones(len(swing))
    for a, b in itertools.pairwise(peaks):
        if swing[a] * swing[b] > 0 and STEP[0] <= times[b] - times[a] <= STEP[1]:
            flip[a + int(size[a : b + 1].argmin()) :] *= -1
    return flip if np.sum(flip * size) >= 0 else -flip


def _cheapest(length: int, states: int, step: Callable[[int], np.ndarray]) -> np.ndarray:
    """(length,) the states of the cheapest path; step(t) gives (states, states), the cost from each to each."""
    cost = np.zeros(states)
    came = np.zeros((length, states), np.int64)
    for t in range(1, length):
        sums = cost[:, None] + step(t)
        came[t] = sums.argmin(0)
        cost = sums.min(0)
    path = np.zeros(length, np.int64)
    path[-1] = int(cost.argmin())
    for t in range(length - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path
