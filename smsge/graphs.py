"""Multi-scale skeleton graphs (section 2 of the SM-SGE paper, arXiv 2107.01903).

A node of a coarser scale is the mean of its joints and a hyper-joint is a joint or the midpoint of a bone, so each
scale is one constant pooling matrix S (n, J): nodes = S @ joints.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from smsge.layouts import BODY_EDGES, PART_EDGES, Groups, SkeletonLayout


@dataclass(frozen=True)
class ScaleGraph:
    """One scale of a layout.

    name: I, J, P or B. pooling: (n, J) float32, each row sums to 1. adjacency: (n, n) bool, symmetric, no self loops.
    """

    name: str
    pooling: np.ndarray
    adjacency: np.ndarray

    @property
    def n_nodes(self) -> int:
        return len(self.pooling)


def scale_graphs(layout: SkeletonLayout) -> tuple[ScaleGraph, ...]:
    """The four scales of a layout, finest first: hyper-joint I (2J-1 nodes), joint J (J), part P (10), body B (5)."""
    return tuple(ScaleGraph(name, *build(layout)) for name, build in _BUILDERS.items())


Matrices = tuple[np.ndarray, np.ndarray]


def _hyper_joints(layout: SkeletonLayout) -> Matrices:
    """The joints, then each bone's midpoint, tied to the bone's two ends and to nothing else.

    The midpoints come in the order in which the bones are met reading the upper triangle of the joint adjacency row
    by row, that is: sorted by (smaller joint, larger joint).
    """
    joints = layout.n_joints
    bones = sorted((min(bone), max(bone)) for bone in layout.bones)
    pooling = _mean_of([*((j,) for j in range(joints)), *bones], joints)
    edges = [(end, joints + i) for i, bone in enumerate(bones) for end in bone]
    return pooling, _adjacency(edges, joints + len(bones))


def _joints(layout: SkeletonLayout) -> Matrices:
    return np.eye(layout.n_joints, dtype=np.float32), _adjacency(layout.bones, layout.n_joints)


def _parts(layout: SkeletonLayout) -> Matrices:
    return _mean_of(layout.parts, layout.n_joints), _adjacency(PART_EDGES, len(layout.parts))


def _bodies(layout: SkeletonLayout) -> Matrices:
    return _mean_of(layout.bodies, layout.n_joints), _adjacency(BODY_EDGES, len(layout.bodies))


_BUILDERS: dict[str, Callable[[SkeletonLayout], Matrices]] = {
    "I": _hyper_joints,
    "J": _joints,
    "P": _parts,
    "B": _bodies,
}


def _mean_of(groups: Groups | list[tuple[int, ...]], joints: int) -> np.ndarray:
    pooling = np.zeros((len(groups), joints), np.float32)
    for node, members in enumerate(groups):
        pooling[node, list(members)] = 1 / len(members)
    return pooling


def _adjacency(edges: Iterable[tuple[int, int]], nodes: int) -> np.ndarray:
    adjacency = np.zeros((nodes, nodes), bool)
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = True
    return adjacency
