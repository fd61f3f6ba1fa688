"""The audit log: what was done with a gallery, when, to whom and from which file. A table of the gallery itself.

An entry is written in the transaction of what it tells, so neither is there without the other. It names people by
number, and the names are looked up when it is shown: once somebody is forgotten, their entries are about a number that
means nobody, and say from no file. No biometrics, no similarities. Kept in a read-only gallery: nothing.
"""

from collections.abc import Iterable
from typing import Literal

from pipeline.database import Database
from pipeline.migrating import upgrade
from pipeline.names import clip_label, tells
from pipeline.records import LogEntry
from pipeline.rows import now

Event = Literal["enrolled", "searched", "renamed", "merged", "forgotten", "imported", "exported", "reindexed"]

_SINCE = 3
"""The format of a gallery that first has the table."""


def record(database: Database, event: Event, people: Iterable[int | None] = (None,), file: str | None = None) -> None:
    """Enter what is being done, an entry for each of `people` (ids; None: nobody of the gallery), within the
    transaction that does it; nothing where the log is switched off. file: a clip or other file, kept without its
    folders."""
    if not database.logs:
        return
    upgrade(database)
    at, label = now(), None if file is None else clip_label(file)
    for person in people:
        database.enter("INSERT INTO audit (at, event, person, file) VALUES (?, ?, ?, ?)", (at, event, person, label))


def entries(database: Database, last: int | None = None) -> list[LogEntry]:
    """The `last` entries (None: all), oldest first."""
    if database.format() < _SINCE:
        return []
    sql = (
        "SELECT at, event, person, name, file FROM audit LEFT JOIN people ON people.id = person"
        " ORDER BY audit.id DESC LIMIT ?"
    )
    return [LogEntry(*row) for row in database.rows(sql, (-1 if last is None else last,))][::-1]


def clear_of(database: Database, person: int) -> None:
    """Take from the log the files of the entries of somebody who is forgotten."""
    if database.format() >= _SINCE:
        database.change("UPDATE audit SET file = NULL WHERE person = ?", (person,))


def unname(database: Database, name: str) -> None:
    """Take from the log the files whose names tell a person's name that is not to be kept."""
    if database.format() >= _SINCE:
        files = database.rows("SELECT id, file FROM audit WHERE file IS NOT NULL")
        for entry in [entry for entry, file in files if tells(file, name)]:
            database.change("UPDATE audit SET file = NULL WHERE id = ?", (entry,))


def pass_on(database: Database, person: int, other: int) -> None:
    """Make the entries of a person, who is merged with another, that other's."""
    if database.format() >= _SINCE:
        database.change("UPDATE audit SET person = ? WHERE person = ?", (other, person))


def leave_out(database: Database) -> None:
    """Empty the log of a copy that is handed on, and erase its bytes."""
    if database.format() >= _SINCE:
        with database.transaction():
            database.change("DELETE FROM audit")
        database.compact()
