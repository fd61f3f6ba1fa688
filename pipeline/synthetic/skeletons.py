"""Walkers as skeletons of the three layouts, a whole population of them, without a picture being drawn."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic.outings import population_motion
from pipeline.synthetic.walker import Motion
from smsge.canonical import in_form
from smsge.layouts import CASIA14, SkeletonLayout
from smsge.sequence import SkeletonSequence

# Shares of the way from one joint of a motion to another, as a Kinect places its joints in standing people.
_BETWEEN = {
    "hip centre": ("pelvis", "neck", 0.10),
    "spine": ("pelvis", "neck", 0.27),
    "spine mid": ("pelvis", "neck", 0.55),
    "hand": ("wrist", "knuckles", 0.65),
    "foot": ("ankle", "ball", 0.5),
}
_SAME = {
    "shoulder centre": "neck base",
    "spine base": "pelvis",
    "spine shoulder": "neck",
    "neck": "neck base",
    "head": "head centre",
    "hand tip": "fingers",
}


def walker_joints(motion: Motion, layout: SkeletonLayout) -> NDArray[np.float32]:
    """(T, J, 3) world metres of a motion's joints in the order of `layout`.

    `casia14` has the joints as pose models of pictures see them: head the mean of nose and ears, neck the middle of the
    shoulders' line. The Kinects' `kinect20` and `kinect25` have head the centre of the head, shoulder centre (v1) and
    neck (v2) the root of the neck, spine shoulder the trunk's upper end, spine base the middle of the hips; hip centre,
    spine and spine mid a tenth, 27 % and 55 % of the way up the trunk; hand 65 % of the way from wrist to knuckles,
    hand tip the fingers' end; foot half way from the ankle to the ball. All others are those of the same name.
    """
    if layout == CASIA14:
        return np.stack([motion.joints[name] for name in layout.joints], axis=1).astype(np.float32)
    return np.stack([_joint(motion, name) for name in layout.joints], axis=1).astype(np.float32)


def _place(motion: Motion) -> NDArray[np.float32]:
    """(T, 3) metres: the ground below the pelvis."""
    pelvis = motion.joints["pelvis"]
    return np.stack([pelvis[:, 0], motion.rise * np.ones(len(pelvis)), pelvis[:, 2]], axis=-1).astype(np.float32)


def _joint(motion: Motion, name: str) -> np.ndarray:
    side, part = name.split(" ", 1) if name.startswith(("left ", "right ")) else ("", name)
    prefix = f"{side} " if side else ""
    if part in _BETWEEN:
        first, second, share = _BETWEEN[part]
        return (1.0 - share) * motion.joints[prefix + first] + share * motion.joints[prefix + second]
    return motion.joints[prefix + _SAME.get(part, part)]


def population_skeletons(seed: int, people: Iterable[int], sessions: int, layout: SkeletonLayout, fps: float = 15.0,
                         seconds: float = 8.0, *, form: str = "recorded", stops: float = 0.2,
                         slopes: float = 0.25) -> Iterator[SkeletonSequence]:  # fmt: skip
    """The walks 1 to `sessions` of the people with these numbers, each made when it is asked for.

    form: one of `smsge.config.FORMS`. As recorded they are in world metres, y up from the level of the origin, in which
    a slope makes the whole body rise or sink. stops, slopes: as in `population_motion`, with which the same numbers
    give the same walk. Identity is "0001", session "0001_1". Raises ValueError for another form.
    """
    for person in people:
        for session in range(1, sessions + 1):
            _, motion, _ = population_motion(
                seed, person, session, seconds=seconds, fps=fps, stops=stops, slopes=slopes
            )
            joints = walker_joints(motion, layout)
            if form != "recorded":
                # Left in, the way walked would be tilted with the body when that is set upright, and become a climb.
                joints = in_form(joints - _place(motion)[:, None], layout, fps, form)
            name = f"{person:04d}"
            yield SkeletonSequence(joints, layout, fps, identity=name, session=f"{name}_{session}")
