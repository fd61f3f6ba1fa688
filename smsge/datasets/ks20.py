"""KS20: 20 people, three walks each in five directions before a Kinect v2 (25 joints, 30 fps), 300 walks in all.

Nambiar, Bernardino, Nascimento and Fred, "Context-Aware Person Re-identification in the Wild via fusion of Gait and
Anthropometric features", B-Wild workshop at FG 2017; called the Vislab KS20 multi-view Kinect skeleton dataset. Files:
the arrays of `smsge.datasets.arrays`, NAME `KS20`, in the order of joints of `kinect25`; identities 0 to 19. Terms: the
dataset is given out upon a signed licence agreement with Vislab, Instituto Superior Técnico, and the arrays to those
who hold one.

Parts `train` and `test`, or in the later spelling `train`, `gallery` and `probe`: one walk of three a direction and
person is drawn at random for testing (and another for the gallery). Folders `view_0` to `view_4` hold the cross-view
setting: the test part is of that direction, the training part of others.
"""

from pathlib import Path

from smsge.datasets.arrays import ArrayFolder, ArraySet, open_arrays
from smsge.layouts import KINECT25

KS20 = ArraySet("KS20", KINECT25, fps=30.0, folders=("KS20",))
VIEWS = tuple(range(5))


def open_ks20(data: str | Path, frames: int, view: int | None = None) -> ArrayFolder:
    """The clips of the random setting, or of the cross-view setting that tests one view (0 to 4).

    Raises DatasetError.
    """
    if view is None:
        return open_arrays(KS20, data, frames)
    return open_arrays(KS20, data, frames, within=f"view_{view}", view=str(view))
