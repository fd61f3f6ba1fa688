"""A gallery in one portable file, and such a file merged into a gallery.

An export is a gallery itself: one SQLite file, compact, mode 0600, with nothing of what was deleted. A file that comes
in is believed in nothing: see `Database.open_untrusted`, and every value of every row is checked before it is kept.
"""

import os
import shlex
from contextlib import closing, suppress
from pathlib import Path

from pipeline.database import Database, Row
from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.keeping import add_template, clip_id, encoder_of, names_of_clip, person_id
from pipeline.names import LONGEST_NAME, clip_label, person_name, printable
from pipeline.records import EncoderId, Imported
from pipeline.rows import VECTORS, content_hash, decode, moment, span, whole
from pipeline.values import Progress


def export(database: Database, path: Path) -> None:
    """Write the gallery to `path`, whole or not at all. Raises GalleryError where something is there already."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists():
            raise FileExistsError
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            database.copy_to(part)
            _move_without_replacing(part, path)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise GalleryError(f"{path} is there already: export to another file, or remove it first") from None
    except OSError as error:
        raise GalleryError(f"cannot export to {path}: {(error.strerror or str(error)).lower()}") from error


def _move_without_replacing(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as a USB stick's
        if path.exists():
            raise FileExistsError from None
        part.rename(path)


def encoder_of_export(path: Path) -> EncoderId:
    """Whose templates an exported file holds. Raises GalleryError where it is not a sound export."""
    with closing(Database.open_untrusted(path)) as other:
        return _sound_encoder(other)


def import_into(database: Database, path: Path, progress: Progress) -> Imported:
    """Merge the people of an exported file into a gallery, in one transaction; clips held already are skipped.

    Raises WrongEncoderError where its templates are another encoder's, GalleryError where anything in it is not
    sound; either way nothing is changed.
    """
    with suppress(OSError):
        if path.samefile(database.path):
            raise GalleryError(f"{path} is the gallery itself: name the file that `reid gallery export` wrote")
    with closing(Database.open_untrusted(path)) as other, database.transaction():
        ours, theirs = encoder_of(database)[0], _sound_encoder(other)
        if theirs.fingerprint != ours.fingerprint or theirs.dim != ours.dim:
            raise WrongEncoderError(
                f"{path} was exported with the encoder {theirs.name}, {database.path} has {ours.name}:"
                f" run `reid gallery reindex --gallery {shlex.quote(str(path))}` first"
            )
        try:
            return _merge(database, other, ours, progress)
        except ValueError as error:
            raise GalleryError(f"{path} is not a sound export ({error}): nothing was imported") from error


def _sound_encoder(other: Database) -> EncoderId:
    encoder = encoder_of(other)[0]
    try:
        content_hash(encoder.fingerprint)
    except ValueError:
        raise GalleryError(
            f"{other.path} is not a sound export (no encoder's fingerprint): nothing was imported"
        ) from None
    if printable(encoder.name[:LONGEST_NAME]) != encoder.name:
        raise GalleryError(f"{other.path} is not a sound export (its encoder's name): nothing was imported")
    return encoder


def _merge(database: Database, other: Database, encoder: EncoderId, progress: Progress) -> Imported:
    people: set[str] = set()
    count = 0
    clips, skipped = _new_clips(database, other)
    ((total,),) = other.rows("SELECT count(*) FROM templates")
    rows = other.rows(
        f"SELECT people.name, clip, track, starts, ends, added, {VECTORS}"
        " FROM templates JOIN people ON people.id = person ORDER BY templates.id"
    )
    for done, (name, clip, track, starts, ends, added, *vectors) in enumerate(rows, start=1):
        if clip in clips:
            person = _name(name)
            place = (whole(track, "track"), *span(starts, ends), moment(added))
            decode(tuple(vectors), encoder.dim)
            add_template(database, person_id(database, person), clips[clip], place, tuple(vectors))
            people.add(person)
            count += 1
        progress("importing", done, total)
    return Imported(tuple(sorted(people)), count, tuple(skipped))


def _new_clips(database: Database, other: Database) -> tuple[dict[int, int], list[str]]:
    """Their clip ids to ours for the clips we do not hold; and the names of those we do."""
    clips: dict[int, int] = {}
    skipped: list[str] = []
    for row in other.rows("SELECT id, content, file, added FROM clips ORDER BY id"):
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
