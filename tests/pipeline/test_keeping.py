"""A gallery's own thresholds: kept, dropped, not believed when damaged; and galleries older than they are."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from gallery_people import ENCODER, FakeEmbedder, open_gallery, source, template

from pipeline.backups import backups_of
from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.gallery import Gallery
from pipeline.schema import VERSION
from pipeline.thresholds import Thresholds

OWN = Thresholds((0.1, 0.01), (1, 2), ((0.2, 0.4), (0.3, 0.5)), ((0.1, 0.3),), people=9, pairs=600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_gallery(tmp_path / "gallery.db") as gallery:
        gallery.add("Anna", [template(1), template(2)], source(1))
    return tmp_path / "gallery.db"


@pytest.fixture
def old(path: Path) -> Path:
    """The same gallery as the first version of the program left it."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE skeletons")
        connection.execute("DROP TABLE audit")
        connection.execute("DROP TABLE calibration")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    return path


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        ((found,),) = connection.execute("PRAGMA user_version")
    return int(found)


def test_thresholds_are_kept_replaced_and_dropped(path: Path) -> None:
    with open_gallery(path) as gallery, open_gallery(path) as other:
        assert gallery.thresholds is None
        assert gallery.stats().calibrated == 0
        gallery.calibrate(Thresholds.single(0.3))
        gallery.calibrate(OWN)
        assert other.thresholds == OWN
        assert other.stats().calibrated == 9
    with Gallery.open(path) as unaware:
        assert unaware.thresholds == OWN
        assert unaware.uncalibrate() is True
        assert unaware.uncalibrate() is False
        assert unaware.thresholds is None
        with pytest.raises(ValueError, match="fingerprint"):
            unaware.calibrate(OWN)


def test_they_belong_to_the_encoder(path: Path) -> None:
    other = FakeEmbedder(1, dim=8)
    with open_gallery(path) as gallery, open_gallery(path) as late:
        gallery.calibrate(OWN)
        gallery.reindex(ENCODER)
        assert gallery.thresholds == OWN
        gallery.reindex(other)
        assert gallery.thresholds is None
        with pytest.raises(WrongEncoderError):
            late.calibrate(OWN)
        assert gallery.thresholds is None


def test_an_old_gallery_is_read_as_it_is(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    with open_gallery(old) as gallery:
        assert gallery.search(template(2).embedding[None], top=1)[0][0].name == "Anna"
        assert (gallery.thresholds, gallery.stats().format, gallery.stats().calibrated) == (None, 1, 0)
        assert gallery.uncalibrate() is False
        assert gallery.check() == []
    with Gallery.open(old, log=False) as gallery:
        gallery.export(tmp_path / "old.reid")
    assert old.read_bytes() == before
    with Gallery.open_for_import(tmp_path / "new.db", tmp_path / "old.reid") as gallery:
        assert gallery.import_(tmp_path / "old.reid").people == ("Anna",)
        assert gallery.stats().format == VERSION


def test_an_old_gallery_is_brought_forward_by_the_first_change_with_a_backup_beside_it(old: Path) -> None:
    with open_gallery(old) as gallery, open_gallery(old) as reader:
        assert reader.search(template(1).embedding[None], top=1)[0][0].name == "Anna"
        assert (version(old), gallery.log()) == (1, [])
        gallery.add("Ben", [template(3)], source(2))
        assert version(old) == VERSION
        gallery.calibrate(OWN)
        assert reader.thresholds == OWN  # which opened the old file
    (backup,) = backups_of(old)
    assert (version(backup), stat.S_IMODE(backup.stat().st_mode)) == (1, 0o600)
    with open_gallery(backup) as gallery:
        assert [person.name for person in gallery.people()] == ["Anna"]
    with open_gallery(old) as gallery:
        assert [(person.name, person.templates) for person in gallery.people()] == [("Anna", 2), ("Ben", 1)]
        assert (gallery.thresholds, gallery.stats().format, gallery.check()) == (OWN, VERSION, [])


def test_a_calibration_that_fails_leaves_the_old_gallery(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gallery(old) as gallery:
        monkeypatch.setattr("pipeline.keeping.json.dumps", lambda _: None)
        with pytest.raises(GalleryError):
            gallery.calibrate(OWN)
    assert version(old) == 1
    with open_gallery(old) as gallery:
        assert len(gallery.people()) == 1


def test_an_old_gallery_with_a_new_table_is_none(old: Path) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE calibration (id INTEGER PRIMARY KEY, thresholds TEXT NOT NULL)")
    with pytest.raises(GalleryError, match="tables that a gallery does not have"):
        open_gallery(old)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", json.dumps(OWN.json() | {"rates": [9, 0.01]})])
def test_damaged_thresholds_are_found_and_never_used(path: Path, text: str) -> None:
    with open_gallery(path) as gallery:
        gallery.calibrate(OWN)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE calibration SET thresholds = ?", (text,))
    with open_gallery(path) as gallery:
        with pytest.raises(GalleryError, match=r"damaged \(its thresholds\)"):
            _ = gallery.thresholds
        assert len(gallery.check()) == 1
        gallery.calibrate(OWN)
        assert gallery.check() == []


def test_an_export_takes_them_along_and_an_import_does_not(path: Path, tmp_path: Path) -> None:
    with open_gallery(path) as gallery:
        gallery.calibrate(OWN)
        gallery.export(tmp_path / "out.reid")
    with open_gallery(tmp_path / "out.reid") as copy:
        assert copy.thresholds == OWN
    with Gallery.open_for_import(tmp_path / "mine.db", tmp_path / "out.reid") as mine:
        assert mine.import_(tmp_path / "out.reid").people == ("Anna",)
        assert mine.thresholds is None
