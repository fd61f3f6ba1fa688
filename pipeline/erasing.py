"""Deletes so that nothing is left: the rows at once, then their bytes in the file and in its log.

The gallery remembers that bytes are still to be erased, so a process killed in between, or one that had to stop
because another was reading or there was no room to write the file anew, is made up for the next time the gallery is
opened for writing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.connecting import PATIENCE
from pipeline.database import Database
from pipeline.errors import GalleryError, NoRoomError
from pipeline.indexing import purge_index


@contextmanager
def erasing(database: Database) -> Iterator[None]:
    """A transaction after which what it deleted is gone from the files.

    Raises GalleryError where it is deleted but old bytes cannot be erased yet.
    """
    with database.transaction():
        yield
        database.change("UPDATE gallery SET erasing = 1")
    hindrance = finish_erasing(database, PATIENCE)
    if hindrance is not None:
        raise GalleryError(
            f"done, but {hindrance}, so old bytes are still in the gallery {database.path} or its log:"
            " they go when it is next opened for writing"
        )


def finish_erasing(database: Database, patience: float = 0.0) -> str | None:
    """Erase what an interrupted or hindered deletion left, waiting `patience` seconds for readers; what hinders it, if
    anything does: those who want nothing but to open the gallery need not fail for that."""
    if not database.writable or not list(database.rows("SELECT 1 FROM gallery WHERE erasing = 1")):
        return None
    try:
        purge_index(database)
        if not database.compact(patience):
            return "another process reads it"
        with database.transaction():
            database.change("UPDATE gallery SET erasing = 0")
    except NoRoomError:
        return "there is no room, on the disk or in memory, to write it anew"
    return None
