"""From one layout of skeletons to another: the joints of the same name, in the other's order."""

import numpy as np
from numpy.typing import NDArray

from smsge.canonical import neck_name
from smsge.errors import DatasetError
from smsge.layouts import SkeletonLayout


def to_layout(joints: NDArray[np.float32], source: SkeletonLayout, target: SkeletonLayout) -> NDArray[np.float32]:
    """(…, J, 3) of `source` -> (…, J', 3) of `target`; the neck is the shoulder centre where a sensor knows no neck.

    Raises DatasetError, naming the joint, where `source` lacks one.
    """
    if source == target:
        return joints
    wanted = [neck_name(source) if name == "neck" else name for name in target.joints]
    missing = next((name for name in wanted if name not in source.index), None)
    if missing is not None:
        raise DatasetError(f"{source.name} skeletons have no {missing}, so they cannot be had as {target.name}")
    return joints[..., [source.index[name] for name in wanted], :]
