"""The commands that fit reid to a place: thresholds of its own people, and what its cameras do."""

import json

import pytest
from cli_shell import ANNA, Shell, Widths, one_line
from stick_people import Stick


def test_calibrate(enrolled: Shell) -> None:
    for number in range(8):
        for take in range(3):
            stick = Stick(shoulders=0.3 + 0.02 * number, hips=0.32 - 0.015 * number)
            enrolled.clip(f"people/p{number}/{take}", stick, seconds=2 + take / 2)
    result = enrolled("calibrate", "people", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["people"], told["clips"], told["before"]["threshold"]) == (8, 24, 0.8)
    after = told["after"]["threshold"]
    assert json.loads(enrolled("search", "anna.npz", "--json").stdout)["threshold"] == after
    assert json.loads(enrolled("verify", "anna.npz", "ben.npz", "--json").stdout)["same_from"] == pytest.approx(
        0.55 + 0.45 * after, abs=1e-4
    )
    assert json.loads(enrolled("verify", "anna.npz", "ben.npz", "--json", gallery=False).stdout)["same_from"] == 0.91
    assert json.loads(enrolled("gallery", "stats", "--json").stdout)["calibrated"] == 8
    enrolled.clip("people/p1/blink", ANNA, seconds=0.6)
    left = enrolled("calibrate", "people", "--far", "0.1")
    one_line(left, 1, "blink.npz is left out", "too short")
    assert "8 people, 24 clips" in left.stdout
    one_line(enrolled("calibrate", "people", "--far", "0.001"), 2, "0.001 needs 5000")
    assert json.loads(enrolled("calibrate", "--reset", "--json").stdout)["reset"] is True
    assert "as before" in enrolled("calibrate", "--reset").stdout
    assert json.loads(enrolled("search", "anna.npz", "--json").stdout)["threshold"] == 0.8


def test_calibrating_on_too_few_people(enrolled: Shell) -> None:
    for take in range(2):
        enrolled.clip(f"people/anna/{take}", ANNA, seconds=3 + take)
    one_line(enrolled("calibrate", "people"), 2, "anna 2", "8 people are needed")
    one_line(enrolled("calibrate", "nowhere"), 2, "nowhere")
    for words in ([], ["people", "--reset"]):
        one_line(enrolled("calibrate", *words), 2, "--reset")


def test_a_camera_is_learned_and_searches_are_told_of_it(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        enrolled.clip(f"hall/{number}", Stick(shoulders=0.3 + 0.02 * number, hips=0.4 - 0.02 * number))
    probe, file = enrolled.clip("later", ANNA, seconds=3), enrolled.folder / "hall.json"
    monkeypatch.chdir(enrolled.folder)
    result = enrolled("camera", "hall", "--out", "hall.json", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["out"], told["tracks"], told["clips"], told["left_out"]) == ("hall.json", 12, 12, [])
    assert len(json.loads(file.read_text())["mean"]) == Widths.dim
    one_line(enrolled("camera", "hall", "--out", "hall.json"), 2, "exists already", "--overwrite")
    (enrolled.folder / "hall" / "torn.npz").write_bytes(b"PK torn")
    again = enrolled("camera", "hall", "--out", "hall.json", "--overwrite")
    assert again.exit_code == 1
    assert "torn.npz is left out" in again.stderr
    assert "12" in again.stdout

    def similarity(*words: object) -> float:
        (track,) = json.loads(enrolled("search", probe, "--json", *words).stdout)["tracks"]
        return float(track["similarity"])

    plain, known = similarity(), similarity("--camera", "hall.json")
    assert known == similarity("--set", "search.camera=hall.json") != plain
    for words in (["search", probe], ["batch", "hall", "--out", "out"]):
        one_line(enrolled(*words, "--camera", "none.json"), 2, "none.json", "reid camera")
    one_line(enrolled("verify", probe, "hall/1.npz", "--camera-b", probe, gallery=False), 2, "no camera's file")
    one_line(enrolled("camera", "hall/1.npz", "--out", "one.json"), 2, "1 usable track in 1 clip", "8 or more")
    one_line(enrolled("camera", "hall", "--out", "hall/1.npz"), 2, ".json")
    assert not (enrolled.folder / "one.json").exists()
