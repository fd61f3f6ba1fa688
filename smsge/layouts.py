"""Skeleton layouts as data: joint names, bones, and which joints make a part and a body region.

Facts from section 2 of the SM-SGE paper (arXiv 2107.01903) and its three kinds of skeleton data.
"""

from dataclasses import dataclass
from functools import cached_property

Groups = tuple[tuple[int, ...], ...]

# Parts in order: left upper and lower leg, right upper and lower leg, torso, head, left upper and lower arm, right
# upper and lower arm. Bodies: left leg, right leg, torso, left arm, right arm.
PART_EDGES = ((5, 6), (5, 8), (6, 7), (8, 9), (5, 4), (4, 2), (4, 0), (2, 3), (1, 0))
BODY_EDGES = ((2, 0), (2, 1), (2, 3), (2, 4))


@dataclass(frozen=True)
class SkeletonLayout:
    """One kind of skeleton: names of `joints` in order, undirected `bones`, joints of the 10 `parts` and 5 `bodies`."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    parts: Groups
    bodies: Groups

    @property
    def n_joints(self) -> int:
        return len(self.joints)

    @cached_property
    def index(self) -> dict[str, int]:
        """Joint name to joint number."""
        return {name: i for i, name in enumerate(self.joints)}


CASIA14 = SkeletonLayout(
    name="casia14",
    joints=(
        "head", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
        "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
    ),
    bones=(
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    ),
    parts=((11,), (12, 13), (8,), (9, 10), (1,), (0,), (5,), (6, 7), (2,), (3, 4)),
    bodies=((11, 12, 13), (8, 9, 10), (0, 1), (5, 6, 7), (2, 3, 4)),
)  # fmt: skip

KINECT20 = SkeletonLayout(
    name="kinect20",
    joints=(
        "hip centre", "spine", "shoulder centre", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (3, 2), (2, 8), (8, 9), (9, 10), (10, 11), (2, 4), (4, 5), (5, 6), (6, 7), (2, 1), (1, 0),
        (0, 16), (16, 17), (17, 18), (18, 19), (0, 12), (12, 13), (13, 14), (14, 15),
    ),
    parts=((12, 13), (14, 15), (16, 17), (18, 19), (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    bodies=((12, 13, 14, 15), (16, 17, 18, 19), (0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)),
)  # fmt: skip

KINECT25 = SkeletonLayout(
    name="kinect25",
    joints=(
        "spine base", "spine mid", "neck", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
        "spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=(
        (3, 2), (2, 20), (20, 8), (8, 9), (9, 10), (10, 11), (11, 23), (10, 24), (20, 4), (4, 5), (5, 6), (6, 7),
        (7, 21), (6, 22), (20, 1), (1, 0), (0, 16), (16, 17), (17, 18), (18, 19), (0, 12), (12, 13), (13, 14), (14, 15),
    ),
    parts=(
        (12, 13), (14, 15), (16, 17), (18, 19), (0, 1), (2, 3, 20), (4, 5), (6, 7, 21, 22), (8, 9), (10, 11, 23, 24),
    ),
    bodies=(
        (12, 13, 14, 15), (16, 17, 18, 19), (0, 1, 2, 3, 20), (4, 5, 6, 7, 21, 22), (8, 9, 10, 11, 23, 24),
    ),
)  # fmt: skip

LAYOUTS = {layout.name: layout for layout in (CASIA14, KINECT20, KINECT25)}
