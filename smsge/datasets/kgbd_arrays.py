"""KGBD cut into clips: 164 people before a Kinect v1 (20 joints, about 30 fps).

The walks of `smsge.datasets.kgbd` (Andersson and Araujo, AAAI 2015) as the arrays of `smsge.datasets.arrays`, NAME
`KGBD`, in the order of joints of `kinect20`; identities 1 to 164. Ten frames are cut off at both ends of a walk. Parts
`train` and `test`, or in the later spelling `train`, `gallery` and `probe`, of whole walks drawn at random: one a
person is probe, two are gallery (one for the person who has three walks), the rest is for training. Terms: as KGBD's.
"""

from pathlib import Path

from smsge.datasets.arrays import ArrayFolder, ArraySet, open_arrays
from smsge.layouts import KINECT20

KGBD = ArraySet("KGBD", KINECT20, fps=30.0, folders=("KGBD",))


def open_kgbd_arrays(data: str | Path, frames: int) -> ArrayFolder:
    """Parts `train` and `test`, and `gallery` in the later spelling. Raises DatasetError."""
    return open_arrays(KGBD, data, frames)
