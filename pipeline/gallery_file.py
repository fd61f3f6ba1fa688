"""What can be told and done about a gallery's file before SQLite opens it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import GalleryError
from pipeline.places import private_dir

_MAGIC = b"SQLite format 3\0"


def log_of(path: Path) -> Path:
    """The write-ahead log of a gallery, which is part of it while it is there."""
    return Path(f"{path.resolve()}-wal")


def damaged(path: Path, what: str) -> GalleryError:
    """The error for a file that is a gallery but cannot be believed; `what` says where, in few words."""
    return GalleryError(f"the gallery {path} is damaged ({what}): put it aside and import an export, or enrol again")


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read and write, and its directory; leave a file that is there.

    SQLite gives its own files beside it the same mode. Raises OSError where it cannot be made.
    """
    private_dir(path.parent)
    with suppress(FileExistsError):  # another process was quicker, which is as good
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def may_write(path: Path) -> bool:
    """Whether this process may write to a file, or make files in a directory."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def refuse_what_is_no_database(path: Path, empty_allowed: bool) -> None:
    """Raise GalleryError unless `path` is a file that begins as SQLite's do, or is empty where that is allowed."""
    if path.is_dir():
        raise GalleryError(f"{path} is a directory: a gallery is one file, for example {path / 'gallery.db'}")
    if not path.exists():
        raise GalleryError(f"there is no gallery at {path}: enrol somebody first, with `reid enroll`")
    if not path.is_file():
        raise GalleryError(f"{path} is not a file: a gallery is one file")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head == b"" and not empty_allowed:
        raise GalleryError(f"{path} is empty, not a gallery: enrol somebody first, with `reid enroll`")
    if head not in (b"", _MAGIC):
        raise GalleryError(f"{path} is not a gallery: name another file with --gallery or REID_GALLERY")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a GalleryError that names the file."""
    try:
        yield
    except FileExistsError as error:
        raise GalleryError(f"cannot make the gallery {path}: a file is where its directory should be") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise GalleryError(f"cannot open the gallery {path}: {reason}; name another with --gallery") from error
