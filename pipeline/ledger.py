"""The rows of a batch run on disk: one JSON line a clip, added as each is done, so that a killed run goes on.

A row is written in one piece and flushed to the disk; a line torn by a kill is dropped when the ledger is next opened,
and its clip is done again. The folder is locked while a run is on it.
"""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pipeline.documents import save_text
from pipeline.errors import UserError

ROWS = "results.jsonl"
LOCK = ".lock"


class Ledger:
    """The rows of the run in one folder; a context manager that holds the folder's lock.

    rows: the rows of the clips done, by clip; those that `keep` turns down are dropped from the file at the start.
    Raises UserError where the folder cannot be written, or another run is on it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, dict[str, Any]] = {}
        self._file: IO[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(folder / LOCK, "a")  # noqa: SIM115 - held until the run ends
        except OSError as error:
            raise UserError(f"cannot write in {folder}: {error.strerror}; choose another --out") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise UserError(f"another run is writing to {folder}: wait for it, or choose another --out") from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        self._lock.close()  # and with it goes the lock

    def resume(self, keep: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Take up what an earlier run left: rows that `keep` turns down, and torn lines, are dropped; those rows."""
        path = self.folder / ROWS
        try:
            text = path.read_text("utf-8", errors="replace") if path.exists() else ""
            rows = [row for line in text.split("\n") if (row := _row(line)) is not None]
            dropped: list[dict[str, Any]] = []
            for row in rows:
                if keep(row):
                    self.rows[row["clip"]] = row
                else:
                    dropped.append(row)
            tidy = "".join(_line(row) for row in self.rows.values())
            if tidy != text:
                save_text(path, tidy)
            self._file = path.open("a", encoding="utf-8")
            return dropped
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}; choose another --out") from error

    def add(self, row: dict[str, Any]) -> None:
        """Write one row, down to the disk. Raises UserError where the disk is full."""
        assert self._file is not None, "resume() comes first"
        try:
            self._file.write(_line(row))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.folder / ROWS}: {error.strerror}") from error
        self.rows[row["clip"]] = row


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("clip"), str) else None
