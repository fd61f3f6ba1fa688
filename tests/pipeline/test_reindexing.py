"""Skeletons are kept as seen, for every encoder; those of a gallery that were made in another way are given to none."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch
from gallery_people import ENCODER, FakeEmbedder, open_gallery, source, template
from stick_people import Stick, walk
from tiny_encoder import save_tiny

from pipeline.backups import backups_of
from pipeline.embed import TrackEmbedder
from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.gallery import Gallery
from pipeline.keeping import SEVERAL_WAYS
from pipeline.lift import Lift
from pipeline.normalize import AS_SEEN, as_seen
from pipeline.renewing import encrypt, repair
from pipeline.schema import UNTOLD, VERSION
from pipeline.settings import NormalizeSettings
from pipeline.templates import Template
from pipeline.thresholds import Thresholds
from smsge.checkpoint import load_checkpoint, save_checkpoint

OTHER, ANOTHER = FakeEmbedder(1), FakeEmbedder(2)
LIFTED = "3.1-0123456789ab"
"""How versions of before made skeletons: each with the lift of the encoder that it had."""


def filled(path: Path, encoder: FakeEmbedder = OTHER, skeletons: str = AS_SEEN) -> Path:
    with open_gallery(path, encoder, skeletons=skeletons) as gallery:
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


def lifting(path: Path, size: float) -> TrackEmbedder:
    """An encoder whose lift moves every joint somewhere, by about as many statures."""
    trained = load_checkpoint(save_tiny(path))
    offsets = size * np.random.default_rng(0).normal(size=42)
    lift = Lift(((np.zeros((42, 42)), offsets),))
    tensors = trained.tensors | {name: torch.from_numpy(values) for name, values in lift.tensors().items()}
    save_checkpoint(path, trained.model, tensors, trained.metadata)
    return TrackEmbedder(load_checkpoint(path), path.stem)


def test_an_encoder_with_another_lift_embeds_a_gallery_as_it_would_the_footage(tmp_path: Path) -> None:
    before, after = (lifting(tmp_path / f"{name}.safetensors", size) for name, size in (("old", 0.0), ("new", 0.1)))
    seen = [as_seen(walk(body, np.arange(0, 4, 0.04), 0.7), NormalizeSettings())
            for body in (Stick(shoulders=0.30), Stick(shoulders=0.46))]  # fmt: skip
    path = tmp_path / "gallery.db"
    with open_gallery(path, before) as gallery:
        for number, (name, one) in enumerate(zip(("Anna", "Ben"), seen, strict=True)):
            gallery.add(name, [Template(before.embed([one])[0], 0.75, one, before.fingerprint)], source(number))
    with Gallery.open(path) as gallery:
        gallery.reindex(after)
    with sqlite3.connect(path) as connection:
        kept = [np.frombuffer(row[0], "<f4") for row in connection.execute("SELECT embedding FROM templates")]
    connection.close()
    expected = after.embed(seen)
    np.testing.assert_allclose(kept, expected, atol=0.002)  # skeletons are kept in 16 bits
    assert np.abs(before.embed(seen) - expected).max() > 0.05


def test_it_is_kept_on_every_way_that_a_gallery_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    assert made(path) == AS_SEEN
    with Gallery.open(path) as gallery:
        for name in ("out.reid", "out.npz"):
            gallery.export(tmp_path / name)
        gallery.reindex(ANOTHER)
    assert made(path) == made(backups_of(path)[0]) == made(tmp_path / "out.reid") == AS_SEEN
    for name in ("out.reid", "out.npz"):
        with Gallery.open_for_import(tmp_path / f"of-{name}.db", tmp_path / name) as gallery:
            assert gallery.import_(tmp_path / name).templates == 3
        assert made(tmp_path / f"of-{name}.db") == AS_SEEN
    repair(path)
    assert made(path) == AS_SEEN
    monkeypatch.setenv("REID_GALLERY_KEY", "5e" * 32)
    encrypt(path)
    assert made(path) == AS_SEEN


@pytest.mark.parametrize("old", [False, True])
def test_skeletons_made_in_another_way_are_not_embedded_again(tmp_path: Path, old: bool) -> None:
    path = filled(tmp_path / "gallery.db", ENCODER, LIFTED)
    if old:
        without_the_table(path)
    before = path.read_bytes()
    with Gallery.open(path) as gallery, pytest.raises(WrongEncoderError) as caught:
        gallery.reindex(OTHER)
    line = str(caught.value)
    assert all(what in line for what in (str(path), "made in another way", "enrol the clips again", "fake-0", "fake-1"))
    assert (path.read_bytes(), backups_of(path)) == (before, [])
    with open_gallery(path) as gallery:
        assert gallery.search(template(3).embedding[None], top=1)[0][0].name == "Ben"


def test_reindexing_is_advised_only_where_it_would_work(tmp_path: Path) -> None:
    path = filled(tmp_path / "gallery.db")
    with pytest.raises(WrongEncoderError, match="reid gallery reindex"):
        open_gallery(path, ANOTHER)
    with Gallery.open(path) as gallery:
        assert gallery.reindex(ANOTHER) == 3
    assert open_gallery(path, ANOTHER).stats().templates == 3
    filled(tmp_path / "old.db", skeletons=LIFTED)
    with pytest.raises(WrongEncoderError, match="another way than now: enrol the clips again") as caught:
        open_gallery(tmp_path / "old.db", ENCODER)
    assert "gallery reindex" not in str(caught.value)


def test_a_gallery_of_before_is_said_to_be_one_and_stays_one(tmp_path: Path) -> None:
    path = without_the_table(filled(tmp_path / "gallery.db", ENCODER))
    assert made(path) == UNTOLD
    repair(path)
    assert made(path) == UNTOLD
    with open_gallery(path) as gallery:
        gallery.calibrate(Thresholds.single(0.3))
        assert gallery.stats().format == VERSION
    assert made(path) == UNTOLD
    repair(without_the_table(path))
    assert made(path) == UNTOLD


@pytest.mark.parametrize("old", [LIFTED, UNTOLD])
def test_a_gallery_of_before_can_be_added_to_and_says_that_it_holds_both(tmp_path: Path, old: str) -> None:
    path = filled(tmp_path / "gallery.db", ENCODER, LIFTED)
    if old == UNTOLD:
        without_the_table(path)
    for number in (4, 5):
        with open_gallery(path) as gallery:
            gallery.add("Cem", [template(number)], source(number))
            assert gallery.search(template(number).embedding[None], top=1)[0][0].name == "Cem"
            assert gallery.search(template(3).embedding[None], top=1)[0][0].name == "Ben"
        assert made(path) == SEVERAL_WAYS
    repair(path)
    assert made(path) == SEVERAL_WAYS
    with Gallery.open(path) as gallery, pytest.raises(WrongEncoderError, match="made in another way"):
        gallery.reindex(OTHER)


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
        open_gallery(path, OTHER)
    assert repair(path).lost == ("how its skeletons were made, so that it cannot be moved to another encoder",)
    with Gallery.open(path) as gallery, pytest.raises(WrongEncoderError, match="made in another way"):
        gallery.reindex(ANOTHER)
    with open_gallery(path, OTHER) as gallery:
        assert gallery.search(template(3, OTHER).embedding[None], top=1)[0][0].name == "Ben"
    assert repair(path).lost == ()  # it is told once, and no damage from then on
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM skeletons")
        connection.execute("DELETE FROM gallery")
    connection.close()
    assert not any("gallery reindex" in line for line in repair(path).lost)
