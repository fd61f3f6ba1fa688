"""Backups before what changes all of a gallery, and nothing of somebody who was forgotten in any of them."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from gallery_people import FakeEmbedder, open_gallery, source, template

from pipeline.backups import backups_of
from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.schema import VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_gallery(tmp_path / "gallery.db") as gallery:
        gallery.add("Annabella", [template(1)], source(1))
        gallery.add("Ben", [template(2)], source(2))
    return tmp_path / "gallery.db"


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_a_reindex_leaves_a_private_backup_that_is_the_gallery_of_before(path: Path) -> None:
    before = os.umask(0)
    try:
        with Gallery.open(path) as gallery:
            gallery.reindex(FakeEmbedder(1))
    finally:
        os.umask(before)
    (backup,) = backups_of(path)
    assert backup.name.endswith(".reindex.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    backup.replace(path)
    with open_gallery(path) as gallery:
        assert gallery.search(template(1).embedding[None], top=1)[0][0].similarity == pytest.approx(1)
        assert gallery.check() == []


def test_the_newest_three_are_kept(path: Path) -> None:
    with Gallery.open(path) as gallery:
        for seed in range(1, 6):
            gallery.reindex(FakeEmbedder(seed))
    names = []
    for backup in backups_of(path):
        with Gallery.open(backup) as gallery:
            names.append(gallery.encoder.name)
    assert names == ["fake-2", "fake-3", "fake-4"]


def test_what_others_add_while_it_is_embedded_is_in_the_backup(path: Path) -> None:
    added: list[str] = []

    class Slow(FakeEmbedder):
        def embed(self, sequences: list) -> np.ndarray:
            if not added:
                with open_gallery(path) as other:
                    other.add("Cem", [template(3)], source(3))
                added.append("Cem")
            return super().embed(sequences)

    with Gallery.open(path) as gallery:
        assert gallery.reindex(Slow(1)) == 3
    (backup,) = backups_of(path)
    with Gallery.open(backup) as gallery:
        assert [person.name for person in gallery.people()] == ["Annabella", "Ben", "Cem"]


def test_without_a_backup_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "gallery.db")

    with open_gallery(path) as gallery:
        monkeypatch.setattr("pathlib.Path.replace", full)
        with pytest.raises(GalleryError, match=r"cannot back up the gallery .* no space left on device; nothing was"):
            gallery.reindex(FakeEmbedder(1))
        monkeypatch.undo()
        assert gallery.search(template(1).embedding[None], top=1)[0][0].name == "Annabella"
    assert [file.name for file in path.parent.iterdir()] == ["gallery.db"]


def test_forgetting_goes_through_every_file(path: Path) -> None:
    gone = template(1)
    traces = (
        b"Annabella",
        b"clip1.mp4",
        source(1).content.encode(),
        gone.embedding.tobytes()[:16],
        gone.skeleton.joints.astype(np.float16).tobytes()[-64:],
    )
    with Gallery.open(path) as gallery:
        gallery.reindex(FakeEmbedder(1))
        gallery.reindex(FakeEmbedder(0))
        gallery.record("searched", ["Annabella"], "annas_door.mp4")
        gallery.record("searched", [], "where_is_ANNABELLA.mp4")
        for suffix in (".bak.part", ".new.part", ".bak.part-journal"):  # as killed processes left them
            path.with_name(f".gallery.db{suffix}").write_bytes(b"Annabella")
        path.with_name("gallery.db.20260101T000000000000Z.damaged.bak").write_bytes(b"Annabella")
        path.with_name("gallery.db.20260101T000000000000Z.damaged.bak-wal").write_bytes(b"Annabella")
        assert len(backups_of(path)) == 3
        assert all(trace in everything(path.parent) for trace in (*traces, b"annas_door.mp4", b"ANNABELLA"))
        gone_person = gallery.forget("Annabella")
        left = everything(path.parent)
        assert [trace for trace in (*traces, b"annas_door.mp4", b"ANNABELLA") if trace in left] == []
        assert backups_of(path) == []
        last = gallery.log()[-1]
        assert (last.event, last.person, last.name, last.file) == ("forgotten", gone_person.person, None, None)
        assert b"clip2.mp4" in left
    assert [file.name for file in path.parent.iterdir()] == ["gallery.db"]


def test_where_a_backup_cannot_be_removed_nobody_is_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gallery.open(path) as gallery:
        gallery.reindex(FakeEmbedder(1))

        def refuse(file: Path) -> None:
            raise PermissionError(13, "Permission denied", str(file))

        monkeypatch.setattr("pipeline.backups.sweep", refuse)
        with pytest.raises(GalleryError, match=r"a backup of the gallery .* permission denied; nothing was changed"):
            gallery.forget("Annabella")
        assert [person.name for person in gallery.people()] == ["Annabella", "Ben"]


def test_other_files_are_nobodys_backups(path: Path) -> None:
    for name in ("gallery.db.bak", "gallery.db.2026.reindex.bak", "xgallery.db.20260101T000000000000Z.reindex.bak"):
        path.with_name(name).write_bytes(b"mine")
    with Gallery.open(path) as gallery:
        gallery.forget("Ben")
    assert len(list(path.parent.iterdir())) == 4


def test_a_gallery_of_the_version_before_is_backed_up_and_brought_forward(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE skeletons")
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with open_gallery(path) as gallery:
        assert gallery.stats().format == 3
        gallery.record("searched")
        assert gallery.stats().format == VERSION
        assert gallery.log()[-1].event == "searched"
    (backup,) = backups_of(path)
    assert backup.name.endswith(".migration.bak")
    with Gallery.open(backup, log=False) as gallery:
        assert gallery.stats().format == 3


def test_a_process_killed_while_it_erases_an_old_backup_leaves_none_that_is_half_erased(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(file: IO[bytes]) -> None:
        file.write(b"\0" * 100)
        file.flush()
        raise KeyboardInterrupt

    with Gallery.open(path) as gallery:
        for seed in range(1, 4):
            gallery.reindex(FakeEmbedder(seed))
        monkeypatch.setattr("pipeline.gallery_file.blank", killed)
        with pytest.raises(KeyboardInterrupt):
            gallery.reindex(FakeEmbedder(4))
        monkeypatch.undo()
    assert len(backups_of(path)) == 3
    for backup in backups_of(path):
        with Gallery.open(backup, log=False) as gallery:
            assert gallery.check() == []
    with Gallery.open(path) as gallery:
        gallery.reindex(FakeEmbedder(5))
    assert not any(file.name.startswith(".") for file in path.parent.iterdir())
