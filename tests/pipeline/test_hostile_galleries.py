"""Exports that nobody meant well: people who can be searched for, or one line and a gallery as it was."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gallery_people import open_gallery, source, template
from hostile import damaged, nothing_outside, outcome, within_bounds
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.names import person_name, printable
from pipeline.thresholds import Thresholds

COLUMNS = {
    "gallery": ("id", "fingerprint", "encoder", "dim", "revision", "erasing"),
    "people": ("id", "name"),
    "clips": ("id", "content", "file", "added"),
    "templates": ("id", "person", "clip", "track", "starts", "ends", "quality", "embedding", "layout", "fps", "frames",
                  "joints", "segments", "added"),
    "calibration": ("id", "thresholds"),
    "sqlite_sequence": ("name", "seq"),
}  # fmt: skip
CELLS = [f"{table}.{column}" for table, columns in COLUMNS.items() for column in columns]

values = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=9), st.binary(max_size=80),
    st.sampled_from(["../../x", "/etc/passwd", "Anna", "Anna\n", "\x1b[2J", "9" * 300, "[" * 5000, "{}"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery, and the export of another."""
    place = tmp_path_factory.mktemp("galleries")
    with open_gallery(place / "mine.db") as gallery:
        gallery.add("Anna", [template(1)], source(1))
    with open_gallery(place / "theirs.db") as gallery:
        gallery.add("Anna", [template(11)], source(11))
        gallery.add("Ben", [template(12), template(13)], source(12))
        gallery.calibrate(Thresholds.single(0.4))
        gallery.export(place / "export.reid")
    return place


def take(folder: Path, exported: Path) -> None:
    """Import into a copy of the gallery, and into a place where there is none."""
    for name in ("copy.db", "new.db"):
        path = folder / name
        for old in folder.glob(f"{name}*"):
            old.unlink()
        if name == "copy.db":
            shutil.copy(folder / "mine.db", path)
        with nothing_outside(folder):
            outcome(lambda to=path: import_into(to, exported), GalleryError)
        if path.exists():
            with Gallery.open(path) as gallery:
                assert gallery.check() == []
                for person in gallery.people():
                    assert person.name == person_name(person.name) == printable(person.name)


def import_into(path: Path, exported: Path) -> None:
    with Gallery.open_for_import(path, exported) as gallery:
        before = [(person.name, person.templates) for person in gallery.people()]
        try:
            gallery.import_(exported)
        except GalleryError:
            assert [(person.name, person.templates) for person in gallery.people()] == before
            raise
    with open_gallery(path) as gallery:
        found = gallery.search(template(12).embedding[None], top=3)[0]
        assert all(np.isfinite(candidate.similarity) for candidate in found)


@given(data=st.data(), start=st.sampled_from([0, 20, 100, 4096]))
def test_any_damage_is_told(folder: Path, data: st.DataObject, start: int) -> None:
    path = folder / "damaged.reid"
    path.write_bytes(data.draw(damaged((folder / "export.reid").read_bytes(), start)))
    take(folder, path)


@given(cells=st.dictionaries(st.sampled_from(CELLS), values, min_size=1, max_size=3), row=st.integers(0, 3))
@example(cells={"gallery.fingerprint": "\x1f"}, row=0)
@example(cells={"gallery.encoder": "\x1b[2J"}, row=0)
@example(cells={"gallery.dim": 0}, row=0)
def test_any_value_is_used_or_refused(folder: Path, cells: dict[str, object], row: int) -> None:
    path = Path(shutil.copy(folder / "export.reid", folder / "edited.reid"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for cell, value in cells.items():
            table, _, column = cell.partition(".")
            where = f"rowid = {row}" if row else "1"
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
            except (sqlite3.Error, UnicodeEncodeError):
                continue
    take(folder, path)


LAYOUTS = (
    "CREATE TABLE more (x)",
    "CREATE VIEW more AS SELECT load_extension('x')",
    "CREATE INDEX more ON people (name)",
    "CREATE TRIGGER more AFTER INSERT ON people BEGIN SELECT writefile('out', 'x'); END",
    "CREATE VIRTUAL TABLE more USING fts5(x)",
    "DROP TABLE calibration",
    "DROP INDEX templates_by_clip",
    "ALTER TABLE people ADD COLUMN more TEXT AS (name || name)",
    "ALTER TABLE people RENAME TO persons",
    "PRAGMA user_version = -1",
    "PRAGMA application_id = 0",
    "DELETE FROM gallery",
)


@pytest.mark.parametrize("statement", LAYOUTS)
def test_any_layout_but_ours_is_refused(folder: Path, statement: str) -> None:
    path = Path(shutil.copy(folder / "export.reid", folder / "laid-out.reid"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    take(folder, path)
    assert not (folder / "new.db").exists()


def test_files_made_to_use_up_memory(folder: Path, tmp_path: Path) -> None:
    files = []
    for cell in (
        "templates.joints",
        "templates.embedding",
        "people.name",
        "clips.file",
        "gallery.encoder",
        "gallery.dim",
    ):
        files.append(Path(shutil.copy(folder / "export.reid", tmp_path / f"{cell}.reid")))
        table, _, column = cell.partition(".")
        value = 2**40 if column == "dim" else b"\0" * (33 << 20) if table == "templates" else "a" * (33 << 20)
        with closing(sqlite3.connect(files[-1])) as connection, connection:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (value,))
    loads = "from pathlib import Path\nfrom pipeline.gallery import Gallery\n"
    loads += f"def load(path):\n    with Gallery.open_for_import({str(folder / 'mine.db')!r}, path) as gallery:\n"
    loads += "        gallery.import_(Path(path))\n"
    told = within_bounds(loads, files, megabytes=192)
    assert len(told) == len(files)
    assert all(str(file) in line for file, line in zip(files, told, strict=True)), told
