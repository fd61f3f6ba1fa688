"""What takes a name out of a gallery: renaming, merging and forgetting people, each down to the bytes in its files."""

from pipeline import audit, backups, keeping
from pipeline.database import Database
from pipeline.erasing import erasing
from pipeline.errors import GalleryError
from pipeline.names import person_name, tells
from pipeline.records import Forgotten


def rename(database: Database, name: str, new: str) -> None:
    """Give a person another name. Raises UnknownNameError, GalleryError where the new name is another person's."""
    wanted = person_name(new)
    with erasing(database):
        person = keeping.known_person(database, name)
        if wanted != person_name(name) and list(database.rows("SELECT 1 FROM people WHERE name = ?", (wanted,))):
            raise GalleryError(
                f"somebody in the gallery {database.path} is called “{wanted}” already:"
                " if they are one person, use `reid gallery merge`"
            )
        database.change("UPDATE people SET name = ? WHERE id = ?", (wanted, person))
        _unname(database, name, wanted)
        audit.record(database, "renamed", [person])


def merge(database: Database, name: str, into: str) -> int:
    """Give `into` the templates of `name`, who is gone then; how many. Raises UnknownNameError, GalleryError."""
    with erasing(database):
        person, other = keeping.known_person(database, name), keeping.known_person(database, into)
        if person == other:
            raise GalleryError(f"“{person_name(name)}” cannot be merged with itself: give two names")
        moved = database.change("UPDATE templates SET person = ? WHERE person = ?", (other, person))
        keeping.drop_unused(database)
        _unname(database, name, into)
        audit.pass_on(database, person, other)
        audit.record(database, "merged", [other])
    return moved


def forget(database: Database, name: str) -> Forgotten:
    """Delete a person with everything kept of them, and every backup. Raises UnknownNameError, GalleryError."""
    with erasing(database):
        person = keeping.known_person(database, name)
        count = database.change("DELETE FROM templates WHERE person = ?", (person,))
        keeping.drop_unused(database)
        _unname(database, name)
        audit.clear_of(database, person)
        audit.record(database, "forgotten", [person])
        backups.remove_all(database.path)
        backups.remove_unfinished(database.path)
    return Forgotten(person, count)


def _unname(database: Database, name: str, instead: str = "") -> None:
    """Keep no file's name that tells a name which is gone, unless what the person is called `instead` tells it."""
    if not tells(instead, name):
        keeping.unname(database, name)
        audit.unname(database, name)
