"""The audit log: what was done, to whom, from which file; without biometrics, without names of the forgotten."""

import sqlite3
from pathlib import Path

import pytest
from gallery_people import ENCODER, FakeEmbedder, open_gallery, source, template
from scripted import NARROW, WIDE, ShoulderEncoder, clip, gallery_at

from pipeline.enroll import enroll
from pipeline.gallery import Gallery
from pipeline.opening import open_gallery as open_in_use
from pipeline.search import search
from pipeline.settings import GallerySettings, Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.db"


def told(gallery: Gallery) -> list[tuple[str, str | None, str | None]]:
    return [(entry.event, entry.name, entry.file) for entry in gallery.log()]


def test_everything_that_is_done_is_entered(path: Path, tmp_path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1), template(2)], source(1))
        gallery.add_clip([("Ben", [template(3)], source(2, 1)), ("Cem", [template(4)], source(2, 2))])
        gallery.rename("Cem", "Cemile")
        gallery.merge("Ben", into="Anna")
        gallery.export(tmp_path / "deep.reid")
        gallery.reindex(FakeEmbedder(1))
        gallery.reindex(ENCODER)
        gallery.forget("Cemile")
        gallery.import_(tmp_path / "deep.reid")
        assert told(gallery) == [
            ("enrolled", "Anna", "clip1.mp4"),
            ("enrolled", "Anna", "clip2.mp4"),  # as Ben, who is Anna now
            ("enrolled", None, None),
            ("renamed", None, None),
            ("merged", "Anna", None),
            ("exported", None, "deep.reid"),
            ("reindexed", None, None),
            ("reindexed", None, None),
            ("forgotten", None, None),
            ("imported", None, "deep.reid"),
        ]
        assert [entry.person for entry in gallery.log() if entry.event == "forgotten"] == [3]
        assert [entry.event for entry in gallery.log(last=2)] == ["forgotten", "imported"]
        assert gallery.check() == []


def test_a_search_enters_whom_it_found_and_the_clip(path: Path, tmp_path: Path) -> None:
    with gallery_at(path) as gallery:
        encoder = ShoulderEncoder()
        enroll(clip(tmp_path / "nan.npz", (NARROW, 0, 4)), gallery=gallery, embedder=encoder)
        for name, stick in (("hall", NARROW), ("street", WIDE)):
            search(clip(tmp_path / "sub" / f"{name}.npz", (stick, 0, 3)), gallery=gallery, embedder=encoder)
        assert told(gallery) == [
            ("enrolled", "nan", "nan.npz"),
            ("searched", "nan", "hall.npz"),
            ("searched", None, "street.npz"),
        ]


def test_what_fails_is_not_entered(path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        with pytest.raises(ValueError):
            gallery.add("Ben", [], source(2))
        assert told(gallery) == [("enrolled", "Anna", "clip1.mp4")]


def test_it_can_be_switched_off(path: Path, tmp_path: Path) -> None:
    settings = Settings(gallery=GallerySettings(log=False))
    encoder = ShoulderEncoder()
    with open_in_use(path, settings, embedder=encoder) as gallery:
        enroll(clip(tmp_path / "nan.npz", (NARROW, 0, 4)), gallery=gallery, embedder=encoder)
        search(clip(tmp_path / "hall.npz", (NARROW, 0, 3)), gallery=gallery, embedder=encoder)
        gallery.rename("nan", "nani")
        gallery.export(tmp_path / "out.reid")
        gallery.forget("nani")
        assert gallery.log() == []


def test_an_export_has_no_log_in_any_byte(path: Path, tmp_path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.add("Anna", [template(1)], source(1))
        gallery.record("searched", ["Anna"], "behind_the_house.mp4")
        assert b"behind_the_house" in path.with_name("gallery.db-wal").read_bytes()
        gallery.export(tmp_path / "out.reid")
    assert b"behind_the_house" not in (tmp_path / "out.reid").read_bytes()
    with Gallery.open(tmp_path / "out.reid") as exported:
        assert exported.log() == []


def test_forgetting_takes_the_files_that_tell_the_name_and_no_others(path: Path) -> None:
    with open_gallery(path) as gallery:
        for number, name in enumerate(("\u00c9mile", "Zo\u00e9", "4", "Ben"), start=1):
            gallery.add(name, [template(number)], source(number))
        for file in ("\u00e9mile-corridor.mp4", "Zoe\u0301.mp4", "4 and Ben.mp4", "zoetrope.mp4", "Ben.mp4"):
            gallery.record("searched", ["Ben"], file)
        for name in ("\u00c9mile", "Zo\u00e9", "4"):
            gallery.forget(name)
        assert told(gallery) == [
            *[("enrolled", None, None)] * 3,
            ("enrolled", "Ben", "clip4.mp4"),
            *[("searched", "Ben", None)] * 3,
            ("searched", "Ben", "zoetrope.mp4"),
            ("searched", "Ben", "Ben.mp4"),
            *[("forgotten", None, None)] * 3,
        ]


def test_its_entries_make_nobody_read_the_gallery_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was read again")

    with open_gallery(path) as gallery, open_gallery(path) as other:
        gallery.add("Anna", [template(1)], source(1))
        before = gallery.search(template(1).embedding[None], 1)
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.ranking.Owners.read", never)
            for who in (gallery, other):
                who.record("searched", ["Anna"], "hall.mp4")
                assert gallery.search(template(1).embedding[None], 1) == before
        other.rename("Anna", "Hanna")
        assert gallery.search(template(1).embedding[None], 1)[0][0].name == "Hanna"


def test_it_has_no_column_for_anything_else(path: Path) -> None:
    with open_gallery(path):
        pass
    with sqlite3.connect(path) as connection:
        columns = {row[1]: row[2] for row in connection.execute("PRAGMA table_info(audit)")}
    assert columns == {"id": "INTEGER", "at": "TEXT", "event": "TEXT", "person": "INTEGER", "file": "TEXT"}
