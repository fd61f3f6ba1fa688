"""Copies into a new gallery whatever can be read of a damaged one, row by row; nothing unsound is taken along.

SQLite finds a row by its number even where pages before and after are damaged, and its indexes tell which numbers there
are to be found. A row whose page is gone costs that row alone.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline import keeping
from pipeline.checking import sound_clip, sound_name, sound_template
from pipeline.database import Database, Row
from pipeline.errors import GalleryError
from pipeline.names import printable
from pipeline.records import EncoderId
from pipeline.rows import VECTORS, content_hash, moment
from pipeline.schema import UPGRADES
from pipeline.values import Progress

LOST_ENCODER = "0" * 64
"""Fingerprint of a gallery whose encoder is not known any more: `reid gallery reindex` gives it one."""

LOST_SKELETONS = "lost"
"""How skeletons were made, where that is not known any more: in a way that no encoder's are."""

_INDEXES = {
    "people": ("sqlite_autoindex_people_1",),
    "clips": ("sqlite_autoindex_clips_1",),
    "templates": ("templates_by_person", "templates_by_clip"),
    "audit": (),
}
_FARTHEST = 10_000_000
"""Numbers that are tried one by one where no index tells which there are."""


def encoder_left(old: Database) -> EncoderId:
    """Whose templates a damaged gallery holds; where it does not say, an encoder that nobody has."""
    skeletons = _skeletons_left(old) or LOST_SKELETONS
    for fingerprint, name, dim in _readable(old, "SELECT fingerprint, encoder, dim FROM gallery"):
        if isinstance(fingerprint, str) and fingerprint and isinstance(dim, int) and 0 < dim < 1 << 16:
            return EncoderId(printable(fingerprint), printable(str(name)), dim, skeletons)
    sizes = Counter(size for (size,) in _readable(old, "SELECT length(embedding) FROM templates"))
    dim = sizes.most_common(1)[0][0] // 4 if sizes else 1
    return EncoderId(LOST_ENCODER, "lost in a damaged gallery", max(1, dim), skeletons)


def _skeletons_left(old: Database) -> str | None:
    """How a damaged gallery's skeletons were made; None where it does not say."""
    try:
        return printable(keeping.skeletons_of(old))
    except GalleryError:
        return None


def salvage(old: Database, new: Database, progress: Progress) -> list[str]:
    """Copy what is sound of `old` into the empty gallery `new`, in one transaction; what is lost, in a few words each.

    A person or clip that is lost while templates of it are not gets a name or content in its place.
    """
    lost: list[str] = []
    tables = _sound_tables(old)
    with new.transaction():
        encoder = keeping.encoder_of(new)[0]
        if _skeletons_left(old) is None:
            lost.append("how its skeletons were made, so that it cannot be moved to another encoder")
        if encoder.fingerprint == LOST_ENCODER:
            known = encoder.skeletons != LOST_SKELETONS
            mend = "run `reid gallery reindex`" if known else "enrol the clips again into a new gallery"
            lost.append(f"which encoder the templates are of: {mend}")
        people = _People(old, tables, new, lost)
        clips = _Clips(old, tables, new, lost)
        columns = f"person, clip, track, starts, ends, added, {VECTORS}"
        for template, row in _rows(old, tables, "templates", columns, lost, progress):
            try:
                person, clip, *rest = row
                sound_template(rest, encoder.dim)
                track, starts, ends, added, *vectors = rest
                place = (track, starts, ends, added)
                keeping.add_template(new, people.of(person), clips.of(clip, added), place, tuple(vectors), template)
            except ValueError as error:
                lost.append(f"template {template}: {error}")
        lost += people.left_out() + clips.left_out()
        _copy_log(old, tables, new, lost)
        _copy_thresholds(old, tables, new, lost)
        _copy_numbers(old, new)
    return lost


class _People:
    """Finds the people of templates, and adds each to the new gallery once."""

    def __init__(self, old: Database, tables: set[str], new: Database, lost: list[str]) -> None:
        self._new, self._lost = new, lost
        index = "SELECT id, name FROM people INDEXED BY sqlite_autoindex_people_1"
        self._names = {number: row[0] for number, row in _rows(old, tables, "people", "name", lost)}
        for number, name in _readable(old, index) if "people" in tables else ():
            if not _is_sound_name(self._names.get(number)):
                self._names[number] = name
        self._added: set[int] = set()
        self._used: set[str] = set()

    def of(self, person: object) -> int:
        """The id of a template's person. Raises ValueError where it is no number."""
        number = _number(person, "person")
        if number not in self._added:
            name = self._names.get(number)
            if not isinstance(name, str) or not _is_sound_name(name) or name in self._used:
                name = f"recovered-{number}"
                self._lost.append(f"the name of person {number}, who is called {name} now")
            self._new.change("INSERT INTO people (id, name) VALUES (?, ?)", (number, name))
            self._added.add(number)
            self._used.add(name)
        return number

    def left_out(self) -> list[str]:
        """Those of whom no template is left."""
        gone = self._names.keys() - self._added
        return [
            f"all of {printable(str(self._names[number]))}: no template of theirs is left" for number in sorted(gone)
        ]


class _Clips:
    """Finds the clips of templates, and adds each to the new gallery once."""

    def __init__(self, old: Database, tables: set[str], new: Database, lost: list[str]) -> None:
        self._new = new
        self._rows = dict(_rows(old, tables, "clips", "content, file, added", lost))
        index = "SELECT id, content FROM clips INDEXED BY sqlite_autoindex_clips_1"
        self._contents: dict[object, object] = dict(_readable(old, index)) if "clips" in tables else {}
        self._added: set[int] = set()
        self._used: set[str] = set()
        self._without: dict[str, list[int]] = {"file name": [], "content, so it can be enrolled twice": []}

    def of(self, clip: object, added: str) -> int:
        """The id of a template's clip; added: when that was, where the clip does not say. Raises ValueError."""
        number = _number(clip, "clip")
        if number not in self._added:
            row = self._found(number, added)
            self._new.change("INSERT INTO clips (id, content, file, added) VALUES (?, ?, ?, ?)", (number, *row))
            self._added.add(number)
            self._used.add(row[0])
        return number

    def left_out(self) -> list[str]:
        """Those that no template is left of, and what is not known any more of others."""
        gone = {"templates, so it can be enrolled again": sorted(self._rows.keys() - self._added), **self._without}
        return [f"clips {run}: without {what}" for what, numbers in gone.items() for run in _runs(sorted(numbers))]

    def _found(self, number: int, added: str) -> tuple[str, str, str]:
        try:
            row = sound_clip(*self._rows.get(number, (None, None, None)))
            if row[0] not in self._used:
                return row
        except ValueError:
            pass
        try:
            content = content_hash(self._contents.get(number))
            if content not in self._used:
                self._without["file name"].append(number)
                return content, "unknown", added
        except ValueError:
            pass
        self._without["content, so it can be enrolled twice"].append(number)
        return hashlib.sha256(f"lost clip {number}".encode()).hexdigest(), "unknown", added


def _sound_tables(old: Database) -> set[str]:
    """The tables that are exactly as we make them; nothing is read from others.

    Raises GalleryError where the list of tables cannot be read.
    """
    # As bytes: what is damaged may be no text.
    found = {sql for (sql,) in old.rows("SELECT CAST(sql AS BLOB) FROM sqlite_schema WHERE type = 'table'")}
    ours = (statement for statements in UPGRADES.values() for statement in statements)
    return {statement.split()[2] for statement in ours if statement.encode() in found}


def _rows(
    old: Database, tables: set[str], table: str, columns: str, lost: list[str], progress: Progress | None = None
) -> Iterable[tuple[int, Row]]:
    """Every readable row of a table: its number and the `columns`. What is known to be there and is not is lost."""
    if table not in tables:
        lost.append(f"the table {table}: it is not there, or damaged")
        return
    numbers, known = _numbers(old, table)
    gone = []
    for done, number in enumerate(numbers, start=1):
        try:
            found = list(old.rows(f"SELECT {columns} FROM {table} WHERE id = ?", (number,)))
        except GalleryError:
            found = []
            known.add(number)
        if found:
            yield number, found[0]
        elif number in known:
            gone.append(number)
        if progress is not None:
            progress("saving", done, len(numbers))
    lost += [f"{table} {run}: cannot be read" for run in _runs(gone)]


def _numbers(old: Database, table: str) -> tuple[Sequence[int], set[int]]:
    """Numbers that rows of a table may have, rising, and those of them that rows are known to have had."""
    scans = [_numbers_by(old, f"SELECT id FROM {table} {by}") for by in ("ORDER BY id", "ORDER BY id DESC")]
    by_index = [_numbers_by(old, f"SELECT id FROM {table} INDEXED BY {index}") for index in _INDEXES[table]]
    known = set().union(*(numbers for numbers, _ in scans + by_index))
    if scans[0][1] or any(whole for _, whole in by_index):
        return sorted(known), known
    # No list is whole: try every number between the ends of what was found.
    highest = max([0, *known, *(seq for (seq,) in _readable(old, _SEQUENCE, (table,)) if isinstance(seq, int))])
    return range(1, min(highest, _FARTHEST) + 1), known


_SEQUENCE = "SELECT seq FROM sqlite_sequence WHERE name = ?"


def _numbers_by(old: Database, sql: str) -> tuple[set[int], bool]:
    """The numbers that a statement gives before it fails, and whether it did not."""
    found: set[int] = set()
    try:
        found.update(number for (number,) in old.rows(sql))
    except GalleryError:
        return found, False
    return found, True


def _readable(old: Database, sql: str, parameters: Sequence[object] = ()) -> Iterable[Row]:
    """The rows that a statement gives before it fails."""
    try:
        yield from old.rows(sql, parameters)
    except GalleryError:
        return


def _runs(numbers: Sequence[int]) -> list[str]:
    """Rising numbers as text, those that follow one another as one: 3, 5 to 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return [" to ".join(map(str, run)) for run in runs]


def _copy_log(old: Database, tables: set[str], new: Database, lost: list[str]) -> None:
    if old.format() < 3:
        return
    for number, (at, event, person, file) in _rows(old, tables, "audit", "at, event, person, file", lost):
        try:
            row = (moment(at), printable(str(event)), None if person is None else _number(person, "person"))
        except ValueError:
            lost.append(f"entry {number} of the log")
            continue
        label = None if file is None else printable(str(file))
        new.change("INSERT INTO audit (id, at, event, person, file) VALUES (?, ?, ?, ?, ?)", (number, *row, label))


def _copy_thresholds(old: Database, tables: set[str], new: Database, lost: list[str]) -> None:
    if old.format() < 2:
        return
    try:
        thresholds = keeping.thresholds_of(old)
    except GalleryError:
        lost.append("its own thresholds: run `reid calibrate` again, until then the encoder's hold")
        return
    if thresholds is not None and "calibration" in tables:
        keeping.keep_thresholds(new, thresholds)


def _copy_numbers(old: Database, new: Database) -> None:
    """Ids are never used twice, nor is a revision."""
    for (revision,) in _readable(old, "SELECT revision FROM gallery"):
        if isinstance(revision, int) and 0 <= revision < 1 << 62:
            new.change("UPDATE gallery SET revision = ?", (revision + 1,))
    for table in _INDEXES:
        for (seq,) in _readable(old, _SEQUENCE, (table,)):
            if not isinstance(seq, int) or not 0 < seq < 1 << 62:
                continue
            if not new.change("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (seq, table)):
                new.change("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, seq))


def _is_sound_name(name: object) -> bool:
    try:
        sound_name(name)
    except ValueError:
        return False
    return True


def _number(value: object, what: str) -> int:
    if not isinstance(value, int) or not 0 < value < 1 << 62:
        raise ValueError(f"whose {what} it is cannot be read")
    return value
