"""The gallery's file: what is not one, what may not be written, who is killed half-way, who comes at the same time."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gallery_people import FakeEmbedder, open_gallery, source, template

from pipeline.database import Database, Row
from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.schema import VERSION

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run Python that can import the project and the people of these tests."""
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def refusal(path: Path, create: bool = True) -> str:
    """The one line with which opening is refused, by a search and by the management commands."""
    lines = set()
    for fingerprint in ("f" * 64, None):
        with pytest.raises(GalleryError) as caught:
            Gallery.open(path, fingerprint=fingerprint, encoder_name="x", dim=4, create=create)
        lines.add(str(caught.value))
    assert not any("\n" in line for line in lines)
    assert all(str(path) in line for line in lines)
    return lines.pop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_gallery(tmp_path / "gallery.db") as gallery:
        gallery.add("Anna", [template(1), template(2)], source(1))
    return tmp_path / "gallery.db"


def test_a_missing_gallery_is_made_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "none" / "gallery.db"
    assert "enrol somebody first" in refusal(path, create=False)
    assert not path.parent.exists()
    (tmp_path / "empty.db").touch()
    assert "empty" in refusal(tmp_path / "empty.db", create=False)
    with open_gallery(tmp_path / "empty.db") as gallery:  # as a process killed at the very start leaves it
        assert gallery.people() == []


def test_what_is_no_gallery_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("not a database at all\n" * 10)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    before = (text.read_bytes(), other.read_bytes())
    assert "is not a gallery" in refusal(text)
    assert "another program" in refusal(other)
    assert (text.read_bytes(), other.read_bytes()) == before
    assert "is a directory" in refusal(tmp_path)
    assert "is not a file" in refusal(Path("/dev/null"))
    with pytest.raises(GalleryError, match="a file is where its directory should be"):
        open_gallery(text / "gallery.db")


def test_another_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert f"has format {VERSION + 1}, this reid reads formats 1 to {VERSION}:" in refusal(path)


@pytest.mark.parametrize(
    "change", ["CREATE TABLE more (a)", "DROP INDEX templates_by_clip", "CREATE VIEW v AS SELECT 1"]
)
def test_other_tables_than_ours_are_refused(path: Path, change: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    assert "tables that a gallery does not have" in refusal(path)


def test_a_damaged_file_is_refused_in_one_line(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    assert "damaged" in refusal(path)
    noise = bytes(range(256)) * (len(whole) // 256)
    path.write_bytes(whole[:100] + noise[100:])
    assert "damaged" in refusal(path)


def test_a_damaged_row_is_found_and_never_searched(path: Path) -> None:
    embedding = template(1).embedding.tobytes()
    path.write_bytes(path.read_bytes().replace(embedding, b"\xff" * len(embedding)))
    with open_gallery(path) as gallery:
        assert gallery.check() == ["template 1: embedding: not finite"]
        with pytest.raises(GalleryError, match="damaged"):
            gallery.search(template(1).embedding[None], top=1)
        with pytest.raises(GalleryError, match="damaged"):
            gallery.reindex(FakeEmbedder(1))
        assert gallery.forget("Anna").templates == 2


def test_a_damaged_row_that_goes_leaves_a_gallery_that_is_searched_whole(path: Path) -> None:
    with open_gallery(path) as gallery, open_gallery(path) as other:
        before = gallery.search(template(1).embedding[None], top=5)
        assert [found.templates for found in before[0]] == [2]
        other.add("Ben", [template(9)], source(9))
        bad = b"\xff" * len(template(9).embedding.tobytes())
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE templates SET embedding = ? WHERE id = (SELECT max(id) FROM templates)", (bad,))
        with pytest.raises(GalleryError, match="damaged"):
            gallery.search(template(1).embedding[None], top=5)
        other.forget("Ben")
        assert gallery.search(template(1).embedding[None], top=5) == before


def test_a_gallery_that_does_not_say_its_encoder_is_damaged(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM gallery")
    assert "damaged" in refusal(path)


def test_text_that_is_not_utf8_is_damage(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE people SET name = CAST(x'ff0aff' AS TEXT)")
    with Gallery.open(path) as gallery, pytest.raises(GalleryError, match="UTF-8"):
        gallery.people()


HALF = """
import sys, time
from gallery_people import *
with open_gallery(sys.argv[1]) as gallery:
    connection = gallery._database._connection
    connection.execute("PRAGMA cache_size = 1")  # so that half of the transaction reaches the log
    inserts = 0
    def watch(statement):
        global inserts
        inserts += statement.startswith("INSERT INTO templates")
        if inserts == 40:
            print("half", flush=True)
            time.sleep(60)
    connection.set_trace_callback(watch)
    gallery.add_clip([("Ben", [template(n) for n in range(100)], source(2))])
"""


def test_a_process_killed_half_way_through_an_enrolment_leaves_nothing_of_it(path: Path) -> None:
    process = start(HALF, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    assert path.with_name("gallery.db-wal").stat().st_size > 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.communicate()
    with open_gallery(path) as gallery:
        assert [(person.name, person.templates) for person in gallery.people()] == [("Anna", 2)]
        assert gallery.check() == []
        assert gallery.holds(source(2).content) == []
        gallery.add("Ben", [template(3)], source(2))
        assert gallery.search(template(3).embedding[None], top=1)[0][0].name == "Ben"


MANY = """
import sys
from gallery_people import *
sys.stdin.readline()
own = int(sys.argv[2])
for number in range(10):
    with open_gallery(sys.argv[1]) as gallery:
        gallery.add(f"person {number}", [template(own + number)], source(own + number))
"""


def test_processes_that_make_and_fill_one_gallery_at_once_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gallery.db"
    processes = [start(MANY, path, 1000 * k) for k in (1, 2, 3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    with open_gallery(path) as gallery:
        assert [(person.templates, person.clips) for person in gallery.people()] == [(3, 3)] * 10
        assert gallery.check() == []


def test_a_writer_that_does_not_end_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.connecting.PATIENCE", 0.05)
    with open_gallery(path) as one, open_gallery(path) as other, one._database.transaction():
        with pytest.raises(GalleryError, match="in use by another process"):
            other.add("Ben", [template(3)], source(2))
        assert [person.name for person in other.people()] == ["Anna"]  # reading goes on


@pytest.fixture
def sealed() -> Iterator[Path]:
    """A folder with a gallery, neither of which the user may write; root, who may write everything, is nobody here."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_gallery(folder / "gallery.db") as gallery:
            gallery.add("Anna", [template(1)], source(1))
        (folder / "gallery.db").chmod(0o444)
        folder.chmod(0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(before)
            folder.chmod(0o755)


def test_a_gallery_that_may_not_be_written_can_be_searched(sealed: Path) -> None:
    with open_gallery(sealed / "gallery.db", create=False) as gallery, tempfile.TemporaryDirectory() as out:
        assert not gallery.writable
        assert gallery.search(template(1).embedding[None], top=1)[0][0].name == "Anna"
        assert gallery.check() == []
        with pytest.raises(GalleryError, match="is read-only here: nothing was changed"):
            gallery.add("Ben", [template(3)], source(2))
        with pytest.raises(GalleryError, match="is read-only here: nothing was changed"):
            gallery.forget("Anna")
        gallery.export(Path(out) / "copy.db")
        with open_gallery(Path(out) / "copy.db") as copy:
            assert [person.name for person in copy.people()] == ["Anna"]
    assert [file.name for file in sealed.iterdir()] == ["gallery.db"]


def test_a_directory_that_may_not_be_written_gets_no_gallery(sealed: Path) -> None:
    for path in (sealed / "new.db", sealed / "sub" / "new.db"):
        with pytest.raises(GalleryError, match=r"permission denied; name another with --gallery"):
            open_gallery(path)


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_gallery(tmp_path / "gallery.db") as gallery:
            gallery.add("Anna", [template(1)], source(1))
            modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_an_empty_file_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    path.touch()
    path.chmod(0o644)
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}


def test_odd_file_names_are_only_names(tmp_path: Path) -> None:
    for name in ("a?mode=memory.db", "b#c%41.db", "file:d.db", "é \udcff.db"):
        with open_gallery(tmp_path / name) as gallery:
            gallery.add("Anna", [template(1)], source(1))
            gallery.export(tmp_path / f"{name}.out")
        assert (tmp_path / name).exists()
        assert (tmp_path / f"{name}.out").exists()
    assert len(list(tmp_path.iterdir())) == 8


def test_an_open_statement_is_not_left_behind(path: Path) -> None:
    database = Database.open(path, None)
    with database.transaction(), pytest.raises(GalleryError):
        database.change("INSERT INTO nowhere VALUES (1)")
    with database.transaction():
        pass
    database.close()


def state(gallery: Gallery) -> list[Row]:
    with gallery._database.snapshot():
        return gallery._database.state()


CHANGES: dict[str, Callable[[Gallery], object]] = {
    "more of somebody": lambda gallery: gallery.add("Anna", [template(3)], source(3)),
    "the same again": lambda gallery: gallery.add("Anna", [template(4)], source(1), again=True),
    "rename": lambda gallery: gallery.rename("Anna", "Hanna"),
    "merge": lambda gallery: gallery.merge("Ben", "Anna"),
    "forget": lambda gallery: gallery.forget("Ben"),
    "reindex": lambda gallery: gallery.reindex(FakeEmbedder(0)),
}


@pytest.mark.parametrize("before", ["", "DELETE FROM sqlite_sequence WHERE name = 'gallery'",
                                    "UPDATE sqlite_sequence SET seq = 'odd' WHERE name = 'gallery'"])  # fmt: skip
@pytest.mark.parametrize("change", CHANGES)
def test_its_state_is_another_after_every_change(path: Path, change: str, before: str) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Ben", [template(9)], source(9))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(before)
    with open_gallery(path) as gallery, open_gallery(path) as other:
        old = state(gallery)
        other.record("searched", ["Anna"])
        assert state(gallery) == old
        CHANGES[change](other)
        assert state(gallery) == state(other) != old
        assert gallery.check() == []


def test_its_state_outlives_being_rewritten(path: Path) -> None:
    with open_gallery(path) as gallery:
        before = state(gallery)
        assert len(before) == 1
        assert gallery._database.compact()
        assert state(gallery) == before
