"""Which clips a word on the command line means, and what their people are called."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scripted import WIDE, clip

from pipeline.errors import SkeletonFileError, VideoError
from pipeline.sources import Clip, clip_content, clips_below, expand


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    return path


def test_files_streams_and_flat_folders(tmp_path: Path) -> None:
    a, b = touch(tmp_path / "flat" / "anna.mp4"), touch(tmp_path / "flat" / "bert.MKV")
    touch(tmp_path / "flat" / "notes.txt")
    url = "rtsp://user:secret@host/door"
    assert expand([a, tmp_path / "flat", url, "0"]) == [
        Clip(str(a), "anna"), Clip(str(b), "bert"), Clip(url, ""), Clip("0", ""),
    ]  # fmt: skip
    assert expand(["not/there.mp4"]) == [Clip("not/there.mp4", "there")]


def test_a_folder_of_folders_names_people_by_the_first(tmp_path: Path) -> None:
    for name in ["anna/1.mp4", "anna/summer/2.mp4", "bert/1.mp4", "carl.mp4"]:
        touch(tmp_path / name)
    got = [(Path(c.source).name, c.name, c.grouped) for c in expand([tmp_path])]
    assert got == [
        ("1.mp4", "anna", True),
        ("2.mp4", "anna", True),
        ("1.mp4", "bert", True),
        ("carl.mp4", "carl", False),
    ]


def test_skeletons_count_where_they_are_skeletons_without_their_clip(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    clip(tmp_path / "a.npz", (WIDE, 0, 2))
    clip(tmp_path / "b.npz", (WIDE, 0, 2))
    np.savez(tmp_path / "truth.npz", joints=np.zeros(3))
    touch(tmp_path / "torn.npz")  # may have held skeletons: left aside, nobody would hear of it
    assert [path.name for path in clips_below(tmp_path)[0]] == ["a.mp4", "b.npz", "torn.npz"]


def test_links_that_lead_out_and_folders_set_apart_are_left(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside" / "secret.mp4")
    inside = tmp_path / "in"
    touch(inside / "a.mp4")
    touch(inside / "out" / "annotated.mp4")
    (inside / "link.mp4").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    (inside / "loop").symlink_to(inside)
    (inside / "broken.mp4").symlink_to(tmp_path / "nothing.mp4")
    below = clips_below(inside, without=[inside / "out"])
    assert [[path.name for path in found] for found in below] == [["a.mp4"], ["link.mp4"]]
    touch(inside / "output.mp4")  # begins like the folder that is set apart, and is not in it
    assert [path.name for path in clips_below(inside, without=[inside / "out"])[0]] == ["a.mp4", "output.mp4"]


def test_a_folder_of_links_says_that_they_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").symlink_to(touch(tmp_path / "outside" / "a.mp4"))
    with pytest.raises(VideoError, match=r"no clip below .*, links that lead out of it aside, which are not followed"):
        expand([tmp_path / "in"])


def test_an_empty_path_is_not_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somebody.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert len(expand(["."])) == 1
    for empty in ("", " "):
        with pytest.raises(VideoError, match="path is empty"):
            expand([empty])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no clip below"):
        expand([tmp_path])


def test_a_clip_and_its_skeletons_have_one_content(tmp_path: Path) -> None:
    video = touch(tmp_path / "a.mp4")
    known = hashlib.sha256(video.read_bytes()).hexdigest()
    assert clip_content(str(video)) == known
    assert clip_content(str(clip(tmp_path / "b.npz", (WIDE, 0, 2), content="a.mp4"))) == known
    assert clip_content("http://host/a.mp4") == ""
    with pytest.raises(VideoError):
        clip_content(str(tmp_path / "none.mp4"))
    with pytest.raises(SkeletonFileError):
        clip_content(str(tmp_path / "none.npz"))
