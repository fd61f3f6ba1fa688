"""A disk that is full: one clear line, nothing of what was there is lost, and it goes on when there is room again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery_people import FakeEmbedder, open_gallery, source, template
from test_database import start

from pipeline.backups import backups_of
from pipeline.checking import check
from pipeline.connecting import sqlite_errors
from pipeline.database import Database
from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.renewing import repair

LIMITED = """
import resource, sys
from gallery_people import *
from pipeline.errors import GalleryError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    with open_gallery(sys.argv[1]) as gallery:
        for number in range(1000):
            gallery.add(f"person {number}", [template(number)], source(number))
            print(number, flush=True)
except GalleryError as error:
    print(error)
"""


@pytest.mark.parametrize("kib", [3, 20, 70, 200, 333])
def test_writes_that_fail_lose_nothing_that_was_reported(tmp_path: Path, kib: int) -> None:
    path = tmp_path / "gallery.db"
    process = start(LIMITED, path, kib << 10)
    said, _ = process.communicate()
    *done, line = said.splitlines()
    assert process.returncode == 0
    assert line.startswith("the gallery "), line
    assert "nothing was changed; is its disk full" in line
    with open_gallery(path) as gallery:
        assert gallery.check() == []
        assert {f"person {number}" for number in done} == {person.name for person in gallery.people()}
        gallery.add("late", [template(7777)], source(7777))


LIMITED_EXPORT = """
import resource, sys
from gallery_people import *
from pipeline.errors import GalleryError
with open_gallery(sys.argv[1]) as gallery:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 10,) * 2)
    try:
        gallery.export(sys.argv[2])
    except GalleryError as error:
        print(error)
"""


@pytest.mark.parametrize("name", ["out.reid", "out.npz"])
def test_an_export_that_finds_no_room_names_its_own_file(tmp_path: Path, name: str) -> None:
    path, out = tmp_path / "gallery.db", tmp_path / name
    with open_gallery(path) as gallery:
        fill(gallery, range(20))
    said, _ = start(LIMITED_EXPORT, path, out).communicate()
    assert said.startswith(f"cannot export to {out}: ")
    assert [file.name for file in tmp_path.iterdir()] == ["gallery.db"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB; only where the tests may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if os.geteuid() or mounted.returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(gallery: Gallery, numbers: range) -> None:
    for number in numbers:
        gallery.add(f"person {number}", [template(number)], source(number))


def test_a_full_file_system(small: Path) -> None:
    path = small / "gallery.db"
    with open_gallery(path) as gallery:
        fill(gallery, range(30))
    filler = small / "filler"
    room = os.statvfs(small)
    filler.write_bytes(bytes((room.f_bavail - 20) * room.f_frsize))
    with open_gallery(path) as gallery:
        with pytest.raises(GalleryError, match=r"no room left|disk full"):
            fill(gallery, range(30, 200))
        people = gallery.people()
        assert len(people) >= 30
        with pytest.raises(GalleryError, match=r"no room left|disk full|no space left"):
            gallery.reindex(FakeEmbedder(1))
        assert (gallery.people(), gallery.check(), backups_of(path)) == (people, [], [])
        assert gallery.encoder.name == "fake-0"
    data = path.read_bytes()
    embedding = template(1).embedding.tobytes()
    with path.open("r+b") as file:
        file.seek(data.index(embedding))
        file.write(b"\xff" * len(embedding))
    with pytest.raises(GalleryError, match=r"no room left|disk full|no space left"):
        repair(path)
    assert len(check(path).problems) == 1
    with (
        Gallery.open(path) as gallery,
        pytest.raises(GalleryError, match=r"cannot export to .*out\.reid: there is no room"),
    ):
        gallery.export(small / "out.reid")
    assert {file.name for file in small.iterdir()} <= {"filler", "gallery.db", "gallery.db-wal", "gallery.db-shm"}
    filler.unlink()
    assert repair(path).templates == len(people) - 1
    with Gallery.open(path) as gallery:
        gallery.forget("person 2")
        assert gallery.check() == []


def test_forgetting_where_there_is_no_room_to_write_the_file_anew(small: Path) -> None:
    path = small / "gallery.db"
    with open_gallery(path) as gallery:
        fill(gallery, range(60))
    filler = small / "filler"
    room = os.statvfs(small)
    filler.write_bytes(bytes((room.f_bavail - 80) * room.f_frsize))
    with open_gallery(path) as gallery, pytest.raises(GalleryError, match=r"^done, but there is no room, on the disk"):
        gallery.forget("person 7")
    with Gallery.open(path) as gallery:  # it can be used all the same
        assert len(gallery.people()) == 59
        assert list(gallery._database.rows("SELECT erasing FROM gallery")) == [(1,)]
    filler.unlink()
    with Gallery.open(path) as gallery:
        assert list(gallery._database.rows("SELECT erasing FROM gallery")) == [(0,)]
    embedding = template(7).embedding.tobytes()
    assert not any(embedding in file.read_bytes() for file in small.glob("gallery.db*"))


def test_forgetting_where_memory_does_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gallery.db"
    with open_gallery(path) as gallery:
        fill(gallery, range(3))

        def compact(database: Database, patience: float) -> bool:
            with sqlite_errors(path, None):
                raise MemoryError

        monkeypatch.setattr(Database, "compact", compact)
        with pytest.raises(GalleryError, match=r"^done, but there is no room, on the disk or in memory"):
            gallery.forget("person 1")
    with Gallery.open(path) as gallery:
        assert len(gallery.people()) == 2
    monkeypatch.undo()
    with Gallery.open(path):
        assert template(1).embedding.tobytes() not in path.read_bytes()
