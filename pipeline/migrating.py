"""Brings a gallery of an older version forward, with a backup beside it first."""

from pipeline import backups
from pipeline.database import Database
from pipeline.schema import VERSION


def upgrade(database: Database) -> None:
    """Lay the file out as the present version does, within a transaction.

    Raises GalleryError, so that nothing is changed, where it cannot be backed up.
    """
    if database.format() < VERSION:
        backups.make(database, "migration")
        database.lay_out()
