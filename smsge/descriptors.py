"""Descriptors by hand: the baselines that every table shows beside the encoder.

One sequence in, one vector out, in the sequence's own units (canonical sequences have unit stature, so their lengths
are proportions). Joints are found by name, so each works for casia14, kinect20 and kinect25.
"""

import numpy as np
from numpy.typing import NDArray

from smsge.canonical import joint
from smsge.sequence import SkeletonSequence

Array = NDArray[np.floating]

_SIDES = ("left", "right")
LENGTH_PERCENTILES = (10, 50, 90)
ANGLE_PERCENTILES = (5, 25, 50, 75, 95)
_ANGLES = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))


def d13(sequence: SkeletonSequence) -> Array:
    """The 13 anthropometric numbers of Munaro et al. (2014), built on Barbosa et al. (2012); medians over the track.

    Heights are vertical, from the lower foot (kinect) or ankle (casia14), with y up. In order: (1) height of the head,
    (2) height of the neck, (3) neck to left shoulder, (4) neck to right shoulder, (5) middle of the torso to right
    shoulder, (6, 7) right and left arm, shoulder to elbow to wrist, (8, 9) right and left thigh, (10) torso, neck to
    mid-hip, (11) hip to hip, (12, 13) torso over right and over left thigh. The neck is kinect20's shoulder centre; the
    middle of the torso is the spine joint, or halfway from neck to mid-hip in casia14.
    """
    return _median(_thirteen(sequence))


def d16(sequence: SkeletonSequence) -> Array:
    """D13 and (14, 15) right and left shin, (16) shoulder to shoulder; medians over the track.

    The field uses D16 for D13 with three more lengths (Pala et al. 2019); these are the three main ones D13 lacks.
    """
    shins = [_distance(sequence, f"{side} knee", f"{side} ankle") for side in ("right", "left")]
    return _median([*_thirteen(sequence), *shins, _distance(sequence, "left shoulder", "right shoulder")])


def bone_lengths(sequence: SkeletonSequence) -> Array:
    """Median length of every bone of the layout, in the layout's order; (bones,)."""
    return np.asarray(np.median(_bones(sequence), axis=0))


def posture_statistics(sequence: SkeletonSequence) -> Array:
    """How long the bones are and how the joints bend, over a track: percentiles 10, 50, 90 of every bone's length, bone
    by bone, then percentiles 5, 25, 50, 75, 95 of the 8 `joint_angles`, angle by angle; (3 bones + 40,)."""
    lengths = np.percentile(_bones(sequence), LENGTH_PERCENTILES, axis=0).T
    angles = np.percentile(joint_angles(sequence), ANGLE_PERCENTILES, axis=0).T
    return np.concatenate([lengths.ravel(), angles.ravel()])


def joint_angles(sequence: SkeletonSequence) -> Array:
    """(T, 8) radians in [0, pi]; left then right of: elbow (shoulder-elbow-wrist), knee (hip-knee-ankle), shoulder
    (upper arm against the trunk, mid-hip seen from the neck), hip (thigh against the trunk, likewise). A straight
    elbow or knee is pi; an arm or thigh that hangs along the trunk is 0."""

    def at(name: str) -> Array:
        return joint(sequence.joints, sequence.layout, name)

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


def _thirteen(sequence: SkeletonSequence) -> list[Array]:
    """D13 of every frame: 13 arrays of (T,)."""
    joints, layout = sequence.joints, sequence.layout
    foot = "foot" if "left foot" in layout.index else "ankle"
    ground = np.minimum(*(joint(joints, layout, f"{side} {foot}")[:, 1] for side in _SIDES))
    middle = next((name for name in ("spine", "spine mid") if name in layout.index), None)
    centre = (
        joint(joints, layout, middle)
        if middle
        else (joint(joints, layout, "neck") + joint(joints, layout, "mid hip")) / 2
    )
    arms = [
        _distance(sequence, f"{side} shoulder", f"{side} elbow") + _distance(sequence, f"{side} elbow", f"{side} wrist")
        for side in ("right", "left")
    ]
    thighs = [_distance(sequence, f"{side} hip", f"{side} knee") for side in ("right", "left")]
    torso = _distance(sequence, "neck", "mid hip")
    return [
        joint(joints, layout, "head")[:, 1] - ground,
        joint(joints, layout, "neck")[:, 1] - ground,
        _distance(sequence, "neck", "left shoulder"),
        _distance(sequence, "neck", "right shoulder"),
        np.asarray(np.linalg.norm(joint(joints, layout, "right shoulder") - centre, axis=1)),
        *arms,
        *thighs,
        torso,
        _distance(sequence, "left hip", "right hip"),
        *(torso / np.maximum(thigh, 1e-9) for thigh in thighs),
    ]


def _distance(sequence: SkeletonSequence, a: str, b: str) -> Array:
    joints, layout = sequence.joints, sequence.layout
    return np.asarray(np.linalg.norm(joint(joints, layout, a) - joint(joints, layout, b), axis=1))


def _bones(sequence: SkeletonSequence) -> Array:
    """(T, bones) lengths."""
    a, b = np.array(sequence.layout.bones).T
    return np.asarray(np.linalg.norm(sequence.joints[:, a] - sequence.joints[:, b], axis=2))


def _angle(a: Array, b: Array) -> Array:
    """(T, 3), (T, 3) -> (T,): the angle between them; pi/2 where one has no length."""
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.arccos(np.clip((a * b).sum(axis=1) / np.maximum(norm, 1e-12), -1, 1)))


def _median(per_frame: list[Array]) -> Array:
    return np.asarray(np.median(np.stack(per_frame), axis=1))
