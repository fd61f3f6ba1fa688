"""IAS-Lab RGBD-ID: 11 people before a Kinect v1 (20 joints, about 30 fps), 33 recordings.

Munaro, Basso, Fossati, Van Gool and Menegatti, "3D reconstruction of freely moving persons for re-identification with a
depth sensor", ICRA 2014. Everybody turns about themselves and walks; A was recorded in other clothes than the training
part, B in another room and in the same clothes. Files: the arrays of `smsge.datasets.arrays`, NAME `IAS` (test parts
`IAS-A` and `IAS-B`, or folders `A` and `B`), in the order of joints of `kinect20`; identities 0 to 10. Terms: offered
for download by IAS-Lab, University of Padua, whose site rules; the arrays come without a licence of their own.
"""

from pathlib import Path

from smsge.datasets.arrays import ArrayFolder, ArraySet, open_arrays
from smsge.layouts import KINECT20

IAS = ArraySet("IAS", KINECT20, fps=30.0, folders=("IAS", "IAS-Lab"))


def open_ias(data: str | Path, frames: int) -> ArrayFolder:
    """Parts `train`, `A` and `B`. Raises DatasetError."""
    return open_arrays(IAS, data, frames)
