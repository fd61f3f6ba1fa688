"""Files of `reid extract`, a folder a person, become sequences; what cannot be used is told, not dropped in silence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stick_people import Stick, walk

from pipeline.errors import DatasetError, SkeletonFileError
from pipeline.footage import read_footage
from pipeline.lift import Lift
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, save_skeletons
from pipeline.values import PoseTrack
from smsge.protocols import Reading, splits

TIMES = np.arange(0, 4, 0.04)
FRAMES = 20


def keep(folder: Path, name: str, *tracks: PoseTrack) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbered = tuple(replace(track, id=number) for number, track in enumerate(tracks, start=1))
    return save_skeletons(folder / name, Extraction("clip.mp4", "", (1280, 480), 25.0, 4.0, 100, numbered))


def test_people_and_sessions_are_folders_and_files(tmp_path: Path) -> None:
    for who, size in (("ann", 0.95), ("bob", 1.05)):
        for day in ("day9", "day10"):
            keep(tmp_path / who, f"{day}.npz", walk(Stick(size=size), TIMES, scale=80))
    read = read_footage(tmp_path, Settings(), FRAMES, Lift())
    assert read.left_out == ()
    assert [(s.identity, s.session, s.view) for s in read.sequences] == [
        ("ann", "ann/day10", ""), ("ann", "ann/day9", ""), ("bob", "bob/day10", ""), ("bob", "bob/day9", ""),
    ]  # fmt: skip
    assert all(len(s.windows(FRAMES, FRAMES)) for s in read.sequences)
    (split,) = splits("footage", read.sequences, "last-session", Reading("casia14", FRAMES, 15.0))
    assert [s.session for s in split.probe] == ["ann/day10", "bob/day10"]


def test_one_person_who_came_back_is_one_session_and_two_people_are_refused(tmp_path: Path) -> None:
    first = walk(Stick(), TIMES, scale=80)
    # Back five seconds later, where the first track broke off.
    moved = first.boxes[-1][[0, 1, 0, 1]] - first.boxes[0][[0, 1, 0, 1]]
    again = replace(first, times=TIMES + 9, frames=first.frames + 225, boxes=first.boxes + moved)
    keep(tmp_path / "ann", "a.npz", first, again)
    assert [s.session for s in read_footage(tmp_path, Settings(), FRAMES, Lift()).sequences] == ["ann/a", "ann/a"]
    path = keep(tmp_path / "bob", "b.npz", first, walk(Stick(size=1.1), TIMES, scale=80))
    with pytest.raises(DatasetError, match="shows several people") as caught:
        read_footage(tmp_path, Settings(), FRAMES, Lift())
    assert str(path) in str(caught.value)


def test_files_in_which_nobody_is_usable_are_told(tmp_path: Path) -> None:
    keep(tmp_path / "ann", "good.npz", walk(Stick(), TIMES, scale=80))
    small = keep(tmp_path / "ann", "small.npz", walk(Stick(), TIMES, scale=10))
    empty = keep(tmp_path / "bob", "empty.npz")
    read = read_footage(tmp_path, Settings(), FRAMES, Lift())
    assert [s.session for s in read.sequences] == ["ann/good"]
    assert read.left_out[0].startswith(f"{small}: too small")
    assert read.left_out[1] == f"{empty}: nobody was seen"
    (long,) = read_footage(tmp_path, Settings(), 500, Lift()).left_out[:1]
    assert "s without a break are needed" in long


def test_what_is_no_folder_of_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_footage(tmp_path / "missing", Settings(), FRAMES, Lift())
    with pytest.raises(DatasetError, match="no file of skeletons"):
        read_footage(tmp_path, Settings(), FRAMES, Lift())
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.npz").write_bytes(b"no skeletons")
    with pytest.raises(SkeletonFileError, match=r"a\.npz is not a sound skeletons file"):
        read_footage(tmp_path, Settings(), FRAMES, Lift())
    keep(tmp_path, "stray.npz")
    with pytest.raises(DatasetError, match=r"stray\.npz lies in no person's folder"):
        read_footage(tmp_path, Settings(), FRAMES, Lift())
