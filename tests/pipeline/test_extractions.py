"""A folder of clips becomes a folder of skeletons, clip by clip."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from test_extract import Walking
from written_clips import write_clip

from pipeline.errors import UserError, VideoError
from pipeline.extractions import Extractions, extract_all
from pipeline.skeletons import load_skeletons, save_skeletons


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, frames in (("anna/monday.mp4", 20), ("anna/friday.mp4", 25), ("hall.mp4", 30)):
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, [40 * k for k in range(frames)])
    return tmp_path / "people"


def made(folder: Path, out: Path, **options: bool) -> Extractions:
    return extract_all(folder, out, pose=Walking(), **options)


def states(result: Extractions) -> dict[str, bool | str]:
    return {one.clip.name: one.error or one.kept for one in result.clips}


def test_every_clip_has_its_file_where_it_lies(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float, float | None]] = []
    out = tmp_path / "skeletons"
    result = extract_all(folder, out, pose=Walking(), progress=lambda *what: told.append(what))
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {"anna/monday.npz", "anna/friday.npz", "hall.npz"}
    assert [one.frames for one in result.clips] == [25, 20, 30]
    assert len(load_skeletons(out / "hall.npz").tracks) == 1
    assert told[-1] == ("extracting", 3, 3)
    assert result.exit_code == 0
    document = json.loads(json.dumps(result.json()))
    assert document["out"] == str(out)
    assert set(document["clips"][0]) == {"clip", "out", "kept", "frames", "tracks", "error"}
    assert set(document["clips"][0]["tracks"][0]) == {"track", "start", "end", "frames"}
    text = StringIO()
    Console(file=text, width=200).print(result.table())
    assert "monday.mp4" in text.getvalue()


def test_a_second_run_makes_what_is_missing_damaged_or_of_another_clip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "skeletons"
    made(folder, out)
    assert states(made(folder, out)) == {"friday.mp4": True, "monday.mp4": True, "hall.mp4": True}
    (out / "hall.npz").write_bytes(b"PK torn")
    (folder / "anna" / "monday.mp4").unlink()
    write_clip(folder / "anna" / "monday.mp4", [40 * k for k in range(22)])
    assert states(made(folder, out)) == {"friday.mp4": True, "monday.mp4": False, "hall.mp4": False}
    assert load_skeletons(out / "anna" / "monday.npz").frames == 22
    assert set(states(made(folder, out, overwrite=True)).values()) == {False}


def test_a_bad_clip_is_told_and_the_others_go_on(folder: Path, tmp_path: Path) -> None:
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    write_clip(folder / "hall.mkv", [40 * k for k in range(30)])
    result = made(folder, tmp_path / "out")
    told = states(result)
    assert "cannot be opened" in str(told["text.mp4"])
    assert "is empty" in str(told["empty.mp4"])
    assert sorted(str(told[name]) for name in ("hall.mp4", "hall.mkv"))[0].endswith("rename one of them")
    assert (told["monday.mp4"], result.exit_code) == (False, 1)
    assert len(list(result.remarks())) == 3
    assert not (tmp_path / "out" / "text.npz").exists()


def test_skeletons_are_no_clips_and_the_output_is_not_read(folder: Path, tmp_path: Path) -> None:
    out = folder / "skeletons"
    made(folder, out)
    save_skeletons(folder / "loose.npz", load_skeletons(out / "hall.npz"))
    assert len(made(folder, out).clips) == 3
    for clip in folder.rglob("*.mp4"):
        clip.unlink()
    with pytest.raises(VideoError, match="no clip below"):
        made(folder, out)


def test_where_it_cannot_be_written_is_told_before_the_work(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file: File exists"):
        extract_all(folder, tmp_path / "file")  # with a pose estimator of its own, which is not loaded
    (tmp_path / "out" / "anna.npz").parent.mkdir()
    (tmp_path / "out" / "anna").touch()
    with pytest.raises(UserError, match=r"cannot write .*anna"):
        made(folder, tmp_path / "out")
