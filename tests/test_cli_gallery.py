"""The commands that look after the gallery and the pose model, and their failures."""

import json
from pathlib import Path

import pytest
from cli_shell import ANNA, Shell, names, one_line


def test_looking_after_the_gallery(enrolled: Shell) -> None:
    assert "Anna" in enrolled("gallery", "list").stdout
    shown = json.loads(enrolled("gallery", "show", "Anna", "--json").stdout)
    assert shown["name"] == "Anna"
    assert len(shown["templates"]) >= 1
    stats = json.loads(enrolled("gallery", "stats", "--json").stdout)
    assert (stats["people"], stats["encoder"]["name"]) == (2, "widths")
    assert enrolled("gallery", "rename", "Anna", "Änne").exit_code == 0
    assert names(enrolled) == ["Ben", "Änne"]
    assert enrolled("gallery", "export", "out.reid").exit_code == 0
    assert enrolled("gallery", "export", "out.npz").exit_code == 0
    assert enrolled("gallery", "merge", "Änne", "Ben").exit_code == 0
    assert names(enrolled) == ["Ben"]
    for file in ("out.reid", "out.npz"):
        for left in names(enrolled):
            assert enrolled("gallery", "forget", left, "--yes").exit_code == 0
        assert names(enrolled) == []
        imported = json.loads(enrolled("gallery", "import", file, "--json").stdout)
        assert sorted(imported["people"]) == ["Ben", "Änne"]


def test_forget_asks(enrolled: Shell) -> None:
    one_line(enrolled("gallery", "forget", "Anna", input="n\n"), 2, "not forgotten")
    one_line(enrolled("gallery", "forget", "Anna", input=""), 2, "not forgotten")
    assert names(enrolled) == ["Anna", "Ben"]
    gone = enrolled("gallery", "forget", "Anna", "--json", input="y\n")
    assert gone.exit_code == 0
    assert gone.stdout.startswith("{"), "the question is no part of the answer"
    assert "for good? [y/n]" in gone.stderr
    assert names(enrolled) == ["Ben"]


@pytest.mark.parametrize("words", [["show", "Nobody"], ["forget", "Nobody", "-y"], ["rename", "Nobody", "X"]])
def test_an_unknown_name(enrolled: Shell, words: list[str]) -> None:
    one_line(enrolled("gallery", *words), 2, "Nobody")


@pytest.mark.parametrize("words", [["list"], ["stats"], ["export", "x.reid"]])
def test_no_gallery_yet(reid: Shell, words: list[str]) -> None:
    one_line(reid("gallery", *words), 2, "reid enroll")
    assert not reid.gallery.exists()


def test_a_gallery_that_is_none(enrolled: Shell) -> None:
    enrolled.gallery.write_text("a shopping list")
    one_line(enrolled("gallery", "list"), 2, "people.db")
    one_line(enrolled("search", enrolled.clip("one", ANNA)), 2, "people.db")


def test_models(reid: Shell) -> None:
    listed = json.loads(reid("models", "list", "--json").stdout)
    assert {model["name"]: model["state"] for model in listed}["full"] == "missing"
    one_line(reid("models", "verify"), 2, "reid models pull")
    one_line(reid("models", "pull", "gigantic"), 2, "gigantic")
    Path("bad.task").write_text("no bundle")
    one_line(reid("models", "verify", "bad.task"), 2, "bad.task")


def test_checking_and_mending_the_gallery(enrolled: Shell) -> None:
    found = json.loads(enrolled("gallery", "check", "--json").stdout)
    assert (found["sound"], found["problems"], found["people"]) == (True, [], 2)
    assert "sound" in enrolled("gallery", "check", "--repair").stdout
    whole = enrolled.gallery.read_bytes()
    enrolled.gallery.write_bytes(whole.replace(b"Anna", b"An\x07a"))
    result = enrolled("gallery", "check")
    assert (result.exit_code, "person 1: a name" in result.stdout) == (1, True)
    result = enrolled("gallery", "check", "--repair", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["sound"], told["repair"]["templates"]) == (1, False, 2)
    assert names(enrolled) == ["Ben", "recovered-1"]
    assert Path(told["repair"]["backup"]).exists()
    enrolled.gallery.write_bytes(whole[:6000])
    one_line(enrolled("gallery", "list"), 2, "reid gallery check --repair")
    assert enrolled("gallery", "check").exit_code == 1
    enrolled.gallery.write_bytes(whole[:100])
    one_line(enrolled("gallery", "check", "--repair"), 2, "backup")


def test_the_audit_log(enrolled: Shell) -> None:
    later = enrolled.clip("later", ANNA, seconds=3)
    enrolled("search", later)
    enrolled("search", later, "--set", "gallery.log=false")
    told = json.loads(enrolled("gallery", "log", "--json").stdout)
    assert [(entry["event"], entry["name"], entry["file"]) for entry in told] == [
        ("enrolled", "Anna", "anna.mp4"),
        ("enrolled", "Ben", "ben.mp4"),
        ("searched", "Anna", "later.npz"),
    ]
    assert "the log knows of person 1" in enrolled("gallery", "forget", "Anna", "--yes").stdout
    assert "person 1" in enrolled("gallery", "log", "--last", "1").stdout
    enrolled("gallery", "forget", "Ben", "--yes", "--set", "gallery.log=false")
    assert len(json.loads(enrolled("gallery", "log", "--json").stdout)) == 4


def test_encryption(enrolled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    one_line(enrolled("gallery", "encrypt"), 2, "no key is set", "REID_GALLERY_KEY_FILE")
    monkeypatch.setenv("REID_GALLERY_KEY", "ab" * 32)
    one_line(enrolled("gallery", "list"), 2, "is not encrypted")
    assert enrolled("gallery", "encrypt").exit_code == 0
    assert names(enrolled) == ["Anna", "Ben"]
    assert b"Anna" not in enrolled.gallery.read_bytes()
    monkeypatch.setenv("REID_GALLERY_KEY", "cd" * 32)
    one_line(enrolled("gallery", "list"), 2, "cannot be decrypted")
    monkeypatch.delenv("REID_GALLERY_KEY")
    one_line(enrolled("gallery", "list"), 2, "an encrypted one")
    monkeypatch.setenv("REID_GALLERY_KEY", "ab" * 32)
    assert enrolled("gallery", "decrypt").exit_code == 0
    monkeypatch.delenv("REID_GALLERY_KEY")
    assert names(enrolled) == ["Anna", "Ben"]
