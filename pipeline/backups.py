"""Copies of a gallery beside it, made before what changes all of it: GALLERY.TIME.KIND.bak, mode 0600.

A backup is a gallery itself: `--gallery BACKUP` looks into it, and copied over the gallery it is the gallery. The
newest of each kind are kept. All of this happens under the gallery's write lock, so one process is at it at a time.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from pipeline.database import Database
from pipeline.errors import GalleryError
from pipeline.gallery_file import log_of, part_of, sweep

Kind = Literal["migration", "reindex", "damaged"]

KEPT = 3
"""Backups kept of each kind."""


def make(database: Database, kind: Kind) -> Path:
    """Back up the gallery as it was before the transaction that this process is in; where the backup is.

    Raises GalleryError, so that nothing is changed, where it cannot be written.
    """
    with _new(database.path, kind) as (part, path):
        database.copy_to(part)
        part.replace(path)
    _prune(database.path, kind)
    return path


def put_aside(path: Path, file: IO[bytes]) -> Path:
    """Back up a damaged gallery byte by byte, with its write-ahead log; where it is now. file: the gallery, open."""
    with _new(path, "damaged") as (part, backup):
        log = log_of(path)
        if log.exists():
            with log.open("rb") as theirs:
                _copy(theirs, log_of(part))
            log_of(part).replace(log_of(backup))
        file.seek(0)
        _copy(file, part)
        part.replace(backup)
    _prune(path, "damaged")
    return backup


def backups_of(path: Path) -> list[Path]:
    """The backups of the gallery at `path`, oldest first."""
    return [file for file in _files(path) if file.suffix == ".bak"]


def remove_all(path: Path) -> int:
    """Erase every backup of the gallery at `path`, and what a killed process left of one; how many there were.

    Raises GalleryError where one cannot be erased.
    """
    count = len(backups_of(path))
    with _removing(path):
        for file in _files(path):
            _drop(path, file)
        sweep(part_of(path, "bak"))
    return count


def remove_unfinished(path: Path) -> None:
    """Erase what a killed process left of a file that was to take the place of the gallery at `path`.

    Raises GalleryError where it cannot be erased.
    """
    with _removing(path):
        sweep(part_of(path, "new"))


@contextmanager
def _new(path: Path, kind: Kind) -> Iterator[tuple[Path, Path]]:
    """An empty private file, and what to call it once it is written."""
    part = part_of(path, "bak")
    whole = part.with_name(f"{path.resolve().name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.{kind}.bak")
    try:
        sweep(part)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield part, whole
        finally:
            sweep(part)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GalleryError(
            f"cannot back up the gallery {path} in {part.parent}: {reason}; nothing was changed"
        ) from error


def _copy(theirs: IO[bytes], target: Path) -> None:
    with open(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as ours:
        shutil.copyfileobj(theirs, ours)
        ours.flush()
        os.fsync(ours.fileno())


def _files(path: Path) -> list[Path]:
    """Backups with their logs, oldest first."""
    ours = re.compile(re.escape(path.resolve().name) + r"\.\d{8}T\d{12}Z\.(migration|reindex|damaged)\.bak(-\w+)?")
    return sorted(file for file in path.resolve().parent.iterdir() if ours.fullmatch(file.name))


def _prune(path: Path, kind: Kind) -> None:
    with _removing(path):
        for file in [file for file in backups_of(path) if file.suffixes[-2] == f".{kind}"][:-KEPT]:
            for each in (log_of(file), file):
                if each.exists():
                    _drop(path, each)


def _drop(path: Path, file: Path) -> None:
    # Under another name first: a process that is killed leaves no backup that is half erased.
    part = part_of(path, "bak")
    file.replace(part)
    sweep(part)


@contextmanager
def _removing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GalleryError(
            f"cannot remove {error.filename}, a backup of the gallery {path}: {reason}; nothing was changed"
        ) from error
