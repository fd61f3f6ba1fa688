"""Writes the field's pre-processed arrays as they are exchanged, pickled `ids_*.npy` included."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from walking_figure import turned, walk

from smsge.layouts import SkeletonLayout


class Mine:
    """An object that, unpickled, makes a file: what a file from a stranger might hold."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def clips_of(
    layout: SkeletonLayout, people: Sequence[int], frames: int, each: int = 2, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`each` clips a person that do not overlap, (N, F, J, 3) metres before a sensor, and whose they are (N,)."""
    walks = [
        turned(walk(layout, frames * each, 30.0, seed=100 * seed + person), np.pi) + np.array([0.3, -0.9, 2.0])
        for person in people
    ]
    return np.concatenate(walks).reshape(-1, frames, layout.n_joints, 3), np.repeat(np.array(people), each)


def write_part(folder: Path, prefix: str, name: str, clips: NDArray[np.floating], ids: NDArray[np.generic]) -> Path:
    """The four files of a part and the pickled one beside them; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    n, frames, joints, _ = clips.shape
    for number, axis in enumerate("xyz"):
        np.save(folder / f"{prefix}source_{axis}_{name}_{frames}.npy", clips[..., number].reshape(n * frames, joints))
    np.save(folder / f"frame_id_{name}_{frames}.npy", ids)
    beside = np.array(Mine(folder / "unpickled"), dtype=object)
    np.save(folder / f"ids_{name}_{frames}.npy", beside, allow_pickle=True)
    return folder


def write_older(
    home: Path, name: str, layout: SkeletonLayout, frames: int, tests: Sequence[str] = ("",), people: int = 3
) -> Path:
    """`home` (…/F or …/F/view_V) in the older spelling, with a training part and the test parts named; returns it."""
    who = range(people)
    write_part(home / f"{name}_train_npy_data", "", name, *clips_of(layout, who, frames))
    for number, part in enumerate(tests, start=1):
        inner = f"{name}-{part}" if part else name
        write_part(home / f"{name}_test_npy_data", "t_", inner, *clips_of(layout, who, frames, seed=number))
    return home


def write_later(
    home: Path, name: str, layout: SkeletonLayout, frames: int, tests: Sequence[str], people: int = 3
) -> Path:
    """The same in the later spelling, where each test part has a folder."""
    who = range(people)
    write_part(home / "train_npy_data", "", name, *clips_of(layout, who, frames))
    for number, part in enumerate(tests, start=1):
        write_part(home / "test_npy_data" / part, "t_", name, *clips_of(layout, who, frames, seed=number))
    return home
