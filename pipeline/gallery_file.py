"""What can be told and done about a gallery's file before SQLite opens it."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import DamagedError, GalleryError
from pipeline.places import private_dir

_CHUNK = 1 << 20


def log_of(path: Path) -> Path:
    """The write-ahead log of a gallery, which is part of it while it is there."""
    return Path(f"{path.resolve()}-wal")


def part_of(path: Path, what: str) -> Path:
    """Where a file that is to stand beside a gallery, or in its place, is written until it is whole."""
    return path.resolve().with_name(f".{path.resolve().name}.{what}.part")


def sweep(part: Path) -> None:
    """Erase what is at `part` and SQLite's files beside it. Raises OSError where it cannot be."""
    for file in part.parent.iterdir():
        if file.name.startswith(part.name):
            shred(file)


def damaged(path: Path, what: str) -> DamagedError:
    """The error for a file that is a gallery but cannot be believed; `what` says where, in few words."""
    where = f"--gallery {shlex.quote(str(path))}"
    return DamagedError(
        f"the gallery {path} is damaged ({what}): see `reid gallery check {where}`, mend it with"
        f" `reid gallery check --repair {where}`",
        what,
    )


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read and write, and its directory; leave a file that is there.

    SQLite gives its own files beside it the same mode. Raises OSError where it cannot be made.
    """
    private_dir(path.parent)
    with suppress(FileExistsError):  # another process was quicker, which is as good
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def shred(path: Path) -> None:
    """Write zeros over a file of ours and remove it. Raises OSError where it cannot be."""
    if path.is_file() and not path.is_symlink():
        with path.open("r+b") as file:
            blank(file)
    path.unlink(missing_ok=True)


def blank(file: IO[bytes]) -> None:
    """Write zeros over all of a file, down to the disk."""
    left = os.fstat(file.fileno()).st_size
    file.seek(0)
    while left > 0:
        left -= file.write(bytes(min(left, _CHUNK)))
    file.flush()
    os.fsync(file.fileno())


def may_write(path: Path) -> bool:
    """Whether this process may write to a file, or make files in a directory."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def refuse_no_database(path: Path, empty_allowed: bool) -> None:
    """Raise GalleryError unless `path` is a file, and not empty except where that is allowed."""
    if path.is_dir():
        raise GalleryError(f"{path} is a directory: a gallery is one file, for example {path / 'gallery.db'}")
    if not path.exists():
        raise GalleryError(f"there is no gallery at {path}: enrol somebody first, with `reid enroll`")
    if not path.is_file():
        raise GalleryError(f"{path} is not a file: a gallery is one file")
    if path.stat().st_size == 0 and not empty_allowed:
        raise GalleryError(f"{path} is empty, not a gallery: enrol somebody first, with `reid enroll`")


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
