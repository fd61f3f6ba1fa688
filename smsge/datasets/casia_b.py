"""CASIA-B: 124 people, ten walks each before 11 cameras at 25 fps; six as they are, two with a bag, two in a coat.

Yu, Tan and Tan, "A Framework for Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait
Recognition", ICPR 2006. Skeletons were estimated from the videos by OpenPose and lifted to 3-D by 3DHumanPose, so their
unit is no metre; the order of joints is that of `casia14`. Files: the arrays of `smsge.datasets.arrays`, NAME
`CASIA_B`. Terms: CASIA gives the videos out upon a signed agreement, and the arrays go to those who hold one.

Cross-view: `CASIA_B/F/view_V/`, F 20, 30 or 40, V 0 to 10; the test part shows V * 18 degrees (as a view, "000" to
"180"), the training part other views; 124 people. Cross-condition: `CASIA_B_match/F/` (also `CASIA_B_CME` or
`CASIA_match`), F 40 to 70, with a training part of 62 people and the test parts `nm`, `bg` and `cl` of the other 62.
"""

from dataclasses import replace
from pathlib import Path

from smsge.datasets.arrays import ArrayFolder, ArraySet, open_arrays
from smsge.layouts import CASIA14

CASIA_B = ArraySet("CASIA_B", CASIA14, fps=25.0, folders=("CASIA_B", "CASIA"), measured=False)
VIEWS = tuple(range(11))
CONDITIONS = {"N": "nm", "B": "bg", "C": "cl"}
"""As tables call them: normal, bag, clothes; and as the folders do."""

_MATCHED = replace(CASIA_B, folders=("CASIA_B_match", "CASIA_B_CME", "CASIA_match", "CASIA_B"))


def open_casia_b(data: str | Path, frames: int, view: int | None = None) -> ArrayFolder:
    """The clips of the cross-view setting that tests one view (0 to 10), or those of the cross-condition setting.

    Raises DatasetError.
    """
    if view is None:
        return open_arrays(_MATCHED, data, frames)
    return open_arrays(CASIA_B, data, frames, within=f"view_{view}", view=f"{18 * view:03d}")
