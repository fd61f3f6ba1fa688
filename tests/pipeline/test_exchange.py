"""Galleries handed on: what comes back is what went, and what was made to do harm does none."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from gallery_people import DIM, FakeEmbedder, open_gallery, source, template
from test_database import start

from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.gallery import Gallery


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two galleries and the export of one, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("galleries")
    with open_gallery(folder / "mine.db") as gallery:
        gallery.add("Anna", [template(1)], source(1))
        gallery.add("Ben", [template(2)], source(2))
    with open_gallery(folder / "theirs.db") as gallery:
        gallery.add("Anna", [template(11), template(12)], source(11))
        gallery.add("Cem", [template(13)], source(12, track=4))
        gallery.add("Dee", [template(14)], source(2))
        gallery.export(folder / "export.reid")
    return folder


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "mine.db", tmp_path))


@pytest.fixture
def theirs(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "theirs.db", tmp_path))


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "export.reid", tmp_path))


def _all(path: Path) -> list[tuple]:
    with sqlite3.connect(path) as connection:
        return connection.execute(
            "SELECT name, content, file, track, starts, ends, quality, embedding, joints, segments, fps, t.added"
            " FROM templates t JOIN people p ON p.id = person JOIN clips c ON c.id = clip ORDER BY embedding"
        ).fetchall()


def test_an_export_is_one_private_file_with_everything(made: Path) -> None:
    assert stat.S_IMODE((made / "export.reid").stat().st_mode) == 0o600
    assert sorted(file.name for file in made.iterdir()) == ["export.reid", "mine.db", "theirs.db"]
    assert _all(made / "export.reid") == _all(made / "theirs.db")


def test_an_export_never_replaces_a_file(exported: Path, theirs: Path) -> None:
    before = exported.read_bytes()
    with open_gallery(theirs) as gallery:
        with pytest.raises(GalleryError, match="is there already"):
            gallery.export(exported)
        with pytest.raises(GalleryError, match="cannot export to"):
            gallery.export(exported.parent / "no" / "such" / "folder.reid")
    assert exported.read_bytes() == before


KILLED = """
import os, signal, sys
from gallery_people import *
import pipeline.exchange

pipeline.exchange.audit.leave_out = lambda copy: os.kill(os.getpid(), signal.SIGKILL)
print(os.getpid(), flush=True)
with open_gallery(sys.argv[1]) as gallery:
    gallery.export(sys.argv[2])
"""


def test_an_export_removes_what_a_killed_one_left(theirs: Path, tmp_path: Path) -> None:
    killed, _ = start(KILLED, theirs, tmp_path / "out.reid").communicate()
    left = tmp_path / f".out.reid.{int(killed)}.part"
    assert left.exists()
    shutil.copy(left, f"{left}-journal")
    (tmp_path / "whole.reid").hardlink_to(left)  # as one that was killed when it had just put the export there
    before = left.read_bytes()
    working = tmp_path / f".out.reid.{os.getppid()}.part"
    others = [tmp_path / f".out.reid.{'9' * 30}.part.part", tmp_path / ".out2.reid.1.part", working]
    for file in others:
        file.touch()
    with open_gallery(theirs) as gallery:
        gallery.export(tmp_path / "out.reid")
    assert not list(tmp_path.glob(f"{left.name}*"))
    assert all(file.exists() for file in others)
    assert (tmp_path / "whole.reid").read_bytes() == before
    assert _all(tmp_path / "out.reid") == _all(theirs)


def test_an_export_holds_nothing_of_the_forgotten(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "g.db") as gallery:
        gallery.add("Annabella", [template(1)], source(1))
        gallery.forget("Annabella")
        gallery.export(tmp_path / "out.reid")
    assert b"Annabella" not in (tmp_path / "out.reid").read_bytes()


def test_a_new_place_takes_the_whole_export(tmp_path: Path, exported: Path) -> None:
    seen: list[tuple[float, float | None]] = []
    with Gallery.open_for_import(tmp_path / "new" / "gallery.db", exported) as gallery:
        done = gallery.import_(exported, lambda what, done, total: seen.append((done, total)))
    assert (done.people, done.templates, done.skipped) == (("Anna", "Cem", "Dee"), 4, ())
    assert seen[-1] == (4, 4)
    assert _all(tmp_path / "new" / "gallery.db") == _all(exported)
    with open_gallery(tmp_path / "new" / "gallery.db") as gallery:
        assert gallery.search(template(13).embedding[None], top=1)[0][0].name == "Cem"


def test_an_import_merges_people_and_skips_clips_held(mine: Path, exported: Path) -> None:
    before = exported.read_bytes()
    with Gallery.open(mine) as gallery:
        done = gallery.import_(exported)
        assert (done.people, done.templates, done.skipped) == (("Anna", "Cem"), 3, ("clip2.mp4",))
        assert [(p.name, p.templates) for p in gallery.people()] == [("Anna", 3), ("Ben", 1), ("Cem", 1)]
        again = gallery.import_(exported)
        assert (again.people, again.templates, len(again.skipped)) == ((), 0, 3)
        assert gallery.check() == []
        with pytest.raises(GalleryError, match="the gallery itself"):
            gallery.import_(mine)
        with pytest.raises(GalleryError, match="there is no file"):
            gallery.import_(mine.parent / "nothing.reid")
    assert exported.read_bytes() == before


def test_a_gallery_in_use_is_not_taken_for_an_export(tmp_path: Path, mine: Path) -> None:
    with open_gallery(tmp_path / "theirs.db") as theirs:
        theirs.add("Cem", [template(3)], source(3))
        with Gallery.open(mine) as gallery, pytest.raises(GalleryError, match="reid gallery export"):
            gallery.import_(tmp_path / "theirs.db")
    with Gallery.open(mine) as gallery:
        assert gallery.import_(tmp_path / "theirs.db").people == ("Cem",)


def test_an_export_of_another_encoder_is_taken_after_reindexing_it(mine: Path, tmp_path: Path) -> None:
    other = FakeEmbedder(1, dim=8)
    with open_gallery(tmp_path / "theirs.db", other) as gallery:
        gallery.add("Cem", [template(3, other)], source(3))
        gallery.export(tmp_path / "out.reid")
    with Gallery.open(mine) as gallery:
        with pytest.raises(WrongEncoderError, match=r"reid gallery reindex --gallery .*out\.reid"):
            gallery.import_(tmp_path / "out.reid")
        with Gallery.open(tmp_path / "out.reid") as export:
            export.reindex(FakeEmbedder())
        assert gallery.import_(tmp_path / "out.reid").people == ("Cem",)


def _blob(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


UNIT = np.full(DIM, 0.25)
EDITS: dict[str, tuple[str, tuple]] = {
    "embedding of another size": ("UPDATE templates SET embedding = ?", (_blob(UNIT[:-1]),)),
    "embedding not of unit length": ("UPDATE templates SET embedding = ?", (_blob(9 * UNIT),)),
    "embedding not finite": ("UPDATE templates SET embedding = ?", (_blob(UNIT * np.nan),)),
    "joints of another size": ("UPDATE templates SET joints = x'00'", ()),
    "too many frames": ("UPDATE templates SET frames = 4611686018427387904", ()),
    "frame rate": ("UPDATE templates SET fps = -1", ()),
    "infinite time": ("UPDATE templates SET ends = 9e999", ()),
    "time backwards": ("UPDATE templates SET starts = 9, ends = 1", ()),
    "track": ("UPDATE templates SET track = -1", ()),
    "quality": ("UPDATE templates SET quality = 7", ()),
    "layout": ("UPDATE templates SET layout = '../../etc'", ()),
    "date": ("UPDATE templates SET added = 'today'", ()),
    "name with a control character": ("UPDATE people SET name = char(27) || '[2J' || id", ()),
    "long name": ("UPDATE people SET name = id || printf('%0300d', 1)", ()),
    "name not normalised": ("UPDATE people SET name = ' ' || id", ()),
    "name not UTF-8": ("UPDATE people SET name = CAST(x'ff' || id AS TEXT)", ()),
    "path as a file name": ("UPDATE clips SET file = '/etc/passwd'", ()),
    "newline in a file name": ("UPDATE clips SET file = 'a' || char(10)", ()),
    "content": ("UPDATE clips SET content = id", ()),
    "dangling clip": ("DELETE FROM clips WHERE id = 1", ()),
    "no encoder": ("DELETE FROM gallery", ()),
    "trigger": ("CREATE TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM people; END", ()),
    "view": ("CREATE VIEW v AS SELECT 1", ()),
    "another application": ("PRAGMA application_id = 7", ()),
    "another version": ("PRAGMA user_version = 9", ()),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_hostile_export_is_refused_whole(edit: str, mine: Path, exported: Path) -> None:
    connection = sqlite3.connect(exported, isolation_level=None)
    connection.execute(*EDITS[edit])
    connection.close()
    before = _all(mine)
    with Gallery.open(mine) as gallery:
        with pytest.raises(GalleryError) as caught:
            gallery.import_(exported)
        assert str(caught.value).isprintable()
    assert _all(mine) == before


def test_a_gallery_made_for_an_import_that_fails_is_removed_again(tmp_path: Path, exported: Path) -> None:
    with sqlite3.connect(exported) as connection:
        connection.execute("UPDATE templates SET quality = 7 WHERE id = 4")
    with (
        pytest.raises(GalleryError, match="nothing was imported"),
        Gallery.open_for_import(tmp_path / "new.db", exported) as gallery,
    ):
        gallery.import_(exported)
    assert [file.name for file in tmp_path.iterdir()] == ["export.reid"]


def test_a_gallery_made_for_an_import_that_fails_stays_where_another_process_uses_it(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.connecting.PATIENCE", 0.05)
    with ExitStack() as stack:
        others: list[Gallery] = []

        def interrupted() -> None:
            with Gallery.open_for_import(tmp_path / "new.db", exported):
                others.append(stack.enter_context(open_gallery(tmp_path / "new.db")))
                raise InterruptedError

        with pytest.raises(InterruptedError):
            interrupted()
        others[0].add("Ben", [template(2)], source(2))
    with open_gallery(tmp_path / "new.db") as gallery:
        assert [person.name for person in gallery.people()] == ["Ben"]


def test_values_of_the_wrong_type_are_refused(mine: Path, exported: Path) -> None:
    """A file can be made in which even STRICT tables hold anything, by editing the schema after the rows."""

    def rewrite(change: Callable[[sqlite3.Connection], None]) -> None:
        connection = sqlite3.connect(exported, isolation_level=None)
        connection.execute("PRAGMA writable_schema = ON")
        ((schema,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'templates'").fetchall()
        loose = schema.replace(") STRICT", ")")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'templates'", (loose,))
        connection.close()
        connection = sqlite3.connect(exported, isolation_level=None)
        change(connection)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'templates'", (schema,))
        connection.close()

    rewrite(lambda connection: connection.execute("UPDATE templates SET quality = 'high', embedding = 'text'") and None)
    before = _all(mine)
    with Gallery.open(mine) as gallery, pytest.raises(GalleryError):
        gallery.import_(exported)
    assert _all(mine) == before


def test_damaged_exports_are_refused(mine: Path, exported: Path) -> None:
    whole = exported.read_bytes()
    rng = np.random.default_rng(0)
    before = _all(mine)
    with Gallery.open(mine) as gallery:
        for _ in range(80):
            bad = bytearray(whole)
            for at in rng.integers(100, len(whole), 200):
                bad[at] = rng.integers(256)
            exported.write_bytes(bad)
            with pytest.raises(GalleryError) as caught:
                gallery.import_(exported)
            assert str(caught.value).isprintable()
    assert _all(mine) == before
