"""Is a gallery what it should be? Every page, every row and every value of it is looked at."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from pipeline import keeping
from pipeline.backups import backups_of
from pipeline.database import Database
from pipeline.errors import DamagedError, GalleryError
from pipeline.names import clip_label, person_name
from pipeline.records import Checkup
from pipeline.rows import VECTORS, content_hash, decode, moment, span, whole
from pipeline.values import Progress, silent

MOST = 100
"""Problems that are told one by one."""

TABLES = ("people", "clips", "templates")
"""What a gallery holds, by the tables that it is in."""


def check(path: Path, progress: Progress = silent) -> Checkup:
    """Look at every value of the gallery at `path`; changes nothing, but for erasing what a killed deletion left.

    Raises GalleryError where there is no gallery, or one that cannot be looked at: without its key, of a newer version,
    held by another process. One that is damaged is an answer.
    """
    backups = tuple(str(backup) for backup in backups_of(path)) if path.parent.is_dir() else ()
    try:
        with closing(Database.open(path, None)) as database:
            found = problems(database, progress)
            encrypted = database.key is not None
            counts = {"format": database.format(), **{table: _count(database, table) for table in TABLES}}
    except DamagedError as error:
        return Checkup(str(path), (str(error.what),), backups=backups)
    return Checkup(str(path), tuple(found), encrypted, **counts, backups=backups)


def problems(database: Database, progress: Progress = silent) -> list[str]:
    """What is wrong with an open gallery, each in a few words, `MOST` of them; empty where it is sound."""
    found: list[str] = []
    looks: list[Callable[[], Iterable[str]]] = [database.problems, partial(_rows, database, progress)]
    for look in looks:
        try:
            for problem in look():
                if len(found) == MOST:
                    return [*found, "and more"]
                found.append(problem)
        except DamagedError as error:
            found.append(error.what)
    return found


def _rows(database: Database, progress: Progress) -> Iterator[str]:
    dim = keeping.encoder_of(database)[0].dim
    for person, name in database.rows("SELECT id, name FROM people ORDER BY id"):
        yield from _wrong(f"person {person}", partial(sound_name, name))
    for clip, *row in database.rows("SELECT id, content, file, added FROM clips ORDER BY id"):
        yield from _wrong(f"clip {clip}", partial(sound_clip, *row))
    ((total,),) = database.rows("SELECT count(*) FROM templates")
    rows = database.rows(f"SELECT id, track, starts, ends, added, {VECTORS} FROM templates ORDER BY id")
    for done, (template, *row) in enumerate(rows, start=1):
        yield from _wrong(f"template {template}", partial(sound_template, row, dim))
        progress("checking", done, total)
    for what, table, column in (("person", "people", "person"), ("clip", "clips", "clip")):
        for (number,) in database.rows(f"SELECT id FROM {table} WHERE id NOT IN (SELECT {column} FROM templates)"):
            yield f"{what} {number}: no template is left of it"
    for table in TABLES:
        sql = f"SELECT max(id) > coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0) FROM {table}"
        ((reused,),) = database.rows(sql, (table,))
        if reused:
            yield f"the numbers of {table}: one that was used would be used again"
    try:
        keeping.thresholds_of(database)
    except DamagedError as error:
        yield error.what


def _wrong(what: str, look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except ValueError as error:
        yield f"{what}: {error}"


def sound_name(name: object) -> str:
    """A person's name as it is kept. Raises ValueError for any other."""
    try:
        if isinstance(name, str) and person_name(name) == name:
            return name
    except GalleryError:
        pass
    raise ValueError("a name that cannot be kept")


def sound_clip(content: object, file: object, added: object) -> tuple[str, str, str]:
    """What is kept of a clip: its content's sha256, file name and date. Raises ValueError for anything else."""
    if not isinstance(file, str) or clip_label(file) != file:
        raise ValueError("a clip's file name cannot be kept")
    return content_hash(content), file, moment(added)


def sound_template(row: list[object], dim: int) -> None:
    """Raise ValueError unless `row` is a template's track, start, end, date and the values of `VECTORS`."""
    track, starts, ends, added, *vectors = row
    whole(track, "track")
    span(starts, ends)
    moment(added)
    decode(tuple(vectors), dim)


def _count(database: Database, table: str) -> int | None:
    """How many rows a table has; None where that cannot be read."""
    try:
        ((found,),) = database.rows(f"SELECT count(*) FROM {table}")
    except DamagedError:
        return None
    return int(found)
