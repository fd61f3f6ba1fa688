"""The one file that speaks to SQLite: opens a file safely, keeps transactions whole, says what is wrong in one line.

The file is its owner's alone (mode 0600) from the moment it exists, and SQLite gives its write-ahead log and shared
memory the mode of the file. A `Database` belongs to the thread and the process that opened it.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import GalleryError
from pipeline.gallery_file import damaged, file_errors, log_of, make_private, may_write, refuse_what_is_no_database
from pipeline.records import EncoderId
from pipeline.schema import APPLICATION_ID, UPGRADES, VERSION, is_ours

PATIENCE = 30.0
"""Seconds to wait for another process to finish writing."""

LARGEST_VALUE = 32 << 20
"""Bytes of the largest single value believed in a file from elsewhere."""

Row = tuple[Any, ...]
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}


def _plain(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> GalleryError:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return damaged(path, "its text is not UTF-8")
    # SQLite's own messages may repeat what is in the file, and that may be anything.
    name: str = getattr(error, "sqlite_errorname", "an error of SQLite")
    primary = code & 0xFF
    if primary in _BUSY:
        return GalleryError(f"the gallery {path} is in use by another process: try again when that has finished")
    if primary in _DAMAGED:
        return damaged(path, name)
    if primary in _REFUSED:
        return GalleryError(
            f"the gallery {path} cannot be written or opened: check its permissions and its directory's"
        )
    if primary == sqlite3.SQLITE_FULL:
        return GalleryError(f"there is no room left to write the gallery {path}: nothing was changed")
    return GalleryError(f"the gallery {path} cannot be used: {name}")


class Database:
    """One open gallery file. Every failure of SQLite comes out as a GalleryError that names the file."""

    def __init__(self, connection: sqlite3.Connection, path: Path, writable: bool) -> None:
        self._connection = connection
        self.path = path
        self.writable = writable

    @classmethod
    def open(cls, path: Path, create: EncoderId | None) -> "Database":
        """Open a gallery, for writing where the file and its directory allow, else for reading.

        create: the encoder as whose gallery a missing or empty file is made, with the directories above it; None to
        make nothing. Raises GalleryError where there is no gallery, or what is there is none, damaged or of another
        version.
        """
        with file_errors(path):
            if create is not None and not path.exists():
                make_private(path)
            refuse_what_is_no_database(path, empty_allowed=create is not None)
            writable = may_write(path) and may_write(path.parent)
            if path.stat().st_size == 0 and not writable:
                raise GalleryError(f"cannot make a gallery at {path}: it is not writable; name another with --gallery")
        with _sqlite_errors(path):
            connection = _connect_to_write(path) if writable else _connect_to_read(path)
            database = cls(connection, path, writable)
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
            refuse_what_is_no_database(path, empty_allowed=False)
            log = log_of(path)
            if log.exists() and log.stat().st_size > 0:
                raise GalleryError(f"{path} is a gallery in use, not an export: run `reid gallery export` on it first")
        with _sqlite_errors(path):
            connection = _connect(path, "mode=ro&immutable=1")
            database = cls(connection, path, writable=False)
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
                database._prepare(create=None)
                if problems := database.problems():
                    raise damaged(path, problems[0])
            except BaseException:
                connection.close()
                raise
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
            ((application,),) = self.rows("PRAGMA application_id")
            if application != APPLICATION_ID:
                raise GalleryError(f"{self.path} is the database of another program, not a gallery: name another file")
            version = self.format()
            if version not in UPGRADES:
                raise GalleryError(
                    f"the gallery {self.path} has format {version}, this reid reads formats 1 to {VERSION}:"
                    " use the version of reid that wrote it"
                )
            if not is_ours(self.rows("SELECT type, name, sql FROM sqlite_schema"), version):
                raise GalleryError(f"{self.path} has tables that a gallery does not have: name another file")
        if self.writable:
            self._use_log()

    def _make_tables(self, encoder: EncoderId) -> None:
        self.change(f"PRAGMA application_id = {APPLICATION_ID}")
        self.upgrade()
        row = (encoder.fingerprint, encoder.name, encoder.dim)
        self.change("INSERT INTO gallery VALUES (1, ?, ?, ?, 0, 0)", row)

    def format(self) -> int:
        """The version of the file's layout (see `pipeline.schema`)."""
        ((version,),) = self.rows("PRAGMA user_version")
        return int(version)

    def upgrade(self) -> None:
        """Lay the file out as the present version does; within a transaction."""
        for version in range(self.format() + 1, VERSION + 1):
            for statement in UPGRADES[version]:
                self.change(statement)
        self.change(f"PRAGMA user_version = {VERSION}")

    def _use_log(self) -> None:
        """Turn on the write-ahead log; SQLite does not itself wait for others who turn it on at the same time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def _is_blank(self) -> bool:
        ((application,),) = self.rows("PRAGMA application_id")
        ((tables,),) = self.rows("SELECT count(*) FROM sqlite_schema")
        return bool(application == 0 and tables == 0 and self.format() == 0)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """Run a statement and give its rows one by one."""
        with _sqlite_errors(self.path):
            for row in self._connection.execute(sql, parameters):  # noqa: UP028 - "yield from" would close the cursor
                yield row

    def change(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement that changes rows; how many it changed."""
        with _sqlite_errors(self.path):
            return self._connection.execute(sql, parameters).rowcount

    def version(self) -> tuple[int, int]:
        """Changes whenever the file does, by this process or another; ask within a snapshot, after a first read."""
        ((others,),) = self.rows("PRAGMA data_version")
        return int(others), self._connection.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written, or nothing; waits up to `PATIENCE` for another process that writes."""
        if not self.writable:
            raise GalleryError(f"the gallery {self.path} is read-only here: nothing was changed")
        with self._within("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything within is read from one state of the file, whatever others write meanwhile."""
        with self._within("BEGIN"):
            yield

    @contextmanager
    def _within(self, begin: str) -> Iterator[None]:
        with _sqlite_errors(self.path):
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def compact(self, patience: float = PATIENCE) -> bool:
        """Rewrite the file without what was deleted and empty its log; whether the log could be emptied.

        It cannot while another process reads: that process still needs what the log replaces.
        """
        with _sqlite_errors(self.path):
            self._connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
            try:
                self._connection.execute("VACUUM")
                ((busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _BUSY:
                    raise
                return False
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {round(PATIENCE * 1000)}")
            return not busy

    def copy_to(self, path: Path) -> None:
        """Write one consistent state of the whole file into an empty file, without what was deleted."""
        with _sqlite_errors(self.path):
            self._connection.execute("VACUUM INTO ?", (path.absolute().as_uri(),))

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file; empty where it is whole."""
        found = [" ".join(str(row[0]).split()) for row in self.rows("PRAGMA integrity_check(10)")]
        dangling = list(self.rows("PRAGMA foreign_key_check"))
        return [text for text in found if text != "ok"] + ["rows that belong to nothing"] * bool(dangling)

    def close(self) -> None:
        """Close the file; the last process to close it empties its log."""
        with _sqlite_errors(self.path):
            self._connection.close()


def _connect_to_write(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "mode=rw")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = FULL")  # what was reported as enrolled survives a power cut
    connection.execute("PRAGMA temp_store = MEMORY")  # compacting would leave a copy of the vectors in /tmp
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except sqlite3.OperationalError as error:
        connection.close()
        log = log_of(path)
        if error.sqlite_errorcode & 0xFF not in _REFUSED or (log.exists() and log.stat().st_size > 0):
            raise
        # Where no log can be made beside the file and nothing is in one, the file alone is the whole truth.
        connection = _connect(path, "mode=ro&immutable=1")
    return connection


def _connect(path: Path, how: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, never by the sqlite3 module.
    uri = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a fault of ours, such as use from another thread
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _plain(path, error) from error
