"""A gallery knows how its skeletons were made, and is given to no encoder whose skeletons are made in another way."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from gallery_people import ENCODER, FakeEmbedder, open_gallery, source, template

from pipeline import normalize
from pipeline.backups import backups_of
from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.gallery import Gallery
from pipeline.lift import Lift
from pipeline.normalize import made_with
from pipeline.renewing import encrypt, repair
from pipeline.schema import UNTOLD
from smsge import canonical

LIFT = Lift(((np.zeros((42, 42), np.float32), np.zeros(42, np.float32)),))
LIFTED, ALSO_LIFTED = FakeEmbedder(1, lift=LIFT), FakeEmbedder(2, lift=LIFT)


def filled(path: Path, encoder: FakeEmbedder = LIFTED) -> Path:
    with open_gallery(path, encoder) as gallery:
        gallery.add("Anna", [template(1, encoder), template(2, encoder)], source(1))
        gallery.add("Ben", [template(3, encoder)], source(2))
    return path


def made(path: Path) -> str:
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        return gallery.stats().encoder.skeletons


def without_the_table(path: Path) -> Path:
    """The gallery as a program of before left it."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE skeletons")
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    return path


def test_how_skeletons_are_made_is_told_by_the_versions_and_the_lift(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {made_with(Lift()), made_with(LIFT)}
    monkeypatch.setattr(normalize, "VERSION", normalize.VERSION + 1)
    told |= {made_with(Lift()), made_with(LIFT)}
    monkeypatch.setattr(canonical, "VERSION", canonical.VERSION + 1)
    told |= {made_with(Lift()), made_with(LIFT)}
    assert len(told) == 6
    assert UNTOLD not in told


def test_it_is_kept_on_every_way_that_a_gallery_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    assert made(path) == made_with(LIFT) != made_with(Lift())
    with Gallery.open(path) as gallery:
        for name in ("out.reid", "out.npz"):
            gallery.export(tmp_path / name)
        gallery.reindex(ALSO_LIFTED)
    assert made(path) == made(backups_of(path)[0]) == made(tmp_path / "out.reid") == made_with(LIFT)
    for name in ("out.reid", "out.npz"):
        with Gallery.open_for_import(tmp_path / f"of-{name}.db", tmp_path / name) as gallery:
            assert gallery.import_(tmp_path / name).templates == 3
        assert made(tmp_path / f"of-{name}.db") == made_with(LIFT)
    repair(path)
    assert made(path) == made_with(LIFT)
    monkeypatch.setenv("REID_GALLERY_KEY", "5e" * 32)
    encrypt(path)
    assert made(path) == made_with(LIFT)


@pytest.mark.parametrize("old", [False, True])
def test_an_encoder_whose_skeletons_are_made_in_another_way_changes_nothing(tmp_path: Path, old: bool) -> None:
    path = filled(tmp_path / "gallery.db", ENCODER)
    other = LIFTED
    if old:
        without_the_table(path)
        other = FakeEmbedder(1)  # today's skeletons without a lift are not those of before either
    before = path.read_bytes()
    with Gallery.open(path) as gallery, pytest.raises(WrongEncoderError) as caught:
        gallery.reindex(other)
    line = str(caught.value)
    assert all(what in line for what in (str(path), "made in another way", "enrol the clips again", "fake-0", "fake-1"))
    assert (path.read_bytes(), backups_of(path)) == (before, [])
    with open_gallery(path) as gallery:
        assert gallery.search(template(3).embedding[None], top=1)[0][0].name == "Ben"


def test_reindexing_is_advised_only_where_it_would_work(tmp_path: Path) -> None:
    path = filled(tmp_path / "gallery.db")
    with pytest.raises(WrongEncoderError, match="reid gallery reindex"):
        open_gallery(path, ALSO_LIFTED)
    with pytest.raises(WrongEncoderError, match="another way: enrol the clips again") as caught:
        open_gallery(path, ENCODER)
    assert "gallery reindex" not in str(caught.value)
    with Gallery.open(path) as gallery:
        assert gallery.reindex(ALSO_LIFTED) == 3
    assert open_gallery(path, ALSO_LIFTED).stats().templates == 3


def test_a_gallery_of_before_is_said_to_be_one_and_stays_one(tmp_path: Path) -> None:
    path = without_the_table(filled(tmp_path / "gallery.db", ENCODER))
    assert made(path) == UNTOLD
    with open_gallery(path) as gallery:
        gallery.add("Cem", [template(4)], source(4))
        assert gallery.stats().format == 4
    assert made(path) == UNTOLD
    repair(path)
    assert made(path) == UNTOLD
    repair(without_the_table(path))
    assert made(path) == UNTOLD


@pytest.mark.parametrize("form", ["reid", "npz"])
def test_skeletons_made_in_another_way_are_not_imported(tmp_path: Path, form: str) -> None:
    """Of one encoder, by two versions of the program."""
    theirs, mine = filled(tmp_path / "theirs.db", ENCODER), tmp_path / "mine.db"
    with Gallery.open(without_the_table(theirs), log=False) as gallery:
        gallery.export(tmp_path / f"out.{form}")
    with open_gallery(mine) as gallery:
        with pytest.raises(WrongEncoderError, match=r"made in another way.*nothing was imported; enrol") as caught:
            gallery.import_(tmp_path / f"out.{form}")
        assert "gallery reindex" not in str(caught.value)
        assert gallery.people() == []
    with Gallery.open_for_import(tmp_path / "new.db", tmp_path / f"out.{form}") as gallery:
        assert gallery.import_(tmp_path / f"out.{form}").templates == 3
    assert made(tmp_path / "new.db") == UNTOLD


def test_arrays_that_do_not_say_hold_skeletons_of_before(tmp_path: Path) -> None:
    with Gallery.open(filled(tmp_path / "gallery.db")) as gallery:
        gallery.export(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        arrays = dict(file)
    told = json.loads(str(arrays["meta"]))
    for name, skeletons, expected in (("none", None, UNTOLD), ("text", "3.1", "3.1")):
        told.pop("skeletons", None)
        if skeletons is not None:
            told["skeletons"] = skeletons
        np.savez(tmp_path / f"{name}.npz", **(arrays | {"meta": np.array(json.dumps(told))}))
        with Gallery.open_for_import(tmp_path / f"{name}.db", tmp_path / f"{name}.npz") as gallery:
            assert gallery.encoder.skeletons == expected
    for bad in (7, "a\x1b[2J", "x" * 1000):
        told["skeletons"] = bad
        np.savez(tmp_path / "bad.npz", **(arrays | {"meta": np.array(json.dumps(told))}))
        with (
            pytest.raises(GalleryError, match="not a sound export"),
            Gallery.open_for_import(tmp_path / "bad.db", tmp_path / "bad.npz"),
        ):
            pass


def test_where_it_is_lost_the_gallery_goes_on_with_its_encoder_and_with_no_other(tmp_path: Path) -> None:
    path = filled(tmp_path / "gallery.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM skeletons")
    connection.close()
    with pytest.raises(GalleryError, match="how its skeletons were made"):
        open_gallery(path, LIFTED)
    assert repair(path).lost == ("how its skeletons were made, so that it cannot be moved to another encoder",)
    with Gallery.open(path) as gallery, pytest.raises(WrongEncoderError, match="made in another way"):
        gallery.reindex(ALSO_LIFTED)
    with open_gallery(path, LIFTED) as gallery:
        assert gallery.search(template(3, LIFTED).embedding[None], top=1)[0][0].name == "Ben"
    assert repair(path).lost == ()  # it is told once, and no damage from then on
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM skeletons")
        connection.execute("DELETE FROM gallery")
    connection.close()
    assert not any("gallery reindex" in line for line in repair(path).lost)
