"""Connects to a gallery's file, by SQLite or where it is encrypted by SQLCipher, and says in one line what they refuse.

SQLCipher is SQLite with every page and its log encrypted (AES-256) and authenticated; its driver is the sqlite3 module
of Python under another name, and is loaded only where there is a key.
"""

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import GalleryError, NoRoomError
from pipeline.gallery_file import damaged, log_of
from pipeline.keys import KEY_FILE_VARIABLE, KEY_VARIABLE

PATIENCE = 30.0
"""Seconds to wait for another process to finish writing."""

LARGEST_VALUE = 32 << 20
"""Bytes of the largest single value believed in a file from elsewhere."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}


def driver_of(key: str | None) -> Any:
    """The module that opens a gallery with this key: `sqlite3`, or one that looks like it and encrypts.

    Raises GalleryError where encryption is not installed.
    """
    if key is None:
        return sqlite3
    try:
        return importlib.import_module("sqlcipher3.dbapi2")
    except ImportError as error:
        raise GalleryError(
            "a key is set, and encrypted galleries need SQLCipher: run `pip install 'reid[encryption]'`,"
            f" or unset {KEY_VARIABLE} and {KEY_FILE_VARIABLE}"
        ) from error


def key_for(path: Path, key: str | None, new: bool = False) -> str | None:
    """The key to open `path` with where `key` is set: None for a file that is not encrypted.

    new: an empty file becomes a gallery, encrypted where a key is set. The file is looked at by SQLite, never opened
    beside it: closing it would drop the locks that this process holds on it.
    """
    if key is None or path.stat().st_size == 0:
        return key if new else None
    driver = driver_of(key)
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = driver.connect(uri, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except driver.Error as error:
        return key if _primary(error) == sqlite3.SQLITE_NOTADB else None
    finally:
        connection.close()
    return None


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds what is wanted."""
    return _primary(error) in _BUSY


def in_use(path: Path) -> GalleryError:
    """The error for a gallery that another process does not let go of."""
    return GalleryError(f"the gallery {path} is in use by another process: try again when that has finished")


def connect_to_write(path: Path, key: str | None) -> sqlite3.Connection:
    """A connection that changes what is there, never makes a file."""
    return _connect(
        path,
        "mode=rw",
        key,
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
        "PRAGMA synchronous = FULL",  # what was reported as enrolled survives a power cut
    )


def connect_to_read(path: Path, key: str | None) -> sqlite3.Connection:
    """A connection that changes nothing."""
    try:
        return _connect(path, "mode=ro", key, "SELECT count(*) FROM sqlite_schema")
    except driver_of(key).OperationalError as error:
        log = log_of(path)
        if _primary(error) not in _REFUSED or (log.exists() and log.stat().st_size > 0):
            raise
    # Where no log can be made beside the file and nothing is in one, the file alone is the whole truth.
    return _connect(path, "mode=ro&immutable=1", key)


def connect_untrusted(path: Path, key: str | None) -> sqlite3.Connection:
    """A connection that reads a file from elsewhere and nothing beside it."""
    connection = _connect(path, "mode=ro&immutable=1", key, "PRAGMA query_only = ON")
    if key is None:  # an encrypted file is authenticated by its key, and its driver knows no limits
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    return connection


def connect_to_damaged(path: Path, key: str | None) -> sqlite3.Connection:
    """A connection that reads what can be read of a damaged file, and lets nothing that is in it run."""
    # With this SQLite opens a file that is shorter than it says, and passes over what it cannot parse of its schema.
    return _connect(path, "mode=rw", key, "PRAGMA writable_schema = ON")


def _connect(path: Path, how: str, key: str | None, *first: str) -> sqlite3.Connection:
    """A connection as `how`, SQLite's URI parameters, says, with the statements `first` run on it.

    Raises the driver's errors, and then the file is not left open: that would keep others from having it to themselves.
    """
    # isolation_level None: transactions are begun and ended here, never by the module.
    uri = f"{path.absolute().as_uri()}?{how}"
    connection: sqlite3.Connection = driver_of(key).connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    unlock = (
        # A wrong key is told by us, in one line. PRAGMA key takes no parameters; `pipeline.keys` has checked it.
        () if key is None else ("PRAGMA cipher_log_level = NONE", f"PRAGMA key = \"x'{key}'\"")
    )
    safe = (
        "PRAGMA trusted_schema = OFF",
        "PRAGMA cell_size_check = ON",
        "PRAGMA temp_store = MEMORY",  # compacting would leave a copy of the vectors in /tmp
    )
    try:
        for statement in (*unlock, *safe, *first):
            connection.execute(statement).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def sqlite_errors(path: Path, key: str | None) -> Iterator[None]:
    """Turn the failures of SQLite into a GalleryError that names the file."""
    driver = driver_of(key)
    try:
        yield
    except driver.ProgrammingError:
        raise  # a fault of ours, such as use from another thread
    except MemoryError as error:
        raise NoRoomError(f"memory does not suffice to write the gallery {path}: nothing was changed") from error
    except (driver.Error, UnicodeDecodeError) as error:
        raise _plain(path, error, encrypted=key is not None) from error


def _primary(error: BaseException) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _plain(path: Path, error: Exception, encrypted: bool) -> GalleryError:
    primary = _primary(error)
    if primary is None:
        return damaged(path, "its text is not UTF-8")
    # SQLite's own messages may repeat what is in the file, and that may be anything.
    name: str = getattr(error, "sqlite_errorname", "an error of SQLite")
    if primary in _BUSY:
        return in_use(path)
    if primary == sqlite3.SQLITE_NOTADB and not encrypted:
        return GalleryError(
            f"{path} is not a gallery, or a damaged or an encrypted one: name another file (the gallery's with"
            f" --gallery or REID_GALLERY), give its key in {KEY_VARIABLE} or {KEY_FILE_VARIABLE}, or take a backup or"
            " an export"
        )
    if primary == sqlite3.SQLITE_NOTADB:
        return GalleryError(
            f"{path} cannot be decrypted: it is no gallery of the key in {KEY_VARIABLE} or {KEY_FILE_VARIABLE};"
            " where the key is right, its first page is damaged: take a backup or an export"
        )
    if primary in _DAMAGED or name.startswith("SQLITE_IOERR_SHORT_READ"):
        return damaged(path, name)
    if primary in _REFUSED:
        return GalleryError(
            f"the gallery {path} cannot be written or opened: check its permissions and its directory's"
        )
    if primary == sqlite3.SQLITE_FULL:
        return NoRoomError(f"there is no room left to write the gallery {path}: nothing was changed")
    if primary == sqlite3.SQLITE_IOERR:
        kind = NoRoomError if name == "SQLITE_IOERR_WRITE" else GalleryError
        return kind(
            f"the gallery {path} cannot be read or written ({name}): nothing was changed; is its disk full or failing?"
        )
    return GalleryError(f"the gallery {path} cannot be used: {name}")
