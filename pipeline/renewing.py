"""Writes a gallery anew and puts it in its own place: to mend it, to encrypt it, to decrypt it.

Everything is written to a file beside it first, which takes the gallery's place in one step: a process that is killed
leaves the old gallery or the new one. Nobody else may have it open meanwhile; who comes just then meets the new one.
"""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO

from pipeline import backups
from pipeline.checking import TABLES
from pipeline.connecting import key_for
from pipeline.database import Database
from pipeline.errors import DamagedError, GalleryError
from pipeline.gallery_file import blank, file_errors, part_of, refuse_no_database, sweep
from pipeline.index_file import index_path, unfinished
from pipeline.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, gallery_key
from pipeline.records import Repair
from pipeline.salvage import encoder_left, salvage
from pipeline.values import Progress, silent


def repair(path: Path, progress: Progress = silent) -> Repair:
    """Save what can be read of a damaged gallery into a new file in its place, after backing it up as it is.

    Raises GalleryError, with the gallery as it was, where there is none, where another process has it open, where there
    is no room, and where not a single template could be saved.
    """
    with file_errors(path):
        refuse_no_database(path, empty_allowed=False)
        key = key_for(path, gallery_key())
    backup: list[Path] = []
    counts: dict[str, int] = {}

    def before(old: Database, file: IO[bytes]) -> None:
        with old.reserved():
            backup.append(backups.put_aside(path, file))

    def judge(new: Database, lost: list[str]) -> None:
        for table in TABLES:
            ((counts[table],),) = new.rows(f"SELECT count(*) FROM {table}")
        if lost and counts["templates"] == 0:
            raise _hopeless(path)

    try:
        lost = _renew(path, key, key, before, judge, progress)
    except DamagedError as error:
        raise _hopeless(path) from error
    return Repair(str(path), str(backup[0]), **counts, lost=tuple(lost))


def encrypt(path: Path, progress: Progress = silent) -> None:
    """Encrypt a gallery with the key that is set, and remove its backups and its index, which are not encrypted.

    Raises GalleryError, with the gallery as it was, where no key is set, it is encrypted or damaged, or in use, and
    where a backup or the index cannot be removed.
    """
    key = _key_needed(path)
    if key_for(path, key) is not None:
        raise GalleryError(f"{path} is encrypted already, or no gallery")

    def judge(new: Database, lost: list[str]) -> None:
        _refuse_loss(path, lost)
        # Before the new file takes the old one's place: once it has, nobody would come back for what is left here.
        backups.remove_all(path)
        index = index_path(path)
        for file in (index, *unfinished(index)):
            file.unlink(missing_ok=True)

    _renew(path, None, key, _nothing, judge, progress)


def decrypt(path: Path, progress: Progress = silent) -> None:
    """Take a gallery's encryption away; raises GalleryError as `encrypt` does. Its backups stay encrypted."""
    key = _key_needed(path)
    if key_for(path, key) is None:
        raise GalleryError(f"the gallery {path} is not encrypted")
    _renew(path, key, None, _nothing, lambda _, lost: _refuse_loss(path, lost), progress)


def _renew(
    path: Path,
    key: str | None,
    new_key: str | None,
    before: Callable[[Database, IO[bytes]], None],
    judge: Callable[[Database, list[str]], None],
    progress: Progress,
) -> list[str]:
    """Put a new gallery in the place of the old one; what is lost. before: called with the old one, open, and its file.
    judge: called with the new one and what is lost, raises where it must not take the old one's place."""
    place, part = path.resolve(), part_of(path, "new")
    # The file stays open until SQLite is through with it: closing it would drop SQLite's locks.
    with file_errors(path), place.open("r+b") as file, closing(Database.open_damaged(place, key)) as old:
        old.refuse_foreign()
        before(old, file)
        with old.alone():
            sweep(part)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                with closing(Database.make(part, encoder_left(old), new_key)) as new:
                    lost = salvage(old, new, progress)
                    judge(new, lost)
                part.replace(place)
                _to_disk(place.parent)
            finally:
                sweep(part)
            blank(file)  # what waits for the old file finds that it is none, and looks for the new one
    return lost


def _key_needed(path: Path) -> str:
    with file_errors(path):
        refuse_no_database(path, empty_allowed=False)
    key = gallery_key()
    if key is None:
        raise GalleryError(
            f"no key is set: put one, as `openssl rand -hex 32` makes them, into {KEY_VARIABLE} or into a file that"
            f" {KEY_FILE_VARIABLE} names"
        )
    return key


def _nothing(old: Database, file: IO[bytes]) -> None:
    """What a whole gallery needs before it is written anew."""


def _refuse_loss(path: Path, lost: list[str]) -> None:
    if lost:
        raise GalleryError(f"the gallery {path} is damaged ({lost[0]}): run `reid gallery check --repair` first")


def _hopeless(path: Path) -> GalleryError:
    whole = [backup for backup in backups.backups_of(path) if not backup.name.endswith(".damaged.bak")]
    return GalleryError(
        f"nothing can be saved from the gallery {path}, which is as it was: copy a backup over it"
        f" ({whole[-1] if whole else 'there is none'}), import an export, or enrol again"
    )


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
