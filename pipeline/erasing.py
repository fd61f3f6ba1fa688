"""Deletes so that nothing is left: the rows at once, then their bytes in the file and in its log.

The gallery remembers that bytes are still to be erased, so a process killed in between, or one that had to stop
because another was reading, is made up for the next time the gallery is opened for writing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.connecting import PATIENCE
from pipeline.database import Database
from pipeline.errors import GalleryError
from pipeline.indexing import purge_index


@contextmanager
def erasing(database: Database) -> Iterator[None]:
    """A transaction after which what it deleted is gone from the files.

    Raises GalleryError where it is deleted but another process still reads old bytes from the log.
    """
    with database.transaction():
        yield
        database.change("UPDATE gallery SET erasing = 1")
    if not finish_erasing(database, PATIENCE):
        raise GalleryError(
            f"done, but another process reads the gallery {database.path}, so old bytes are still in its log:"
            " they go when it is next opened for writing"
        )


def finish_erasing(database: Database, patience: float = 0.0) -> bool:
    """Erase what an interrupted or hindered deletion left, waiting `patience` seconds for readers; whether all is."""
    if not database.writable or not list(database.rows("SELECT 1 FROM gallery WHERE erasing = 1")):
        return True
    purge_index(database)
    if not database.compact(patience):
        return False
    with database.transaction():
        database.change("UPDATE gallery SET erasing = 0")
    return True
