"""Names of people and of clips."""

import pytest

from pipeline.errors import GalleryError
from pipeline.names import clip_label, person_name, reason_of, tells


def test_equal_names_are_stored_equal() -> None:
    assert person_name("  Zoe\u0308 ") == person_name("Zo\u00eb") == "Zo\u00eb"
    assert person_name("王 小明") == "王 小明"
    assert person_name("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    "name", ["", "  ", "a\nb", "a\x00b", "\x1b[31mred", "x" * 201, "a\u202eb", "bad\udcff", "a\u2028b"]
)
def test_names_that_cannot_be_kept_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(GalleryError) as caught:
        person_name(name)
    message = str(caught.value)
    assert message.isprintable()
    message.encode()


@pytest.mark.parametrize(
    ("clip", "label"),
    [
        ("/home/anna/private/walk.mp4", "walk.mp4"),
        ("rtsp://admin:pa/ss@wo?rd@10.0.0.5/live?token=1", "rtsp://10.0.0.5/live"),
        ("0", "0"),
        ("odd\nname\udcff.mp4", "odd?name?.mp4"),
        ("/", "/"),
    ],
)
def test_clip_labels_hold_no_folders_and_no_passwords(clip: str, label: str) -> None:
    assert clip_label(clip) == label
    assert clip_label(label) == label


def test_a_reason_is_one_line_that_no_terminal_obeys() -> None:
    assert reason_of(ValueError("no\n such\x1b[31m thing")) == "no such?[31m thing"
    assert reason_of(ValueError("x" * 500)) == "x" * 120
    assert reason_of(EOFError()) == "EOFError"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Jane Doe and Ben.mp4", "Jane Doe"),
        ("ben+JANE_doe.mp4", "Jane Doe"),
        ("jane-doe.mp4", "Jane Doe"),
        ("2024-05-01.jane.doe.mp4", "Jane Doe"),
        ("JaneDoe.mp4", "Jane Doe"),
        ("anna smith.mp4", "anna_smith"),
        ("\u00e9mile-corridor.mp4", "\u00c9mile"),
        ("Zoe\u0301.mp4", "Zo\u00e9"),
        ("GROSS.mp4", "Gro\u00df"),
        ("O'Brien (hall).mp4", "O'Brien (hall)"),
        ("rtsp://10.0.0.5/anna", "Anna"),
        ("王小明走路.mp4", "王小明"),
        ("📷🐱.mp4", "🐱"),
        ("room 4.mp4", "4"),
    ],
)
def test_a_file_tells_a_name_however_it_is_written(file: str, name: str) -> None:
    assert tells(file, name)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("walk.mp4", "4"),
        ("walk44.mp4", "4"),
        ("Annabella.mp4", "Anna"),
        ("Joanna.mp4", "Anna"),
        ("Jane.mp4", "Jane Doe"),
        ("Jane and Doe.mp4", "Jane Doe"),
        ("Zoe\u0301.mp4", "Zoe"),
        ("anna-hall_2.mp4", "-"),
        ("clip1.mp4", "(.*)"),
    ],
)
def test_a_part_of_another_word_tells_no_name(file: str, name: str) -> None:
    assert not tells(file, name)
