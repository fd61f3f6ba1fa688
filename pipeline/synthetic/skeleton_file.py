"""A population's skeletons in one file, in the form in which KGBD's are kept."""

from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.synthetic.skeletons import population_skeletons
from pipeline.values import Progress, silent
from smsge.datasets.kgbd import FPS, UNITS_A_METRE
from smsge.files import whole_file
from smsge.layouts import KINECT20


def write_skeletons(path: Path, people: int, sessions: int, seed: int = 0, seconds: float = 8.0,
                    progress: Progress = silent) -> list[str]:  # fmt: skip
    """Writes the walks of people 1 to `people` to `path` (.npz) and gives their keys, `001_1` for person and session.

    `smsge.datasets.kgbd` reads it: kinect20 at 30 skeletons a second, int16 quarter millimetres. As in KGBD, the body
    stays where it is and the ground passes below it: the hip centre is over the origin all the time. The ground is
    level, as in a room. Raises UserError on impossible numbers or where `path` is there already, OSError where it
    cannot be written.
    """
    if people < 1 or sessions < 1:
        raise UserError(f"cannot make {people} people with {sessions} walks each: both must be at least 1")
    if path.exists():
        raise UserError(f"{path} is there already: give another file, or take it away first")
    walks: dict[str, np.ndarray] = {}
    for person in range(1, people + 1):
        made = population_skeletons(seed, [person], sessions, KINECT20, FPS, seconds, slopes=0.0)
        for session, walk in enumerate(made, start=1):
            joints = walk.joints.copy()
            joints[:, :, [0, 2]] -= joints[:, :1, [0, 2]]
            walks[f"{person:03d}_{session}"] = np.round(joints * UNITS_A_METRE).astype(np.int16)
        progress("people", person, people)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        np.savez_compressed(file, **walks)  # type: ignore[arg-type]
    return list(walks)
