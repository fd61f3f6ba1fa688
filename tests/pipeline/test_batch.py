"""A run over a folder: every clip has its row, a killed run goes on, and one process writes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from scripted import NARROW, WIDE, ScriptedRead, ShoulderEncoder, asked, clip, gallery_at, unable

from pipeline.batch import BatchResult, batch
from pipeline.crew import Done
from pipeline.enroll import enroll
from pipeline.errors import (
    CheckpointError,
    ConfigError,
    DetectorError,
    GalleryError,
    PoseModelError,
    UserError,
    VideoError,
)
from pipeline.gallery import Gallery
from pipeline.ledger import Ledger
from pipeline.settings import BatchSettings, GallerySettings, SearchSettings, Settings
from pipeline.thresholds import Thresholds

ROOT = Path(__file__).parents[2]


def run(folder: Path, out: Path, mode: str = "search", **options: Any) -> BatchResult:
    with gallery_at(folder.parent / "people.db") as gallery:
        options = {"make_read": ScriptedRead, "workers": 1, **options}
        return batch(folder, out, gallery=gallery, mode=mode, embedder=ShoulderEncoder(), **options)  # type: ignore[arg-type]


def in_this_process(tasks: Iterable[str], make: Any, workers: int | None, patience: float) -> Iterator[Done[str, Any]]:
    """What `run_tasks` does, without the seconds that a process takes to start."""
    read = make()
    for task in tasks:
        try:
            yield Done(task, read(task, lambda: None), None)
        except UserError as error:
            yield Done(task, None, error)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["pipeline.batch"], "run_tasks", in_this_process)


def people(folder: Path) -> dict[str, int]:
    with gallery_at(folder / "people.db") as gallery:
        return {person.name: person.templates for person in gallery.people()}


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["clip"]: row for row in map(json.loads, (out / "results.jsonl").read_text().splitlines())}


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of clips beside a gallery that holds nan."""
    with gallery_at(tmp_path / "people.db") as gallery:
        enroll(clip(tmp_path / "nan.npz", (NARROW, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
    folder = tmp_path / "clips"
    clip(folder / "a.npz", (NARROW, 0, 3))
    clip(folder / "deep" / "er" / "b.npz", (WIDE, 0, 3))
    return folder


def test_search_resume_and_retry(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = clips / "out"
    clip(clips / "dies.npz", (WIDE, 0, 3), content="dies")
    clip(clips / "bug.npz", (WIDE, 0, 3), content="bug")
    clip(clips / "slow.npz", (WIDE, 0, 3), content="slow")
    seen: list[float] = []
    hasty = Settings(batch=BatchSettings(patience=3))
    result = run(clips, out, workers=2, settings=hasty, progress=lambda what, done, total: seen.append(done))
    assert (result.clips, result.done, result.resumed, result.exit_code) == (5, 2, 0, 1)
    assert seen == [0, 1, 2, 3, 4, 5]
    table = rows(out)
    assert sorted(table) == ["a.npz", "bug.npz", "deep/er/b.npz", "dies.npz", "slow.npz"]
    assert len((out / "results.jsonl").read_text().splitlines()) == 5
    keys = ["clip", "content", "status", "seconds", "error", "encoder", "threshold", "tracks", "state"]
    assert {tuple(row) for row in table.values()} == {tuple(keys)}
    assert (table["a.npz"]["status"], table["a.npz"]["error"], table["a.npz"]["seconds"]) == ("ok", None, 0.25)
    assert table["a.npz"]["tracks"][0]["name"] == "nan"
    assert table["deep/er/b.npz"]["tracks"][0]["decision"] == "unknown"
    assert "lost twice (SIGKILL" in table["dies.npz"]["error"]
    assert table["slow.npz"]["error"] == "its worker process was lost twice (no progress for 3 s)"
    assert table["bug.npz"]["error"] == "ZeroDivisionError: what nobody foresaw"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["finished"] is True
    assert (summary["done"], summary["failed"]) == (2, 3)

    monkeypatch.setattr(sys.modules["pipeline.batch"], "run_tasks", in_this_process)
    (clips / "dies.npz").rename(clips / "lives.npz")
    for name in ("bug", "slow", "a"):
        (clips / f"{name}.npz").unlink()
    clip(clips / "a.npz", (NARROW, 0, 3), content="another a")
    result = run(clips, out)
    assert (result.clips, result.done, result.resumed, result.outdated, result.exit_code) == (3, 2, 1, 1, 0)
    assert sorted(rows(out)) == ["a.npz", "deep/er/b.npz", "lives.npz"]
    assert run(clips, out).resumed == 3


@pytest.mark.usefixtures("quick")
def test_the_thresholds_are_the_gallerys_own(clips: Path, tmp_path: Path) -> None:
    with gallery_at(tmp_path / "people.db") as gallery:
        gallery.calibrate(Thresholds((0.1, 0.05), (1,), ((0.3, 0.4),)))
        needed = asked(gallery, 0.4)
    with pytest.raises(ConfigError, match=r"0\.05 is the smallest"):
        run(clips, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run(clips, tmp_path / "out", settings=Settings(search=SearchSettings(far=0.05)))
    assert rows(tmp_path / "out")["a.npz"]["tracks"][0]["threshold"] == needed > 0.4
    clip(clips / "torn.npz", (NARROW, 0, 3)).write_bytes(b"PK torn")
    run(clips, tmp_path / "out", settings=Settings(search=SearchSettings(far=0.05)))
    assert rows(tmp_path / "out")["torn.npz"]["threshold"] == needed


def test_a_clip_whose_worker_is_lost_once_is_enrolled_once(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    clip(folder / "anna.npz", (NARROW, 0, 3))
    clip(folder / "falters.npz", (WIDE, 0, 3))
    result = run(folder, tmp_path / "out", "enroll")
    assert (result.done, result.failures) == (2, ())
    assert list(rows(tmp_path / "out")) == ["anna.npz", "falters.npz"]
    assert people(tmp_path) == {"anna": 1, "falters": 1}


@pytest.mark.usefixtures("quick")
def test_a_torn_row_is_done_again(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(clips, out)
    text = (out / "results.jsonl").read_text()
    (out / "results.jsonl").write_text(text[:-40])
    result = run(clips, out)
    assert (result.done, result.resumed) == (1, 1)
    assert len(rows(out)) == 2


@pytest.mark.usefixtures("quick")
def test_enrolment_names_by_place_and_knows_what_it_has(tmp_path: Path) -> None:
    folder, out = tmp_path / "clips", tmp_path / "out"
    clip(folder / "anna" / "1.npz", (NARROW, 0, 3))
    clip(folder / "anna" / "2.npz", (NARROW, 0, 4), content="anna 2")
    clip(folder / "hall.npz", (NARROW, 0, 3), (WIDE, 0, 3))
    clip(folder / "short.npz", (WIDE, 0, 0.5))
    result = run(folder, out, "enroll")
    assert people(tmp_path) == {"anna": 2, "hall-1": 1, "hall-2": 1}
    assert (result.done, result.exit_code) == (3, 1)
    keys = ["clip", "content", "status", "seconds", "error", "people", "refused", "notes", "picture"]
    assert {tuple(row) for row in rows(out).values()} == {tuple(keys)}
    assert "too short" in rows(out)["short.npz"]["error"]

    # Killed between the gallery's transaction and the row: found in the gallery. Under another name: a mistake.
    (out / "results.jsonl").unlink()
    (folder / "short.npz").unlink()
    clip(folder / "bert" / "1.npz", (NARROW, 0, 3), content="1.npz")
    result = run(folder, out, "enroll")
    assert people(tmp_path) == {"anna": 2, "hall-1": 1, "hall-2": 1}
    assert {name: row["status"] for name, row in rows(out).items()} == {
        "anna/1.npz": "already",
        "anna/2.npz": "already",
        "bert/1.npz": "failed",
        "hall.npz": "already",
    }
    assert (result.already, result.exit_code) == (3, 1)
    assert "is enrolled already, as anna" in result.failures[0][1]


CHANGES: dict[str, Callable[[Gallery], object]] = {
    "somebody is forgotten": lambda gallery: gallery.forget("wim"),
    "somebody is renamed": lambda gallery: gallery.rename("nan", "Nan"),
    "there are thresholds": lambda gallery: gallery.calibrate(Thresholds.single(0.95)),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("change", CHANGES)
def test_clips_are_searched_again_where_the_gallery_has_changed(clips: Path, tmp_path: Path, change: str) -> None:
    out = tmp_path / "out"
    with gallery_at(tmp_path / "people.db") as gallery:
        enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
        of_two = asked(gallery, 0.9)
    clip(clips / "gone.npz", (WIDE, 0, 3))
    run(clips, out)
    result = run(clips, out)
    assert (result.done, result.resumed, result.outdated) == (0, 3, 0)  # that it was searched changes nothing
    (clips / "gone.npz").unlink()
    with gallery_at(tmp_path / "people.db") as gallery:
        CHANGES[change](gallery)
        needed = asked(gallery, 0.95 if "thresholds" in change else 0.9)
    result = run(clips, out)
    assert (result.done, result.resumed, result.outdated) == (2, 0, 2)
    found = {name: (row["tracks"][0]["name"], row["tracks"][0]["threshold"]) for name, row in rows(out).items()}
    assert found.pop("gone.npz") == ("wim", of_two)  # it cannot be searched again
    assert found == {
        "a.npz": ("Nan" if change == "somebody is renamed" else "nan", needed),
        "deep/er/b.npz": (None if "forgotten" in change else "wim", needed),
    }
    assert run(clips, out).resumed == 2


@pytest.mark.usefixtures("quick")
def test_rows_that_do_not_say_of_which_gallery_they_are_are_done_again(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run(clips, out)
    table, summary = rows(out), json.loads((out / "summary.json").read_text())
    for row in table.values():
        del row["state"]
    (out / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.values()))
    (out / "summary.json").write_text(json.dumps({**summary, "gallery": "people.db"}))
    monkeypatch.chdir(tmp_path)
    result = run(clips, out)
    assert (result.done, result.resumed, result.outdated) == (2, 0, 2)
    assert result.gallery == str((tmp_path / "people.db").resolve())


@pytest.mark.usefixtures("quick")
def test_a_clip_that_the_gallery_no_longer_holds_is_enrolled_again(tmp_path: Path) -> None:
    folder, out = tmp_path / "clips", tmp_path / "out"
    clip(folder / "anna.npz", (NARROW, 0, 3))
    clip(folder / "wim.npz", (WIDE, 0, 3))
    run(folder, out, "enroll")
    with gallery_at(tmp_path / "people.db") as gallery:
        gallery.forget("wim")
    result = run(folder, out, "enroll")
    assert (result.done, result.resumed, result.outdated) == (1, 1, 1)
    (tmp_path / "people.db").unlink()
    result = run(folder, out, "enroll")
    assert (result.done, result.resumed, result.outdated) == (2, 0, 2)
    assert people(tmp_path) == {"anna": 1, "wim": 1}


@pytest.mark.usefixtures("quick")
def test_a_clip_that_was_let_go_for_others_is_not_enrolled_again(tmp_path: Path) -> None:
    folder, out = tmp_path / "clips", tmp_path / "out"
    few = Settings(gallery=GallerySettings(max_templates=2))
    for number in range(4):
        clip(folder / "anna" / f"{number}.npz", (NARROW, 0, 3 + number / 4), content=f"anna {number}")
    run(folder, out, "enroll", settings=few)
    assert people(tmp_path) == {"anna": 2}
    assert run(folder, out, "enroll", settings=few).resumed == 4
    with gallery_at(tmp_path / "people.db") as gallery:
        gallery.forget("anna")
    assert run(folder, out, "enroll", settings=few).outdated == 4


@pytest.mark.usefixtures("quick")
def test_a_clip_whose_people_were_renamed_is_enrolled_already(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    clip(folder / "anna" / "1.npz", (NARROW, 0, 3))
    clip(folder / "hall.npz", (NARROW, 0, 3), (WIDE, 0, 3))
    run(folder, tmp_path / "out", "enroll")
    with gallery_at(tmp_path / "people.db") as gallery:
        gallery.rename("anna", "Anna")
        gallery.rename("hall-1", "Ben")
        gallery.merge("hall-2", "Anna")
    assert run(folder, tmp_path / "out", "enroll").resumed == 2
    result = run(folder, tmp_path / "new", "enroll")
    assert (result.done, result.already, result.exit_code) == (2, 2, 0)
    table = rows(tmp_path / "new")
    assert [table[name]["status"] for name in ("anna/1.npz", "hall.npz")] == ["already", "already"]
    assert table["hall.npz"]["notes"] == ["enrolled already, as Anna, Ben"]
    assert people(tmp_path) == {"Anna": 2, "Ben": 1}

    # Moved, or copied, to another person: which of them it shows is not for the program to say.
    (folder / "bert").mkdir()
    (folder / "anna" / "1.npz").rename(folder / "bert" / "1.npz")
    assert "as Anna" in run(folder, tmp_path / "new", "enroll").failures[0][1]
    clip(folder / "anna" / "1.npz", (NARROW, 0, 3))
    result = run(folder, tmp_path / "third", "enroll")
    assert [name for name, _ in result.failures] == ["anna/1.npz", "bert/1.npz"]


@pytest.mark.usefixtures("quick")
def test_two_copies_in_one_run_are_enrolled_once(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    clip(folder / "anna" / "1.npz", (NARROW, 0, 3), content="same")
    clip(folder / "anna" / "2.npz", (NARROW, 0, 3), content="same")
    result = run(folder, tmp_path / "out", "enroll")
    assert people(tmp_path) == {"anna": 1}
    assert (result.done, result.already, result.exit_code) == (2, 1, 0)


@pytest.mark.usefixtures("quick")
def test_a_run_of_another_kind_is_not_gone_on_with(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(clips, out)
    with pytest.raises(UserError, match=r"holds a run with another mode \(search\)"):
        run(clips, out, "enroll")
    with pytest.raises(UserError, match=r"holds a run with other settings \(search\.top\)"):
        run(clips, out, settings=Settings(search=SearchSettings(top=1)))
    other = tmp_path / "other"
    shutil.copytree(clips, other)
    with pytest.raises(UserError, match="holds a run with another folder"):
        run(other, out)
    with Ledger(out), pytest.raises(UserError, match="another run is writing"):
        run(clips, out)


@pytest.mark.usefixtures("quick")
def test_what_fails_every_clip_ends_the_run(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(PoseModelError):
        run(clips, tmp_path / "1", make_read=unable)
    clip(clips / "model.npz")
    with pytest.raises(PoseModelError):
        run(clips, tmp_path / "3")
    clip(clips / "detector.npz")
    with pytest.raises(DetectorError):
        run(clips, tmp_path / "4")


def another_encoder(settings: Settings) -> ScriptedRead:
    encoder = ShoulderEncoder()
    encoder.fingerprint = "e" * 64
    return ScriptedRead(settings, encoder)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("mode", ["search", "enroll"])
def test_a_worker_that_has_other_weights_ends_the_run(clips: Path, tmp_path: Path, mode: str) -> None:
    with pytest.raises(CheckpointError, match="encoded with other weights than this run's \\(shoulders\\)"):
        run(clips, tmp_path / "out", mode, make_read=another_encoder)
    assert people(tmp_path) == {"nan": 1}


@pytest.mark.usefixtures("quick")
def test_requests_that_make_no_sense(clips: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(VideoError, match="no clip below"):
        run(empty, tmp_path / "out")
    with pytest.raises(VideoError, match="is not a folder"):
        run(tmp_path / "none", tmp_path / "out")
    with pytest.raises(UserError, match="--workers 0"):
        run(clips, tmp_path / "out", workers=0)
    nobody = tmp_path / "other" / "clips"
    clip(nobody / "a.npz", (NARROW, 0, 3))
    with pytest.raises(GalleryError, match="nobody is enrolled"):
        run(nobody, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick")
def test_all_failed_is_2(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "bad.mp4").parent.mkdir()
    (folder / "bad.mp4").write_text("words")
    result = run(folder, tmp_path / "out", "enroll")
    assert result.exit_code == 2
    assert result.table().row_count == 8
    assert json.loads(result.save(tmp_path / "saved.json").read_text()) == result.json()


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from scripted import ScriptedRead, ShoulderEncoder, gallery_at
from pipeline.batch import batch
if __name__ == "__main__":
    folder = Path({folder!r})
    with gallery_at(folder / "people.db") as gallery:
        batch(folder / "clips", folder / "out", gallery=gallery, mode="enroll", workers=2,
              embedder=ShoulderEncoder(), make_read=ScriptedRead)
"""


@pytest.mark.usefixtures("quick")
def test_kill_9_loses_the_clip_in_hand_at_most(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    clip(folder / "anna.npz", (NARROW, 0, 3))
    clip(folder / "slow.npz", (WIDE, 0, 3))
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(paths=[str(ROOT), str(Path(__file__).parent)], folder=str(tmp_path)))
    parent = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    results = tmp_path / "out" / "results.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (results.exists() and results.stat().st_size):
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    with suppress(ProcessLookupError):
        os.killpg(parent.pid, signal.SIGKILL)  # its workers, which would sleep on
    assert list(rows(tmp_path / "out")) == ["anna.npz"]
    assert people(tmp_path) == {"anna": 1}
    (folder / "slow.npz").rename(folder / "wim.npz")
    result = run(folder, tmp_path / "out", "enroll")
    assert (result.done, result.resumed, result.exit_code) == (1, 1, 0)
    assert people(tmp_path) == {"anna": 1, "wim": 1}
