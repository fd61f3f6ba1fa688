"""Descriptors by hand: the baselines that every table shows beside the encoder.

Clips or whole tracks in, one vector each out, in the skeletons' own units (canonical ones have unit stature, so their
lengths are proportions). Joints are found by name, so each works for casia14, kinect20 and kinect25. Everything is
computed of many clips of one length together; a track is its uninterrupted stretches, each one long clip.

Shapes: N clips of T frames and J joints; F = N * T frames, one after the other.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smsge.canonical import joint
from smsge.layouts import SkeletonLayout
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]
Descriptor = Callable[[Array, SkeletonLayout], Array]
"""Clips (N, T, J, 3) of one layout -> (N, D)."""

_SIDES = ("left", "right")
LENGTH_PERCENTILES = (10, 50, 90)
ANGLE_PERCENTILES = (5, 25, 50, 75, 95)
WINDOW = 2.0  # seconds
STRIDES = np.linspace(0.6, 1.3, 29)
"""Strides a second, two steps each, from a stroll to a hurry."""

_ANGLES = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))


def d13_of(clips: Array, layout: SkeletonLayout) -> Array:
    """The 13 anthropometric numbers of Munaro et al. (2014), built on Barbosa et al. (2012); medians over each clip.

    Heights are vertical, from the lower foot (kinect) or ankle (casia14), with y up. In order: (1) height of the head,
    (2) height of the neck, (3) neck to left shoulder, (4) neck to right shoulder, (5) middle of the torso to right
    shoulder, (6, 7) right and left arm, shoulder to elbow to wrist, (8, 9) right and left thigh, (10) torso, neck to
    mid-hip, (11) hip to hip, (12, 13) torso over right and over left thigh. The neck is kinect20's shoulder centre; the
    middle of the torso is the spine joint, or halfway from neck to mid-hip in casia14.
    """
    return _median(clips, _thirteen(_frames(clips), layout))


def d16_of(clips: Array, layout: SkeletonLayout) -> Array:
    """D13 and (14, 15) right and left shin, (16) shoulder to shoulder; medians over each clip.

    The field uses D16 for D13 with three more lengths (Pala et al. 2019); these are the three main ones D13 lacks.
    """
    frames = _frames(clips)
    shins = [_distance(frames, layout, f"{side} knee", f"{side} ankle") for side in ("right", "left")]
    shoulders = _distance(frames, layout, "left shoulder", "right shoulder")
    return _median(clips, [*_thirteen(frames, layout), *shins, shoulders])


def bone_lengths_of(clips: Array, layout: SkeletonLayout) -> Array:
    """Median length of every bone of the layout, in the layout's order; (N, bones)."""
    return np.asarray(np.median(_bones(clips, layout), axis=1))


def posture_statistics_of(clips: Array, layout: SkeletonLayout) -> Array:
    """How long the bones are and how the joints bend, over a clip: percentiles 10, 50, 90 of every bone's length, bone
    by bone, then percentiles 5, 25, 50, 75, 95 of the 8 `joint_angles`, angle by angle; (N, 3 bones + 40)."""
    angles = _angles(_frames(clips), layout).reshape(*clips.shape[:2], -1)
    parts = ((_bones(clips, layout), LENGTH_PERCENTILES), (angles, ANGLE_PERCENTILES))
    values = [np.moveaxis(np.percentile(x, percentiles, axis=1), 0, -1) for x, percentiles in parts]
    return np.concatenate([value.reshape(len(clips), -1) for value in values], axis=1)


def joint_statistics_of(clips: Array, layout: SkeletonLayout) -> Array:
    """Where the joints are and how far they move: mean and deviation of every coordinate over a clip; (N, 6 J)."""
    parts = [value.reshape(len(clips), -1) for value in (clips.mean(axis=1), clips.std(axis=1))]
    return np.concatenate(parts, axis=1)


DESCRIPTORS: dict[str, Descriptor] = {
    "D13": d13_of,
    "D16": d16_of,
    "bone lengths": bone_lengths_of,
    "posture statistics": posture_statistics_of,
}
"""The baselines, in the order of their rows."""


def d13(sequence: SkeletonSequence) -> Array:
    """`d13_of` a whole track; (13,)."""
    return _whole(d13_of, sequence)


def d16(sequence: SkeletonSequence) -> Array:
    """`d16_of` a whole track; (16,)."""
    return _whole(d16_of, sequence)


def bone_lengths(sequence: SkeletonSequence) -> Array:
    """`bone_lengths_of` a whole track; (bones,)."""
    return _whole(bone_lengths_of, sequence)


def posture_statistics(sequence: SkeletonSequence) -> Array:
    """`posture_statistics_of` a whole track; (3 bones + 40,)."""
    return _whole(posture_statistics_of, sequence)


def joint_statistics(sequence: SkeletonSequence) -> Array:
    """`joint_statistics_of` a whole track; (6 J,)."""
    return _whole(joint_statistics_of, sequence)


def over_windows(descriptor: Descriptor, sequence: SkeletonSequence) -> Array:
    """The mean of a descriptor over windows of two seconds, three to a window's length, within stretches; (D,). Of
    whole stretches where none is as long.

    Who walks in a bend is seen from one side after another, and the spread of all that says less than what is usual of
    the spread within a stride or two.
    """
    windows = _windows(sequence)
    return descriptor(windows, sequence.layout).mean(axis=0) if len(windows) else _whole(descriptor, sequence)


def stride_swing(sequence: SkeletonSequence) -> Array:
    r"""How every joint swings with the stride, and how long that is; (6 J + 2,).

    The stride's frequency f is the one, of `STRIDES`, whose sinusoid takes most of the variance off how far the left
    foot is ahead of the right one, and the right hand of the left one, over all windows of `over_windows`. Each
    coordinate of a window is then told, by least squares, as

    .. math:: x(t) = m + a \cos(2 \pi f t - \varphi) + b \sin(2 \pi f t - \varphi)

    where phi is when the left foot is farthest ahead. What is given are the a and the b, averaged over windows, f in
    strides a second, and the share of variance that was taken off. The mean m is left to `joint_statistics_of`. After
    the Fourier descriptions of gait since Cunado, Nixon and Carter ("Using gait as a biometric, via phase-weighted
    magnitude spectra", AVBPA 1997), in 3D and with one harmonic: a second one helped rendered people only.
    """
    windows = _windows(sequence)
    clips = [windows] if len(windows) else [stretch[None] for stretch in sequence.stretches()]
    whole = [_lead(clip, sequence.layout) for clip in clips]
    taken = np.array([sum(_taken_off(lead, f / sequence.fps) for lead in whole) for f in STRIDES])
    f = float(STRIDES[taken.argmax()])
    swings = [_swings(clip, lead, f / sequence.fps) for clip, lead in zip(clips, whole, strict=True)]
    lengths = [clip.shape[0] * clip.shape[1] for clip in clips]
    there = sum(float(((lead - lead.mean(axis=1, keepdims=True)) ** 2).sum()) for lead in whole)
    swing = np.average(np.stack([swing.mean(axis=0) for swing in swings]), axis=0, weights=lengths)
    return np.concatenate([swing, [f, taken.max() / max(there, 1e-9)]])


def joint_angles(sequence: SkeletonSequence) -> Array:
    """(T, 8) radians in [0, pi]; left then right of: elbow (shoulder-elbow-wrist), knee (hip-knee-ankle), shoulder
    (upper arm against the trunk, mid-hip seen from the neck), hip (thigh against the trunk, likewise). A straight
    elbow or knee is pi; an arm or thigh that hangs along the trunk is 0."""
    return _angles(sequence.joints, sequence.layout)


def _windows(sequence: SkeletonSequence) -> NDArray[np.float32]:
    """(N, T, J, 3): two seconds each, three to a window's length, within stretches."""
    frames = max(round(WINDOW * sequence.fps), 1)
    return sequence.windows(frames, max(frames // 3, 1))


def _lead(clips: Array, layout: SkeletonLayout) -> Array:
    """(N, T) how far left foot and right hand are ahead of the others, a hand counting half."""
    frames = _frames(clips)
    left, right = (
        joint(frames, layout, f"{foot} ankle")[:, 2] + 0.5 * joint(frames, layout, f"{hand} wrist")[:, 2]
        for foot, hand in (_SIDES, _SIDES[::-1])
    )
    return np.asarray(left - right).reshape(clips.shape[:2])


def _waves(frames: int, frequency: float) -> Array:
    """(T, 3): one, cosine and sine, `frequency` in cycles a frame."""
    turn = 2 * np.pi * frequency * np.arange(frames)
    return np.stack([np.ones(frames), np.cos(turn), np.sin(turn)], axis=1)


def _fitted(values: Array, frequency: float) -> Array:
    """(N, T, D) -> (N, 3, D), the least squares of `_waves`; a ridge for clips that hold less than a stride."""
    waves = _waves(values.shape[1], frequency)
    return np.asarray(np.linalg.solve(waves.T @ waves + np.diag([0.0, 0.5, 0.5]), waves.T @ values))


def _taken_off(lead: Array, frequency: float) -> float:
    """The sum of squares about the mean that a sinusoid of this frequency takes off (N, T)."""
    rest = lead - (_waves(lead.shape[1], frequency) @ _fitted(lead[..., None], frequency))[..., 0]
    return float(((lead - lead.mean(axis=1, keepdims=True)) ** 2).sum() - (rest**2).sum())


def _swings(clips: Array, lead: Array, frequency: float) -> Array:
    """(N, 6 J): a of every coordinate, then b."""
    _, cosine, sine = _fitted(lead[..., None], frequency)[..., 0].T
    phase = np.arctan2(sine, cosine)[:, None]
    _, a, b = np.moveaxis(_fitted(clips.reshape(*clips.shape[:2], -1), frequency), 1, 0)
    return np.concatenate([a * np.cos(phase) + b * np.sin(phase), b * np.cos(phase) - a * np.sin(phase)], axis=1)


def _whole(descriptor: Descriptor, sequence: SkeletonSequence) -> Array:
    """Of each uninterrupted stretch, averaged by length: between two the person may have turned round, and the spread
    of what is seen from two sides says little of either."""
    stretches = sequence.stretches()
    each = [descriptor(stretch[None], sequence.layout)[0] for stretch in stretches]
    return np.asarray(np.average(each, axis=0, weights=[len(stretch) for stretch in stretches]))


def _angles(frames: Array, layout: SkeletonLayout) -> Array:
    """(F, 8): `joint_angles`."""

    def at(name: str) -> Array:
        return joint(frames, layout, name)

    bends = [
        _angle(at(f"{side} {a}") - at(f"{side} {b}"), at(f"{side} {c}") - at(f"{side} {b}"))
        for a, b, c in _ANGLES
        for side in _SIDES
    ]
    trunk = at("mid hip") - at("neck")
    limbs = [
        _angle(at(f"{side} {b}") - at(f"{side} {a}"), trunk)
        for a, b in (("shoulder", "elbow"), ("hip", "knee"))
        for side in _SIDES
    ]
    return np.stack(bends + limbs, axis=1)


def _thirteen(frames: Array, layout: SkeletonLayout) -> list[Array]:
    """D13 of every frame: 13 arrays of (F,)."""

    def at(name: str) -> Array:
        return joint(frames, layout, name)

    def distance(a: str, b: str) -> Array:
        return _distance(frames, layout, a, b)

    foot = "foot" if "left foot" in layout.index else "ankle"
    ground = np.minimum(*(at(f"{side} {foot}")[:, 1] for side in _SIDES))
    middle = next((name for name in ("spine", "spine mid") if name in layout.index), None)
    centre = at(middle) if middle else (at("neck") + at("mid hip")) / 2
    arms = [
        distance(f"{side} shoulder", f"{side} elbow") + distance(f"{side} elbow", f"{side} wrist")
        for side in ("right", "left")
    ]
    thighs = [distance(f"{side} hip", f"{side} knee") for side in ("right", "left")]
    torso = distance("neck", "mid hip")
    return [
        at("head")[:, 1] - ground,
        at("neck")[:, 1] - ground,
        distance("neck", "left shoulder"),
        distance("neck", "right shoulder"),
        np.asarray(np.linalg.norm(at("right shoulder") - centre, axis=1)),
        *arms,
        *thighs,
        torso,
        distance("left hip", "right hip"),
        *(torso / np.maximum(thigh, 1e-9) for thigh in thighs),
    ]


def _frames(clips: Array) -> Array:
    """(N, T, J, 3) -> (F, J, 3)."""
    return clips.reshape(-1, *clips.shape[2:])


def _distance(frames: Array, layout: SkeletonLayout, a: str, b: str) -> Array:
    return np.asarray(np.linalg.norm(joint(frames, layout, a) - joint(frames, layout, b), axis=1))


def _bones(clips: Array, layout: SkeletonLayout) -> Array:
    """(N, T, bones) lengths."""
    a, b = np.array(layout.bones).T
    return np.asarray(np.linalg.norm(clips[:, :, a] - clips[:, :, b], axis=3))


def _angle(a: Array, b: Array) -> Array:
    """(F, 3), (F, 3) -> (F,): the angle between them; pi/2 where one has no length."""
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.arccos(np.clip((a * b).sum(axis=1) / np.maximum(norm, 1e-12), -1, 1)))


def _median(clips: Array, per_frame: list[Array]) -> Array:
    """Numbers of every frame, D arrays of (F,) -> (N, D) medians over each clip."""
    return np.asarray(np.median(np.stack(per_frame, axis=1).reshape(*clips.shape[:2], -1), axis=1))
