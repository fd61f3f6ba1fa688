"""Every command and its failures, through the real pipeline from files of skeletons on; the encoder is a plain one."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_shell import ANNA, BEN, STRANGER, WITHOUT_GALLERY, Shell, Widths, names, one_line
from typer.testing import CliRunner

import cli
import pipeline.embed as encoders
import pipeline.synthetic.synthesize as synthesis
from cli_call import Call
from cli_terminal import Terminal
from pipeline.crew import Done
from pipeline.errors import GalleryError, UserError
from pipeline.extractions import Extracted, Extractions
from pipeline.gallery import Added, Gallery

BATCH = import_module("pipeline.batch")  # by this way, since `pipeline.batch` is the function
ROOT = Path(__file__).parents[1]


OF_FOOTAGE = ("enroll", "search", "verify", "calibrate", "camera", "batch", "extract")


def test_enroll_then_search(enrolled: Shell) -> None:
    result = enrolled("search", enrolled.clip("later", ANNA, seconds=3), "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document) == ["clip", "encoder", "threshold", "tracks"]
    (track,) = document["tracks"]
    assert set(track) == {
        *("track", "start", "end", "frames", "quality", "decision", "reason", "name", "similarity", "candidates"),
        *("box", "threshold"),
    }
    assert (track["decision"], track["name"]) == ("match", "Anna")
    assert [candidate["rank"] for candidate in track["candidates"]] == [1, 2]
    table = enrolled("search", "later.npz").stdout
    assert "Anna" in table
    assert "match" in table


def test_reranking_is_an_option_and_a_setting(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(probes: np.ndarray, templates: np.ndarray) -> np.ndarray:
        return probes @ templates.T

    def order(*words: str) -> list[str]:
        (track,) = json.loads(enrolled("search", clip, "--json", *words).stdout)["tracks"]
        return [candidate["name"] for candidate in track["candidates"]]

    monkeypatch.setattr("smsge.reciprocal.reranked", backwards)
    clip, setting = enrolled.clip("later", ANNA), ["--set", "search.rerank=true"]
    plain = order()
    assert len(plain) > 1
    assert order("--rerank") == order(*setting) == plain[::-1]
    assert order(*setting, "--no-rerank") == plain


def test_a_stranger_is_unknown_and_the_candidates_are_shown(enrolled: Shell) -> None:
    result = enrolled("search", enrolled.clip("stranger", STRANGER), "--json", "--top", 1)
    (track,) = json.loads(result.stdout)["tracks"]
    assert (track["decision"], track["name"]) == ("unknown", None)
    assert len(track["candidates"]) == 1
    lenient = enrolled("search", "stranger.npz", "--json", "--threshold", "-1")
    assert json.loads(lenient.stdout)["tracks"][0]["decision"] == "match"


def test_a_false_accept_rate_that_no_calibration_tells_is_refused(enrolled: Shell) -> None:
    enrolled.clip("footage/one", ANNA)
    for words in (["search", "footage/one.npz"], ["batch", "footage", "--out", "out"]):
        one_line(enrolled(*words, "--far", "0.001"), 2, "0.001", "reid calibrate")
        assert enrolled(*words, "--far", "0").exit_code == 2
    assert json.loads(enrolled("search", "footage/one.npz", "--far", "0.01", "--json").stdout)["threshold"] == 0.8
    both = enrolled("search", "footage/one.npz", "--far", "0.01", "--threshold", "0.3", "--json")
    assert json.loads(both.stdout)["threshold"] == 0.3


def test_verify(reid: Shell) -> None:
    anna, again, ben = reid.clip("anna", ANNA), reid.clip("again", ANNA, seconds=3), reid.clip("ben", BEN)
    result = reid("verify", anna, again, "--json", gallery=False)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["decision"], told["same_from"], told["different_below"]) == ("same", 0.91, None)
    table = reid("verify", anna, ben, gallery=False)
    assert table.exit_code == 0
    assert "cannot say" in table.stdout
    assert not (reid.folder / "elsewhere.db").exists()
    hall = reid.clip("hall", ANNA, BEN)
    one_line(reid("verify", anna, hall, gallery=False), 2, "2 usable tracks", "--track-b")
    assert reid("verify", anna, hall, "--track-b", 1, gallery=False).exit_code == 0
    one_line(reid("verify", anna, reid.clip("blink", ANNA, seconds=0.6), gallery=False), 2, "too short")
    one_line(reid("verify", anna, "missing.mp4", gallery=False), 2, "missing.mp4")
    one_line(reid("verify", anna, ben, "--far", "0.001", gallery=False), 2, "0.001")
    one_line(reid("verify", anna, ben), 2, "no gallery")


def test_several_clips_are_json_lines_and_one_failure_is_exit_1(enrolled: Shell) -> None:
    result = enrolled("search", enrolled.clip("one", ANNA), "missing.mp4", "--json")
    assert [Path(json.loads(line)["clip"]).name for line in result.stdout.splitlines()] == ["one.npz", "missing.mp4"]
    one_line(result, 1, "missing.mp4")
    one_line(enrolled("enroll", enrolled.clip("new", ANNA), "missing.mp4"), 1, "missing.mp4")


def test_who_was_enrolled_before_the_gallery_failed_is_told(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    add_clip = Gallery.add_clip

    def full(gallery: Gallery, entries: Any, **options: Any) -> Added:
        if entries[0][0] != "carl":
            raise GalleryError("the gallery cannot be written: is its disk full?")
        return add_clip(gallery, entries, **options)

    monkeypatch.setattr(Gallery, "add_clip", full)
    result = enrolled("enroll", *(enrolled.clip(name, ANNA) for name in ("carl", "dora", "emil")), "--json")
    one_line(result, 1, "is its disk full?")
    told = json.loads(result.stdout)["clips"]
    assert [[person["name"] for person in clip["people"]] for clip in told] == [["carl"], [], []]


def test_too_short_a_track_is_refused_by_reason(enrolled: Shell) -> None:
    clip = enrolled.clip("blink", ANNA, seconds=0.6)
    (track,) = json.loads(enrolled("search", clip, "--json").stdout)["tracks"]
    assert track["decision"] == "refused"
    assert "too short" in track["reason"]
    one_line(enrolled("enroll", clip), 2, "too short", "needed")


def test_quiet_says_nothing_but_the_answer(enrolled: Shell) -> None:
    result = enrolled("search", enrolled.clip("one", ANNA), "--quiet")
    assert result.stderr == ""
    assert "Anna" in result.stdout


@pytest.mark.parametrize("command", ["enroll", "search"])
def test_a_missing_file(enrolled: Shell, command: str) -> None:
    one_line(enrolled(command, "missing.mp4"), 2, "missing.mp4")


@pytest.mark.parametrize("command", ["enroll", "search", "extract"])
def test_a_text_file_named_mp4(enrolled: Shell, command: str) -> None:
    Path("notes.mp4").write_text("this is no video\n")
    options = ["--out", "out.npz"] if command == "extract" else []
    one_line(enrolled(command, "notes.mp4", *options), 2, "notes.mp4")


@pytest.mark.parametrize("command", ["enroll", "search", "batch"])
def test_an_empty_folder(enrolled: Shell, command: str) -> None:
    Path("empty").mkdir()
    options = ["--out", "results"] if command == "batch" else []
    one_line(enrolled(command, "empty", *options), 2, "empty")


def test_damaged_skeletons(enrolled: Shell) -> None:
    clip = enrolled.clip("one", ANNA)
    clip.write_bytes(clip.read_bytes()[:200])
    one_line(enrolled("search", clip), 2, "one.npz")


@pytest.mark.parametrize("given", [["--set", "search.tpo=3"], ["--config", "wrong.yaml"]])
def test_an_unknown_setting_is_refused_by_name(enrolled: Shell, given: list[str]) -> None:
    Path("wrong.yaml").write_text("search:\n  tpo: 3\n")
    one_line(enrolled("search", enrolled.clip("one", ANNA), *given), 2, "search.tpo", "search.top")


def test_settings_are_used(enrolled: Shell) -> None:
    Path("strict.yaml").write_text("search:\n  threshold: 1.0\n  top: 1\n")
    clip = enrolled.clip("one", STRANGER)
    document = json.loads(enrolled("search", clip, "--config", "strict.yaml", "--json").stdout)
    assert document["threshold"] == 1.0
    document = json.loads(enrolled("search", clip, "--config", "strict.yaml", "--set", "search.top=2", "--json").stdout)
    assert len(document["tracks"][0]["candidates"]) == 2


def test_the_gallery_of_another_encoder(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "load_embedder", lambda settings: Widths(fingerprint="cd" * 32, name="other"))
    clip = enrolled.clip("one", ANNA)
    one_line(enrolled("search", clip), 2, "reid gallery reindex")
    assert names(enrolled) == ["Anna", "Ben"]
    assert enrolled("gallery", "reindex").exit_code == 0
    assert enrolled("search", clip).exit_code == 0


def test_a_gallery_whose_skeletons_were_made_in_another_way(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = Widths(), Widths(fingerprint="cd" * 32, name="other")
    with sqlite3.connect(enrolled.gallery) as connection:
        connection.execute("UPDATE skeletons SET made = '3.1-0123456789ab'")  # as by a version of before
    connection.close()
    monkeypatch.setattr(encoders, "load_embedder", lambda settings: other)
    before = enrolled.gallery.read_bytes()
    for words in (("search", enrolled.clip("one", ANNA)), ("gallery", "reindex")):
        result = enrolled(*words)
        one_line(result, 2, str(enrolled.gallery), "other", "made in another way", "enrol the clips again", "widths")
        assert "gallery reindex" not in result.stderr
    checks = {check["name"]: check for check in json.loads(enrolled("doctor", "--json").stdout)["checks"]}
    assert "enrol the clips again" in checks["gallery's encoder"]["mend"]
    assert enrolled.gallery.read_bytes() == before
    assert names(enrolled) == ["Anna", "Ben"]
    monkeypatch.setattr(encoders, "load_embedder", lambda settings: own)
    checks = {check["name"]: check for check in json.loads(enrolled("doctor", "--json").stdout)["checks"]}
    assert checks["gallery's skeletons"]["state"] == "warning"
    assert "enrol the clips again" in checks["gallery's skeletons"]["mend"]
    assert enrolled("search", "one.npz").exit_code == 0


def test_the_same_clip_twice(enrolled: Shell) -> None:
    one_line(enrolled("enroll", "anna.npz", "--name", "Anna"), 2, "--again")
    assert enrolled("enroll", "anna.npz", "--name", "Anna", "--again").exit_code == 0


def test_several_people_get_numbers_or_one_is_chosen(reid: Shell) -> None:
    clip = reid.clip("hall", ANNA, BEN)
    result = reid("enroll", clip, "--json")
    assert result.exit_code == 0, result.output
    assert names(reid) == ["hall-1", "hall-2"]
    assert reid("enroll", clip, "--name", "Ben", "--track", 2, "--again").exit_code == 0
    assert names(reid) == ["Ben", "hall-1", "hall-2"]
    one_line(reid("enroll", clip, "--track", 7, "--again"), 2, "track 7")


def test_a_folder_of_folders_names_its_people(reid: Shell) -> None:
    reid.clip("people/Anna/loop", ANNA)
    reid.clip("people/Ben/loop", BEN)
    assert reid("enroll", "people").exit_code == 0
    assert names(reid) == ["Anna", "Ben"]


def test_searching_an_empty_gallery(reid: Shell) -> None:
    one_line(reid("search", reid.clip("one", ANNA)), 2, "reid enroll")


def test_gallery_from_the_environment(reid: Shell) -> None:
    assert reid("enroll", reid.clip("one", ANNA), gallery=False).exit_code == 0
    assert (reid.folder / "elsewhere.db").exists()


def test_annotate_is_checked_before_the_work(enrolled: Shell) -> None:
    clip = enrolled.clip("one", ANNA)
    one_line(enrolled("search", clip, "--annotate", "out.mp4"), 2, "no pictures")
    Path("walk.mp4").write_bytes(b"")
    one_line(enrolled("search", "walk.mp4", "--annotate", "walk.mp4"), 2, "never overwritten")
    assert enrolled("search", "a.mp4", "b.mp4", "--annotate", "out.mp4").exit_code == 2


def test_train_refuses_before_it_works(reid: Shell) -> None:
    assert reid("train").exit_code == 2
    Path("run.yaml").write_text("data: nowhere\nout: run\nbatsh: 3\n")
    one_line(reid("train", "--config", "run.yaml"), 2, "batsh", "batch")
    Path("run.yaml").write_text("data: nowhere\nout: run\n")
    one_line(reid("train", "--config", "run.yaml"), 2, "nowhere")


def test_synthesize(reid: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def render(out: Path, people: int, clips: int, seed: int, filming: synthesis.Filming, **_: Any) -> list[Path]:
        told.extend((people, clips, seed, filming.walk, filming.seconds))
        return [out / "clip.mp4"]

    monkeypatch.setattr(synthesis, "synthesize", render)
    result = reid("synthesize", "--out", "walkers", "--people", 2, "--clips", 3, "--walk", "line", "--json")
    assert json.loads(result.stdout) == {"out": "walkers", "clips": [str(Path("walkers/clip.mp4"))]}
    assert told == [2, 3, 0, "line", 5.0]
    assert reid("synthesize", "--out", "walkers", "--walk", "sideways").exit_code == 2


def test_synthesize_skeletons(reid: Shell) -> None:
    words = ("synthesize", "--skeletons", "kinect20", "--people", 2, "--clips", 1, "--seconds", 1)
    result = reid(*words, "--out", "walkers.npz", "--json")
    assert json.loads(result.stdout) == {"out": "walkers.npz", "walks": ["001_1", "002_1"]}
    one_line(reid(*words, "--out", "walkers.npz"), 2, "already")
    one_line(reid(*words, "--out", "walkers"), 2, "FILE.npz")


def _here(tasks: Any, make: Any, workers: int, patience: float) -> Iterator[Done[Any, Any]]:
    """`run_tasks` without processes, which would take seconds to load their models."""
    read = make()
    for task in tasks:
        try:
            yield Done(task, read(task, lambda: None), None)
        except UserError as error:
            yield Done(task, None, error)


def test_batch(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BATCH, "run_tasks", _here)
    for name, stick in (("a", ANNA), ("sub/b", BEN)):
        enrolled.clip(f"footage/{name}", stick)
    Path("footage/broken.mp4").write_text("no video")
    words = ["batch", "footage", "--out", "results", "--search", "--workers", 1]
    result = enrolled(*words, "--json")
    assert (result.exit_code, json.loads(result.stdout)["failed"]) == (1, 1), result.output
    rows = [json.loads(line) for line in Path("results/results.jsonl").read_text().splitlines()]
    assert sorted(row["clip"] for row in rows) == ["a.npz", "broken.mp4", "sub/b.npz"]
    assert json.loads(enrolled(*words, "--json").stdout)["resumed"] == 2
    one_line(enrolled("batch", "nowhere", "--out", "results"), 2, "nowhere")
    one_line(enrolled(*words, "--address", "head:6379"), 2, "--engine ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "pipeline.ray_engine", raising=False)
    one_line(enrolled(*words, "--engine", "ray"), 2, "pip install", "[ray]")


def test_demo_without_samples(reid: Shell) -> None:
    Path("samples").mkdir()
    one_line(reid("demo", "--samples", "samples", "--out", "out"), 2, "samples")


def test_doctor(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    result = enrolled("doctor", "--json")
    document = json.loads(result.stdout)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["gallery"]["state"] == "ok"
    assert "2 people" in checks["gallery"]["found"]
    assert checks["pose model"]["state"] == "warning"
    assert result.exit_code == (0 if document["ok"] else 2)
    enrolled.gallery.chmod(0o644)
    monkeypatch.setattr(encoders, "load_embedder", lambda settings: Widths(fingerprint="cd" * 32))
    document = json.loads(enrolled("doctor", "--json").stdout)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["gallery's mode"]["state"] == "warning"
    assert checks["gallery's encoder"]["mend"] == "reid gallery reindex"
    enrolled.gallery.write_text("a shopping list")
    assert enrolled("doctor").exit_code == 2


def test_a_frame_rate_that_the_encoder_does_not_know_is_refused(
    enrolled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["search", "anna.npz"], ["enroll", "anna.npz"], ["batch", ".", "--out", "out"]):
        one_line(enrolled(*words, "--set", "normalize.fps=30"), 2, "normalize.fps", "30", "15")
    monkeypatch.setattr(encoders, "load_embedder", lambda settings: Widths(fps=30.0))
    assert enrolled("search", "anna.npz", "--set", "normalize.fps=30").exit_code == 0


def test_names_of_files_cannot_command_the_terminal(enrolled: Shell) -> None:
    odd = enrolled.clip("anna\x1b[31m\nname", ANNA)
    strange = odd.rename("an\udcffna.npz")
    for clip in (strange, odd):
        for words in (["search"], ["enroll", "--name", "Other"]):
            result = enrolled(*words, clip)
            assert "\x1b" not in result.output
    assert json.loads(enrolled("search", strange, "--json").stdout)["clip"] == "an\udcffna.npz"


def test_unexpected_errors_are_one_line(reid: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Any) -> Widths:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(encoders, "load_embedder", broken)
    one_line(reid("search", "one.mp4"), 2, "ZeroDivisionError", "--debug")
    result = CliRunner().invoke(cli.app, ["--debug", "search", "one.mp4"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_stopped_by_the_user(reid: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(settings: Any) -> Widths:
        raise KeyboardInterrupt

    monkeypatch.setattr(encoders, "load_embedder", stopped)
    one_line(reid("search", "one.mp4"), 130, "stopped")


def _commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(group, "commands", None)
    if inner is None:
        return [path]
    return [words for name, each in inner.items() for words in _commands(each, (*path, name))]


def _app() -> Any:
    from typer.main import get_command

    return get_command(cli.app)


@pytest.mark.parametrize("words", _commands(_app()), ids=" ".join)
def test_every_command_has_help_with_an_example(reid: Shell, words: tuple[str, ...]) -> None:
    result = reid(*words, "--help", gallery=False)
    assert result.exit_code == 0
    assert f"Example: reid {' '.join(words)}" in " ".join(result.stdout.split())
    for option in ("--quiet", "--json", "--config", "--set"):
        assert option in result.stdout
    assert ("--gallery" in result.stdout) == (words[0] not in WITHOUT_GALLERY)
    for option in ("--detector", "--stride"):
        assert (option in result.stdout) == (words[0] in OF_FOOTAGE)


def test_a_detector_is_a_setting_of_the_pose_and_stands_above_the_others(reid: Shell) -> None:
    with Terminal(quiet=True, as_json=False) as terminal:
        call = Call(terminal, None, None, ["pose.max_people=3", "pose.detector=other.onnx"], Path("mine.onnx"))
    assert call.settings.pose.detector == "mine.onnx"
    assert call.settings.pose.max_people == 3


def test_a_stride_is_a_setting_of_the_footage(reid: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with Terminal(quiet=True, as_json=False) as terminal:
        for changes, stride in (([], None), (["video.stride=2"], 2)):
            assert Call(terminal, None, None, changes).settings.video.stride == stride
            assert Call(terminal, None, None, changes, stride=3).settings.video.stride == 3
    clip = reid.clip("one", ANNA)
    for bad in ("0", "-1", "101", "2.5", "auto"):
        one_line(reid("search", clip, "--stride", bad), 2, "--stride")
        one_line(reid("search", clip, "--set", f"video.stride={bad}"), 2, "video.stride")


@pytest.mark.parametrize("words", [["gallery", "list"], ["synthesize", "--out", "out"], ["models", "list"], ["train"]])
def test_every_command_refuses_an_unknown_setting_by_name(enrolled: Shell, words: list[str]) -> None:
    Path("some.yaml").write_text("")
    one_line(enrolled(*words, "--config", "some.yaml", "--set", "colour=blue"), 2, "colour")


@pytest.mark.parametrize("out", ["there.npz", "nowhere/out.npz", "out.txt"])
def test_an_extraction_that_cannot_be_kept_is_refused_before_the_work(
    reid: Shell, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(import_module("pipeline.extract"), "extract")
    Path("there.npz").touch()
    one_line(reid("extract", reid.clip("one", ANNA), "--out", out), 2, out)


def test_a_folder_is_extracted_clip_by_clip(reid: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Path, bool]] = []

    def extract_all(folder: str, out: Path, *, overwrite: bool, **options: Any) -> Extractions:
        told.append((folder, out, overwrite))
        bad = Extracted(Path(folder, "b.mp4"), out / "b.npz", error="b.mp4 is no video")
        return Extractions(out, (Extracted(Path(folder, "a.mp4"), out / "a.npz", frames=9), bad))

    monkeypatch.setattr("pipeline.extractions.extract_all", extract_all)
    (reid.folder / "clips").mkdir()
    result = reid("extract", reid.folder / "clips", "--out", "skeletons", "--overwrite", "--json")
    assert told == [(str(reid.folder / "clips"), Path("skeletons"), True)]
    assert [clip["error"] for clip in json.loads(result.stdout)["clips"]] == [None, "b.mp4 is no video"]
    one_line(result, 1, "b.mp4 is no video")


@pytest.mark.parametrize("words", [["serach"], ["search"], ["search", "a.mp4", "--top", "0"], ["gallery", "lits"]])
def test_bad_usage(reid: Shell, words: list[str]) -> None:
    result = reid(*words, gallery=False)
    assert result.stdout == ""
    one_line(result, 2, "--help")


@pytest.mark.parametrize("words", [[], ["gallery"]])
def test_a_group_alone_shows_its_help(reid: Shell, words: list[str]) -> None:
    result = reid(*words, gallery=False)
    assert "Usage" in result.output
    assert "reid: " not in result.stderr


def test_help_loads_nothing_heavy_and_is_quick() -> None:
    script = (
        "import sys, cli\n"
        "sys.argv = ['reid', '--help']\n"
        "try:\n    cli.main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'mediapipe', 'faiss', 'cv2', 'av', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'pydantic'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - began)
        assert done.returncode == 0, done.stderr
        assert "enroll" in done.stdout
    # 0.2 s on an idle machine; the limit is wide, since the tests share theirs.
    assert min(times) < 1.0


def test_version() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("reid")
