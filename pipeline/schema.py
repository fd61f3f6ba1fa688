"""How a gallery's SQLite file is laid out, and how a file is known to be laid out so.

A gallery of an older version is read as it is, and made one of the present version by the first change that needs that,
with a backup before it (`pipeline.migrating`). One of a newer version is refused.
"""

from collections.abc import Iterable

APPLICATION_ID = 0x52654964
"""`PRAGMA application_id`: "ReId" in ASCII; tells a gallery from any other application's SQLite file."""

VERSION = 5
"""`PRAGMA user_version`: raised whenever a program of the version before could not read the file as it is."""

TELLS_SKELETONS = 4
"""The first version that says how a gallery's skeletons were made (see `pipeline.records.EncoderId`)."""

UNTOLD = "2.1"
"""How those of an older one were made: by `pipeline.normalize` 2 and `smsge.canonical` 1, without a lift."""

# AUTOINCREMENT: ids are never used twice, so a template that an index holds is either still that template or gone.
_FIRST = (
    """CREATE TABLE gallery (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint TEXT NOT NULL,
    encoder TEXT NOT NULL,
    dim INTEGER NOT NULL CHECK (dim > 0),
    revision INTEGER NOT NULL,
    erasing INTEGER NOT NULL
) STRICT""",
    """CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT""",
    """CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL UNIQUE,
    file TEXT NOT NULL,
    added TEXT NOT NULL
) STRICT""",
    """CREATE TABLE templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    clip INTEGER NOT NULL REFERENCES clips (id),
    track INTEGER NOT NULL,
    starts REAL NOT NULL,
    ends REAL NOT NULL,
    quality REAL NOT NULL,
    embedding BLOB NOT NULL,
    layout TEXT NOT NULL,
    fps REAL NOT NULL,
    frames INTEGER NOT NULL,
    joints BLOB NOT NULL,
    segments BLOB NOT NULL,
    added TEXT NOT NULL
) STRICT""",
    "CREATE INDEX templates_by_person ON templates (person)",
    "CREATE INDEX templates_by_clip ON templates (clip)",
)

_CALIBRATION = """CREATE TABLE calibration (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    thresholds TEXT NOT NULL
) STRICT"""

# person is no reference: an entry outlives its person, who is then a number that means nobody.
_AUDIT = """CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    person INTEGER,
    file TEXT
) STRICT"""

_SKELETONS = """CREATE TABLE skeletons (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    made TEXT NOT NULL
) STRICT"""

UPGRADES = {1: _FIRST, 2: (_CALIBRATION,), 3: (_AUDIT,), 4: (_SKELETONS,), 5: ()}
"""The statements that make a file of each version of one of the version before; of an empty one for the first.
Version 5 is laid out as 4, whose programs lift skeletons before they keep them, and must not add theirs to those as
seen."""

# What SQLite itself adds to the statements above.
_IMPLIED = {
    ("table", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"),
    ("index", "sqlite_autoindex_people_1", None),
    ("index", "sqlite_autoindex_clips_1", None),
}


def is_ours(entries: Iterable[tuple[str, str, str | None]], version: int) -> bool:
    """Whether `entries`, the (type, name, sql) rows of sqlite_schema, are exactly those of a gallery of this version.

    Exactly, so that no trigger, view or generated column of a file from elsewhere is ever run.
    """
    found = {(kind, name, sql) for kind, name, sql in entries}
    ours = {statement for number in range(1, version + 1) for statement in UPGRADES[number]}
    return {sql for _, _, sql in found - _IMPLIED} == ours and found >= _IMPLIED
