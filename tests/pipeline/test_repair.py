"""A gallery that is cut short, or whose bytes were changed: found out, mended as far as can be, never made worse."""

import shutil
import sqlite3
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from gallery_people import FakeEmbedder, open_gallery, source, template
from test_database import start

from pipeline.backups import backups_of
from pipeline.checking import check
from pipeline.errors import DamagedError, GalleryError
from pipeline.gallery import Gallery
from pipeline.renewing import repair
from pipeline.salvage import salvage
from pipeline.schema import VERSION
from pipeline.thresholds import Thresholds

PEOPLE = 40
PAGE = 4096


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty people with a template each, and thresholds."""
    path = tmp_path_factory.mktemp("made") / "gallery.db"
    with open_gallery(path) as gallery:
        for number in range(1, PEOPLE + 1):
            gallery.add(f"person {number}", [template(number)], source(number))
        gallery.calibrate(Thresholds.single(0.3))
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def held(path: Path) -> dict[str, bytes]:
    """Everybody's embedding, each of which must be the one that was added."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, embedding FROM people JOIN templates ON person = people.id").fetchall()
    connection.close()
    return dict(rows)


def true(name: str) -> bytes:
    return template(int(name.rpartition("-" if "-" in name else " ")[2])).embedding.astype("<f4").tobytes()


def mended(path: Path) -> dict[str, bytes]:
    """Repair a gallery, which is then sound and holds nothing that was not in it; who is in it."""
    before = path.read_bytes()
    found = repair(path)
    assert Path(found.backup).read_bytes() == before
    assert stat.S_IMODE(Path(found.backup).stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o600
    assert check(path).problems == ()
    rows = held(path)
    assert (found.people, found.templates) == (len(rows), len(rows))
    assert rows == {name: true(name) for name in rows}
    assert len(rows) == PEOPLE or found.lost
    assert sorted(file.name for file in path.parent.iterdir() if file.name.startswith(".")) == []
    return rows


def page_of(path: Path, table: str) -> int:
    """The first page, from 1, of a table or an index."""
    with sqlite3.connect(path) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    connection.close()
    return int(root)


def spoil(path: Path, page: int) -> None:
    data = bytearray(path.read_bytes())
    data[PAGE * (page - 1) : PAGE * page] = np.random.default_rng(page).bytes(PAGE)
    path.write_bytes(data)


def test_a_sound_gallery_is_said_to_be_sound_and_left_alone(path: Path) -> None:
    before = path.read_bytes()
    found = check(path)
    assert (found.problems, found.people, found.clips, found.templates) == ((), PEOPLE, PEOPLE, PEOPLE)
    assert (found.format, found.encrypted, found.backups) == (VERSION, False, ())
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_short_is_found_out_refused_and_mended(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    cut = path.read_bytes()
    if len(whole) - len(cut) > PAGE:
        with pytest.raises(DamagedError, match="reid gallery check --repair"):
            open_gallery(path)
    assert check(path).problems
    assert path.read_bytes() == cut
    saved = mended(path)
    assert len(saved) > 0.2 * share * PEOPLE  # the tables lie at the front, a page each


@pytest.mark.parametrize(
    "table", ["people", "clips", "calibration", "audit", "gallery", "skeletons", "sqlite_sequence"]
)
def test_a_table_that_is_gone_takes_no_template_with_it(path: Path, table: str) -> None:
    spoil(path, page_of(path, table))
    assert check(path).problems
    assert len(mended(path)) == PEOPLE
    with Gallery.open(path) as gallery:
        assert {person.name for person in gallery.people()} == {f"person {n}" for n in range(1, PEOPLE + 1)}
        if table == "gallery":
            encoder = FakeEmbedder(0)
            with pytest.raises(GalleryError, match="reid gallery reindex"):
                open_gallery(path)
            gallery.reindex(encoder)
    with open_gallery(path) as gallery:
        assert gallery.search(template(7).embedding[None], top=1)[0][0].name == "person 7"
        assert (gallery.thresholds is None) == (table in ("calibration", "gallery"))
        if table != "clips":
            assert gallery.holds(source(7).content) == ["person 7"]


def test_names_that_are_gone_from_table_and_index_get_others(path: Path) -> None:
    for table in ("people", "sqlite_autoindex_people_1"):
        spoil(path, page_of(path, table))
    assert sorted(mended(path)) == sorted(f"recovered-{n}" for n in range(1, PEOPLE + 1))


def test_clips_that_are_gone_do_not_take_their_templates(path: Path) -> None:
    for table in ("clips", "sqlite_autoindex_clips_1"):
        spoil(path, page_of(path, table))
    assert len(mended(path)) == PEOPLE


@pytest.mark.parametrize("index", ["templates_by_person", "templates_by_clip", "sqlite_autoindex_people_1"])
def test_an_index_that_is_gone_costs_nothing(path: Path, index: str) -> None:
    spoil(path, page_of(path, index))
    assert check(path).problems
    assert repair(path).lost == ()
    assert len(held(path)) == PEOPLE


def test_a_page_of_templates_costs_those_on_it_alone_and_they_are_named(path: Path) -> None:
    data = path.read_bytes()
    page = data.index(template(20).embedding.astype("<f4").tobytes()) // PAGE + 1
    spoil(path, page)
    found = repair(path)
    assert 1 <= PEOPLE - found.templates <= 4
    assert any("templates" in line and "20" in line for line in found.lost), found.lost
    assert "person 20" not in held(path)
    with open_gallery(path) as gallery:
        gallery.add("person 20", [template(20)], source(20))  # its clip is not held any more
        assert gallery.check() == []


CHANGES: dict[str, tuple[str, str]] = {
    "not finite": (
        "UPDATE templates SET embedding = CAST(zeroblob(60) || x'ffffffff' AS BLOB) WHERE id = 5",
        "template 5",
    ),
    "not unit": (
        "UPDATE templates SET embedding = zeroblob(64) WHERE id = 5",
        "template 5: an embedding is not of unit",
    ),
    "size": ("UPDATE templates SET joints = zeroblob(9) WHERE id = 5", "template 5: joints: not"),
    "date": ("UPDATE templates SET added = 'today' WHERE id = 5", "template 5: a date"),
    "span": ("UPDATE templates SET starts = 9e9 WHERE id = 5", "template 5: a start"),
    "name": ("UPDATE people SET name = 'a' || char(10) WHERE id = 5", "person 5: a name"),
    "content": ("UPDATE clips SET content = 'x' WHERE id = 5", "clip 5: a clip's content"),
    "file": ("UPDATE clips SET file = '/etc/passwd' WHERE id = 5", "clip 5: a clip's file name"),
    "nobody's": ("UPDATE templates SET person = 99 WHERE id = 5", "rows that belong to nothing"),
    "orphan": ("DELETE FROM templates WHERE id = 5", "person 5: no template is left"),
    "no encoder": ("DELETE FROM gallery", "which encoder"),
    "no way": ("DELETE FROM skeletons", "how its skeletons were made"),
    "thresholds": ("UPDATE calibration SET thresholds = '{'", "its thresholds"),
    "numbers": ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'templates'", "the numbers of templates"),
    "text": ("UPDATE people SET name = CAST(x'ff0aff' AS TEXT) WHERE id = 5", "UTF-8"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_wrong_value_is_told_and_mended(path: Path, what: str) -> None:
    change, problem = CHANGES[what]
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert any(problem in line for line in check(path).problems), check(path).problems
    found = repair(path)
    assert check(path).problems == ()
    assert found.templates >= PEOPLE - 1


@pytest.mark.parametrize("seed", range(30))
def test_whatever_bytes_are_changed_it_is_mended_or_left_as_it_is(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    for place in rng.integers(100 if seed % 3 else 0, len(data), rng.integers(1, 200)):
        data[place] ^= 1 << rng.integers(8)
    if seed % 5 == 0:
        del data[rng.integers(len(data) // 2, len(data)) :]
    path.write_bytes(data)
    try:
        if not check(path).problems:
            return
        found = repair(path)
    except GalleryError:
        assert path.read_bytes()[100:].startswith(data[100:])  # SQLite may fill up the last page
    else:
        assert check(path).problems == ()
        assert found.templates >= 1
        assert Path(found.backup).read_bytes() == data


def test_what_was_only_in_the_log_is_in_the_backup_and_in_the_mended_file(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("late", [template(77)], source(77))
        for suffix in ("", "-wal"):  # as a process that was killed leaves them
            shutil.copy(f"{path}{suffix}", f"{path}.left{suffix}")
    left = path.with_name("gallery.db.left")
    spoil(left, page_of(path, "calibration"))
    log = left.with_name("gallery.db.left-wal").read_bytes()
    found = repair(left)
    assert Path(f"{found.backup}-wal").read_bytes() == log
    assert "late" in held(left)
    assert not left.with_name("gallery.db.left-wal").exists()


def test_a_gallery_that_another_has_open_is_not_put_in_another_place(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.people()
        code = "import sys; from pathlib import Path; from pipeline.renewing import repair; repair(Path(sys.argv[1]))"
        process = start("import pipeline.connecting as c; c.PATIENCE = 0.1\n" + code, path)
        process.communicate()
        assert process.returncode != 0
        gallery.add("late", [template(77)], source(77))
    assert "late" in held(path)


def test_nothing_is_replaced_where_nothing_can_be_saved(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE templates SET joints = x'00'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(GalleryError, match=r"as it was: copy a backup over it \(there is none\)"):
        repair(path)
    assert path.read_bytes()[100:] == before[100:]  # the header says whether there is a log beside it
    path.write_bytes(b"SQLite format 3\0" + bytes(9000))
    with pytest.raises(GalleryError, match="take a backup or an export"):
        repair(path)


@pytest.mark.parametrize("at", ["put_aside", "salvage", "_to_disk"])
def test_a_repair_that_fails_leaves_the_gallery(path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    spoil(path, page_of(path, "calibration"))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    where = f"pipeline.backups.{at}" if at == "put_aside" else f"pipeline.renewing.{at}"
    if at == "_to_disk":
        where = "pathlib.Path.replace"
    monkeypatch.setattr(where, full)
    with pytest.raises(GalleryError, match="no space left on device"):
        repair(path)
    assert path.read_bytes()[100:] == before[100:]
    monkeypatch.undo()
    assert len(mended(path)) == PEOPLE


def test_numbers_are_not_used_again_after_a_repair(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.forget(f"person {PEOPLE}")
    spoil(path, page_of(path, "calibration"))
    repair(path)
    with open_gallery(path) as gallery:
        gallery.add("new", [template(99)], source(99))
        assert gallery.show("new").templates[0].id == PEOPLE + 1


def test_the_newest_of_each_kind_of_backup_are_kept(path: Path) -> None:
    for _ in range(5):
        spoil(path, page_of(path, "calibration"))
        repair(path)
    assert [file.name.endswith(".damaged.bak") for file in backups_of(path)] == [True] * 3


COMER = """
import sys
from gallery_people import *
print("coming", flush=True)
with open_gallery(sys.argv[1]) as gallery:
    gallery.add("late", [template(77)], source(77))
"""


def test_who_comes_while_it_is_mended_gets_the_mended_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(path, page_of(path, "calibration"))
    comers = []

    def slowly(*arguments: object) -> list[str]:
        process = start(COMER, path)
        assert process.stdout is not None
        assert process.stdout.readline() == "coming\n"
        time.sleep(0.5)  # so that it waits for the old file
        comers.append(process)
        return salvage(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.renewing.salvage", slowly)
    assert repair(path).templates == PEOPLE
    (process,) = comers
    process.communicate()
    assert process.returncode == 0
    assert "late" in held(path)
    assert check(path).problems == ()
