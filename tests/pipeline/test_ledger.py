"""Rows outlive a kill, and two runs never share a folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.ledger import ROWS, Ledger


def everything(row: dict[str, Any]) -> bool:
    return True


def row(clip: str, **more: object) -> dict[str, Any]:
    return {"clip": clip, **more}


def clips(folder: Path) -> list[str]:
    return [json.loads(line)["clip"] for line in (folder / ROWS).read_text().splitlines()]


def test_rows_are_taken_up_again(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with Ledger(out) as ledger:
        ledger.resume(everything)
        ledger.add(row("a.mp4"))
        ledger.add(row("b\u2028\udcff.mp4"))  # names that break lines and that are no UTF-8
    with Ledger(out) as ledger:
        ledger.resume(everything)
        assert list(ledger.rows) == ["a.mp4", "b\u2028\udcff.mp4"]
        ledger.add(row("c.mp4"))
    assert len((out / ROWS).read_bytes().split(b"\n")) == 4


@pytest.mark.parametrize("torn", [b'{"clip": "b.mp', b"\x00\x00\xff", b'{"clip": 3}\n', b"[]\n", b'"words"'])
def test_a_torn_line_is_dropped_and_the_next_stands_on_its_own(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / ROWS).write_bytes(b'{"clip": "a.mp4"}\n' + torn)
    with Ledger(tmp_path) as ledger:
        ledger.resume(everything)
        assert list(ledger.rows) == ["a.mp4"]
        ledger.add(row("c.mp4"))
    assert clips(tmp_path) == ["a.mp4", "c.mp4"]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    (tmp_path / ROWS).write_text('{"clip": "a.mp4"}')
    with Ledger(tmp_path) as ledger:
        ledger.resume(everything)
        ledger.add(row("b.mp4"))
    assert clips(tmp_path) == ["a.mp4", "b.mp4"]


def test_what_is_not_kept_is_gone_from_the_file_and_the_last_row_of_a_clip_counts(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.resume(everything)
        for n, name in enumerate(["a", "b", "a"]):
            ledger.add(row(name, n=n))
    with Ledger(tmp_path) as ledger:
        ledger.resume(lambda r: r["clip"] != "b")
        assert ledger.rows == {"a": {"clip": "a", "n": 2}}
    assert clips(tmp_path) == ["a"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path), pytest.raises(UserError, match="another run is writing"):
        Ledger(tmp_path)
    with Ledger(tmp_path):
        pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another --out"):
        Ledger(tmp_path / "file")
    if os.geteuid():
        os.chmod(tmp_path, 0o500)
        with pytest.raises(UserError, match="choose another --out"):
            Ledger(tmp_path / "out")
