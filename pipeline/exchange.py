"""A gallery in one portable file, and such a file merged into a gallery.

An export is a gallery itself: one SQLite file, compact, mode 0600, with nothing of what was deleted; or, where its name
ends in .npz, arrays for other programs (`pipeline.gallery_arrays`). A file that comes in is believed in nothing: see
`Database.open_untrusted`, and every value of every row is checked before it is kept.
"""

import os
import re
import shlex
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from pipeline import audit
from pipeline.database import Database, Row
from pipeline.errors import GalleryError, NoRoomError, WrongEncoderError
from pipeline.gallery_arrays import ArrayExport, write_arrays
from pipeline.keeping import add_template, clip_id, encoder_of, names_of_clip, person_id
from pipeline.names import LONGEST_NAME, clip_label, person_name, printable, reason_of
from pipeline.records import EncoderId, Imported
from pipeline.rows import VECTORS, content_hash, decode, moment, span, whole
from pipeline.values import Progress, silent

_ZIP = b"PK"


class Export(Protocol):
    """An exported gallery, of whatever format; nothing of it has been checked but its form."""

    encoder: EncoderId
    count: int

    def clips(self) -> Iterator[Row]:
        """(id, content, file, added) of each clip."""
        ...

    def templates(self) -> Iterator[Row]:
        """(name, id of the clip, track, starts, ends, added, then the values of `VECTORS`) of each template."""
        ...


def export(database: Database, path: Path, progress: Progress = silent) -> None:
    """Write the gallery to `path`, whole or not at all. Raises GalleryError where something is there already, and where
    an encrypted gallery would come out in the clear."""
    arrays = path.suffix.lower() == ".npz"
    if arrays and database.key is not None:
        raise GalleryError(
            f"{database.path} is encrypted and arrays are not: export it as a gallery, to a name without .npz, or"
            " decrypt it first"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _sweep(path)
        if path.exists():
            raise FileExistsError
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            if arrays:
                write_arrays(database, part, progress)
            else:
                database.copy_to(part)
                with closing(Database.open_damaged(part, database.key)) as copy:
                    audit.leave_out(copy)
            _move_without_replacing(part, path)
        finally:
            _sweep(path)
    except FileExistsError:
        raise GalleryError(f"{path} is there already: export to another file, or remove it first") from None
    except OSError as error:
        raise GalleryError(f"cannot export to {path}: {(error.strerror or str(error)).lower()}") from error
    except NoRoomError as error:  # which says so of the gallery, or of the part
        raise NoRoomError(f"cannot export to {path}: there is no room left, or its disk is failing") from error


def _sweep(path: Path) -> None:
    """Remove what this process, or one that is no more, was writing in order to export to `path`."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.part(-\w+)?")
    for file in path.parent.iterdir():
        found = ours.fullmatch(file.name)
        if found and (int(found[1]) == os.getpid() or not _runs(int(found[1]))):
            file.unlink(missing_ok=True)  # without zeros: it may be a whole export by its other name


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:  # somebody else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _move_without_replacing(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as a USB stick's
        if path.exists():
            raise FileExistsError from None
        part.rename(path)


class _GalleryExport:
    """An `Export` that is a gallery itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.encoder = encoder_of(database)[0]
        ((self.count,),) = database.rows("SELECT count(*) FROM templates")

    def clips(self) -> Iterator[Row]:
        return self._database.rows("SELECT id, content, file, added FROM clips ORDER BY id")

    def templates(self) -> Iterator[Row]:
        return self._database.rows(
            f"SELECT people.name, clip, track, starts, ends, added, {VECTORS}"
            " FROM templates JOIN people ON people.id = person ORDER BY templates.id"
        )


_UNSOUND_ZIP = (
    ValueError, KeyError, TypeError, EOFError, OSError, SyntaxError, MemoryError,
    # With RuntimeError zipfile answers an encrypted member and an unknown compression, and Python too deep a nesting.
    RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[Export]:
    """The exported file at `path`; GalleryError where it is not sound, also where that is met within the block."""
    arrays = _is_zip(path)
    try:
        if arrays:
            with closing(ArrayExport(path)) as export:
                yield export
        else:
            with closing(Database.open_untrusted(path)) as database:
                yield _GalleryExport(database)
    except _UNSOUND_ZIP as error:
        if not arrays and not isinstance(error, ValueError):
            raise  # a fault of ours
        raise GalleryError(f"{path} is not a sound export ({reason_of(error)}): nothing was imported") from error


def _is_zip(path: Path) -> bool:
    """Whether a file begins as an .npz does; what cannot be read is not one."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(_ZIP)) == _ZIP
    return False


def encoder_of_export(path: Path) -> EncoderId:
    """Whose templates an exported file holds. Raises GalleryError where it is not a sound export."""
    with _opened(path) as other:
        return _sound_encoder(path, other.encoder)


def import_into(database: Database, path: Path, progress: Progress) -> Imported:
    """Merge the people of an exported file into a gallery, in one transaction; clips held already are skipped.

    Raises WrongEncoderError where its templates are another encoder's or its skeletons were made in another way,
    GalleryError where anything in it is not sound; either way nothing is changed.
    """
    with suppress(OSError):
        if path.samefile(database.path):
            raise GalleryError(f"{path} is the gallery itself: name the file that `reid gallery export` wrote")
    with _opened(path) as other, database.transaction():
        ours, theirs = encoder_of(database)[0], _sound_encoder(path, other.encoder)
        if theirs.skeletons != ours.skeletons:
            raise WrongEncoderError(
                f"the skeletons in {path} were made in another way than those in {database.path}: nothing was imported;"
                " enrol their clips here instead, or import the file into a new gallery"
            )
        if theirs.fingerprint != ours.fingerprint or theirs.dim != ours.dim:
            place = shlex.quote(str(path))
            mend = f"run `reid gallery reindex --gallery {place}` first"
            if _is_zip(path):
                mend = f"import it with --gallery {place}.db, then run `reid gallery reindex --gallery {place}.db`"
            raise WrongEncoderError(
                f"{path} was exported with the encoder {theirs.name}, {database.path} has {ours.name}: {mend}"
            )
        found = _merge(database, other, ours, progress)
        audit.record(database, "imported", [person_id(database, name) for name in found.people] or [None], path.name)
        return found


def _sound_encoder(path: Path, encoder: EncoderId) -> EncoderId:
    try:
        content_hash(encoder.fingerprint)
    except ValueError:
        raise GalleryError(f"{path} is not a sound export (no encoder's fingerprint): nothing was imported") from None
    if printable(encoder.name[:LONGEST_NAME]) != encoder.name:
        raise GalleryError(f"{path} is not a sound export (its encoder's name): nothing was imported")
    if printable(encoder.skeletons[:LONGEST_NAME]) != encoder.skeletons:
        raise GalleryError(f"{path} is not a sound export (how its skeletons were made): nothing was imported")
    if encoder.dim <= 0:
        raise GalleryError(f"{path} is not a sound export (its encoder's size): nothing was imported")
    return encoder


def _merge(database: Database, other: Export, encoder: EncoderId, progress: Progress) -> Imported:
    people: set[str] = set()
    count = 0
    clips, skipped = _new_clips(database, other)
    for done, (name, clip, track, starts, ends, added, *vectors) in enumerate(other.templates(), start=1):
        if clip in clips:
            person = _name(name)
            place = (whole(track, "track"), *span(starts, ends), moment(added))
            decode(tuple(vectors), encoder.dim)
            add_template(database, person_id(database, person), clips[clip], place, tuple(vectors))
            people.add(person)
            count += 1
        progress("importing", done, other.count)
    return Imported(tuple(sorted(people)), count, tuple(skipped))


def _new_clips(database: Database, other: Export) -> tuple[dict[int, int], list[str]]:
    """Their clip ids to ours for the clips we do not hold; and the names of those we do."""
    clips: dict[int, int] = {}
    skipped: list[str] = []
    for row in other.clips():
        theirs, content, file, added = _clip(row)
        if names_of_clip(database, content):
            skipped.append(file)
        else:
            clips[theirs] = clip_id(database, content, file, added)
    return clips, skipped


def _clip(row: Row) -> tuple[int, str, str, str]:
    number, content, file, added = row
    if not isinstance(file, str) or clip_label(file) != file:
        raise ValueError("a clip's file name cannot be kept")
    return number, content_hash(content), file, moment(added)


def _name(name: object) -> str:
    try:
        if isinstance(name, str) and person_name(name) == name:
            return name
    except GalleryError as error:
        raise ValueError(str(error)) from error
    raise ValueError("a person's name cannot be kept")
