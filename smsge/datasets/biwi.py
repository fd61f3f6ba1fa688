"""BIWI RGBD-ID: 50 people before a Kinect v1 (20 joints, about 10 fps), 28 of them again on another day.

Munaro, Fossati, Basso, Menegatti and Van Gool, "One-Shot Person Re-identification with a Consumer Depth Camera", in:
Person Re-Identification, Springer 2014. In the training part people turn, move their heads and walk; of the 28 who came
back, mostly in other clothes, there is a part `Still` (standing, with small movements) and a part `Walking`. Files: the
arrays of `smsge.datasets.arrays`, NAME `BIWI`, in the order of joints of `kinect20`; the older spelling has a single,
unnamed test part. Terms: offered for download by IAS-Lab, University of Padua, whose site rules; the arrays
come without a licence of their own.
"""

from pathlib import Path

from smsge.datasets.arrays import ArrayFolder, ArraySet, open_arrays
from smsge.layouts import KINECT20

BIWI = ArraySet("BIWI", KINECT20, fps=10.0, folders=("BIWI",))


def open_biwi(data: str | Path, frames: int) -> ArrayFolder:
    """Parts `train`, `Still` and `Walking`, or `train` and `test`. Raises DatasetError."""
    return open_arrays(BIWI, data, frames)
