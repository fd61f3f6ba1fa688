"""One open gallery file: opened safely, transactions whole, and what is wrong said in one line (`pipeline.connecting`).

The file is its owner's alone (mode 0600) from the moment it exists, and SQLite gives its write-ahead log and shared
memory the mode of the file. A `Database` belongs to the thread and the process that opened it.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pipeline.connecting import (
    PATIENCE,
    connect_to_damaged,
    connect_to_read,
    connect_to_write,
    connect_untrusted,
    driver_of,
    in_use,
    is_busy,
    key_for,
    sqlite_errors,
)
from pipeline.errors import GalleryError
from pipeline.gallery_file import damaged, file_errors, log_of, make_private, may_write, refuse_no_database
from pipeline.keys import gallery_key
from pipeline.records import EncoderId
from pipeline.schema import APPLICATION_ID, TELLS_SKELETONS, UNTOLD, UPGRADES, VERSION, is_ours

Row = tuple[Any, ...]

_STATE = "gallery"
"""The row of SQLite's table of sequences, which has one for every table that counts its rows and leaves others alone,
in which a gallery's state has a number: at random, so that it is never that of another state."""


class Database:
    """One open gallery file. Every failure of SQLite comes out as a GalleryError that names the file.

    key: that it is encrypted with, None where it is not. writable: whether anything can be changed in it here. logs:
    whether what is done is entered in the audit log (`pipeline.audit`).
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, writable: bool, key: str | None, logs: bool = False
    ) -> None:
        self._connection = connection
        self.path = path
        self.writable = writable
        self.key = key
        self.logs = logs
        self._entered = 0

    @classmethod
    def open(cls, path: Path, create: EncoderId | None, logs: bool = False) -> "Database":
        """Open a gallery, for writing where the file and its directory allow, else for reading.

        create: the encoder as whose gallery a missing or empty file is made, with the directories above it; None to
        make nothing. It is encrypted where a key is set (`pipeline.keys`). Raises GalleryError where there is no
        gallery, or what is there is none, of another version, or encrypted or not contrary to what the key says;
        DamagedError where it is damaged.
        """
        while True:
            with file_errors(path):
                missing = create is not None and not path.exists()
                if missing:
                    make_private(path)
                refuse_no_database(path, empty_allowed=create is not None)
                found = path.stat()
                writable = may_write(path) and may_write(path.parent)
                if found.st_size == 0 and not writable:
                    raise GalleryError(
                        f"cannot make a gallery at {path}: it is not writable; name another with --gallery"
                    )
                if found.st_size == 0 and not missing:
                    path.chmod(0o600)  # whoever made it may have let others read it
                key = _own_key(path)
            try:
                database = cls._opened(path, create, logs, writable, key)
            except GalleryError:
                if _is_still(found, path):
                    raise
                continue
            # A repair may have put another file in this one's place before a lock of ours kept it from that.
            if _is_still(found, path):
                return database
            database.close()

    @classmethod
    def _opened(cls, path: Path, create: EncoderId | None, logs: bool, writable: bool, key: str | None) -> "Database":
        with sqlite_errors(path, key):
            connection = connect_to_write(path, key) if writable else connect_to_read(path, key)
            database = cls(connection, path, writable, key, logs)
            try:
                database._prepare(create)
            except BaseException:
                connection.close()
                raise
        return database

    @classmethod
    def open_untrusted(cls, path: Path) -> "Database":
        """Open a gallery from elsewhere for reading: nothing in it is run, nothing beside it is read or written.

        Raises GalleryError unless its schema is exactly ours and SQLite finds it whole.
        """
        with file_errors(path):
            if not path.exists():
                raise GalleryError(f"there is no file {path}: name the file that `reid gallery export` wrote")
            refuse_no_database(path, empty_allowed=False)
            log = log_of(path)
            if log.exists() and log.stat().st_size > 0:
                raise GalleryError(f"{path} is a gallery in use, not an export: run `reid gallery export` on it first")
            key = key_for(path, gallery_key())
        with sqlite_errors(path, key):
            connection = connect_untrusted(path, key)
            database = cls(connection, path, False, key)
            try:
                database._prepare(create=None)
                if problems := database.problems():
                    raise damaged(path, problems[0])
            except BaseException:
                connection.close()
                raise
        return database

    @classmethod
    def open_damaged(cls, path: Path, key: str | None) -> "Database":
        """Open a file to read what can still be read, whatever its state; raises GalleryError where SQLite cannot."""
        with file_errors(path):
            refuse_no_database(path, empty_allowed=False)
        with sqlite_errors(path, key):
            return cls(connect_to_damaged(path, key), path, may_write(path) and may_write(path.parent), key)

    @classmethod
    def make(cls, path: Path, encoder: EncoderId, key: str | None) -> "Database":
        """Make a gallery in the empty file at `path`, encrypted where there is a key; without a log beside it."""
        with sqlite_errors(path, key):
            database = cls(connect_to_write(path, key), path, True, key)
            with database.transaction():
                database._make_tables(encoder)
        return database

    def _prepare(self, create: EncoderId | None) -> None:
        """Check whose file this is before anything is written to it; make the tables where there are none."""
        if self._is_blank():
            if create is None:
                raise GalleryError(f"{self.path} is empty, not a gallery: enrol somebody first, with `reid enroll`")
            with self.transaction():
                if self._is_blank():  # no other process has made the tables since
                    self._make_tables(create)
        with self.snapshot():  # another process may be upgrading it
            self.refuse_foreign()
            if not is_ours(self.rows("SELECT type, name, sql FROM sqlite_schema"), self.format()):
                raise damaged(self.path, "it has tables that a gallery does not have")
        if self.writable:
            self._use_log()

    def refuse_foreign(self) -> None:
        """Raise GalleryError where the file is another program's, or of a newer version of this one."""
        ((application,),) = self.rows("PRAGMA application_id")
        if application != APPLICATION_ID:
            raise GalleryError(f"{self.path} is the database of another program, not a gallery: name another file")
        version = self.format()
        if version not in UPGRADES:
            raise GalleryError(
                f"the gallery {self.path} has format {version}, this reid reads formats 1 to {VERSION}:"
                " use the version of reid that wrote it"
            )

    def _make_tables(self, encoder: EncoderId) -> None:
        self.change(f"PRAGMA application_id = {APPLICATION_ID}")
        self.lay_out(encoder.skeletons)
        row = (encoder.fingerprint, encoder.name, encoder.dim)
        self.change("INSERT INTO gallery VALUES (1, ?, ?, ?, 0, 0)", row)

    def format(self) -> int:
        """The version of the file's layout (see `pipeline.schema`)."""
        ((version,),) = self.rows("PRAGMA user_version")
        return int(version)

    def lay_out(self, skeletons: str = UNTOLD) -> None:
        """Lay the file out as the present version does; within a transaction (see `pipeline.migrating`). skeletons: how
        those in it were made, where it does not say."""
        before = self.format()
        for version in range(before + 1, VERSION + 1):
            for statement in UPGRADES[version]:
                self.change(statement)
        if before < TELLS_SKELETONS:
            self.change("INSERT INTO skeletons VALUES (1, ?)", (skeletons,))
        self.change(f"PRAGMA user_version = {VERSION}")

    def _use_log(self) -> None:
        """Turn on the write-ahead log; SQLite does not itself wait for others who turn it on at the same time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
                return
            except driver_of(self.key).OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def _is_blank(self) -> bool:
        ((application,),) = self.rows("PRAGMA application_id")
        ((tables,),) = self.rows("SELECT count(*) FROM sqlite_schema")
        return bool(application == 0 and tables == 0 and self.format() == 0)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """Run a statement and give its rows one by one."""
        with sqlite_errors(self.path, self.key), closing(self._connection.execute(sql, parameters)) as cursor:
            yield from cursor  # a cursor that is left open keeps the file open, and its locks

    def change(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement that changes rows; how many it changed."""
        with sqlite_errors(self.path, self.key):
            return self._connection.execute(sql, parameters).rowcount

    def version(self) -> tuple[int, int]:
        """Changes whenever the file does, by this process or another; quick to ask."""
        with sqlite_errors(self.path, self.key):
            (others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(others), self._connection.total_changes

    def state(self) -> list[Row]:
        """Changes whenever anything in the gallery does but its audit log, to which every search adds."""
        return list(self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (_STATE,)))

    def enter(self, sql: str, parameters: Sequence[object]) -> None:
        """Run a statement that adds a row to the audit log."""
        self._entered += self.change(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written, or nothing; waits up to `PATIENCE` for another process that writes."""
        if not self.writable:
            raise GalleryError(f"the gallery {self.path} is read-only here: nothing was changed")
        with self._within("BEGIN IMMEDIATE"):
            before = self._changes()
            yield
            if self._changes() != before and not self.change(
                "UPDATE sqlite_sequence SET seq = random() WHERE name = ?", (_STATE,)
            ):
                self.change("INSERT INTO sqlite_sequence VALUES (?, random())", (_STATE,))

    def _changes(self) -> int:
        """How many rows this process has changed, but for those of the audit log."""
        return self._connection.total_changes - self._entered

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything within is read from one state of the file, whatever others write meanwhile."""
        with self._within("BEGIN"):
            yield

    @contextmanager
    def _within(self, begin: str) -> Iterator[None]:
        with sqlite_errors(self.path, self.key):
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Nobody else writes within."""
        with self._within("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process has the file open within, and none can open it; it has no log beside it then.

        Raises GalleryError where another process has it open.
        """
        with sqlite_errors(self.path, self.key):
            self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()  # refused while another has it open
            self._connection.execute("BEGIN EXCLUSIVE")
            try:
                if list(self.rows("PRAGMA journal_mode")) != [("delete",)]:  # another came between and turned it back
                    raise in_use(self.path)
                yield
            finally:
                self._connection.execute("ROLLBACK")  # nothing is changed within, and the file may be another by now

    def compact(self, patience: float = PATIENCE) -> bool:
        """Rewrite the file without what was deleted and empty its log; whether the log could be emptied.

        It cannot while another process reads: that process still needs what the log replaces.
        """
        with sqlite_errors(self.path, self.key):
            self._connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
            try:
                self._connection.execute("VACUUM")
                ((busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except driver_of(self.key).OperationalError as error:
                if not is_busy(error):
                    raise
                return False
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {round(PATIENCE * 1000)}")
            return not busy

    def copy_to(self, path: Path) -> None:
        """Write one consistent state of the whole file into an empty file, without what was deleted.

        Of the state before a transaction that this process is in. The copy is encrypted as the file is.
        """
        with sqlite_errors(self.path, self.key):
            connection = connect_to_read(self.path, self.key)  # its own, since a transaction admits no VACUUM
            try:
                connection.execute("VACUUM INTO ?", (path.absolute().as_uri(),))
            finally:
                connection.close()

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file; empty where it is whole."""
        found = [" ".join(str(row[0]).split()) for row in self.rows("PRAGMA integrity_check(10)")]
        dangling = list(self.rows("PRAGMA foreign_key_check"))
        return [text for text in found if text != "ok"] + ["rows that belong to nothing"] * bool(dangling)

    def close(self) -> None:
        """Close the file; the last process to close it empties its log."""
        with sqlite_errors(self.path, self.key):
            self._connection.close()


def _is_still(found: os.stat_result, path: Path) -> bool:
    return path.exists() and os.path.samestat(found, path.stat())


def _own_key(path: Path) -> str | None:
    """The key for the gallery at `path`. Raises GalleryError where a key is set and it is not encrypted."""
    told = gallery_key()
    key = key_for(path, told, new=True)
    if told is not None and key is None:
        raise GalleryError(
            f"a key is set, and the gallery {path} is not encrypted: run `reid gallery encrypt`, or unset the key"
        )
    return key
