"""A gallery that is encrypted: nothing of it in any byte, and one clear line without its key."""

import os
import shutil
from errno import EPERM
from pathlib import Path

import numpy as np
import pytest
from gallery_people import FakeEmbedder, open_gallery, source, template

from pipeline.backups import backups_of
from pipeline.checking import check
from pipeline.errors import GalleryError
from pipeline.gallery import Gallery
from pipeline.index_file import index_path
from pipeline.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, gallery_key
from pipeline.renewing import decrypt, encrypt, repair

pytest.importorskip("sqlcipher3")
KEY, OTHER = "ab" * 32, "cd" * 32
TRACES = (
    b"SQLite format 3",
    b"Annabella",
    b"clip1.mp4",
    source(1).content.encode(),
    template(1).embedding.tobytes()[:16],
    template(1).skeleton.joints.astype(np.float16).tobytes()[-64:],
)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def filled(path: Path) -> Path:
    with open_gallery(path) as gallery:
        gallery.add("Annabella", [template(1)], source(1))
        gallery.add("Ben", [template(2)], source(2))
    return path


def test_nothing_is_readable_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    path = tmp_path / "gallery.db"
    with open_gallery(path) as gallery, open_gallery(path) as other:
        gallery.add("Annabella", [template(1)], source(1))
        other.add("Ben", [template(2)], source(2))
        assert sorted(file.suffix for file in tmp_path.iterdir()) == [".db", ".db-shm", ".db-wal"]
        assert [trace for trace in TRACES if trace in everything(tmp_path)] == []
        assert gallery.search(template(2).embedding[None], top=1)[0][0].name == "Ben"
        gallery.reindex(FakeEmbedder(1))
        gallery.reindex(FakeEmbedder(0))
        gallery.export(tmp_path / "out.reid")
        assert len(backups_of(path)) == 2
        assert [trace for trace in TRACES if trace in everything(tmp_path)] == []
        assert [entry.event for entry in gallery.log()][-1] == "exported"
        gallery.forget("Annabella")
    assert backups_of(path) == []
    with open_gallery(tmp_path / "new.db") as gallery:
        assert gallery.import_(tmp_path / "out.reid").people == ("Annabella", "Ben")
    found = check(path)
    assert (found.problems, found.encrypted, found.people) == ((), True, 1)


def test_the_key_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(f"{KEY.upper()}\n")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    assert gallery_key() == KEY
    filled(tmp_path / "gallery.db")
    monkeypatch.delenv(KEY_FILE_VARIABLE)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with open_gallery(tmp_path / "gallery.db") as gallery:
        assert len(gallery.people()) == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 64, KEY[:-1], KEY + "0", "é" * 64, "'; DROP TABLE people; --"])
def test_what_is_no_key_is_told_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    (tmp_path / "key").write_text(key)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    with pytest.raises(GalleryError, match=r"holds no key: 64 hexadecimal digits") as caught:
        open_gallery(tmp_path / "gallery.db")
    assert len(key) < 2 or key not in str(caught.value)
    (tmp_path / "key").unlink()
    with pytest.raises(GalleryError, match=r"cannot read the gallery's key .* no such file"):
        gallery_key()
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(GalleryError, match="both set"):
        gallery_key()


def test_a_wrong_or_missing_key_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    path = filled(tmp_path / "gallery.db")
    before = path.read_bytes()
    for key, line in ((OTHER, "cannot be decrypted"), (None, "an encrypted one")):
        monkeypatch.setenv(KEY_VARIABLE, key) if key else monkeypatch.delenv(KEY_VARIABLE)
        for attempt in (lambda: open_gallery(path), lambda: check(path), lambda: repair(path)):
            with pytest.raises(GalleryError, match=line) as caught:
                attempt()
            assert KEY not in str(caught.value)
            assert OTHER not in str(caught.value)
    assert path.read_bytes() == before
    assert capfd.readouterr() == ("", "")  # SQLCipher writes to stderr itself, unless told not to


def test_a_gallery_that_is_not_encrypted_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(GalleryError, match="is not encrypted: run `reid gallery encrypt`, or unset the key"):
        open_gallery(path)


def test_a_gallery_is_encrypted_and_decrypted_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    with Gallery.open(path) as gallery:
        gallery.reindex(FakeEmbedder(1))
        gallery.reindex(FakeEmbedder(0))
        before = [gallery.people(), gallery.log(), gallery.show("Ben")]
    with pytest.raises(GalleryError, match="no key is set"):
        encrypt(path)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    encrypt(path)
    assert [trace for trace in TRACES if trace in everything(tmp_path)] == []  # in no backup either
    with Gallery.open(path) as gallery:
        assert [gallery.people(), gallery.log(), gallery.show("Ben")] == before
        assert gallery.check() == []
    with pytest.raises(GalleryError, match="encrypted already"):
        encrypt(path)
    decrypt(path)
    with pytest.raises(GalleryError, match="is not encrypted"):
        decrypt(path)
    monkeypatch.delenv(KEY_VARIABLE)
    with Gallery.open(path) as gallery:
        assert [gallery.people(), gallery.log(), gallery.show("Ben")] == before


def test_where_a_backup_cannot_be_removed_nothing_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    with Gallery.open(path) as gallery:
        gallery.reindex(FakeEmbedder(1))
    (backup,) = backups_of(path)
    monkeypatch.setenv(KEY_VARIABLE, KEY)

    def replace(file: Path, target: Path) -> Path:
        if file == backup:
            raise PermissionError(EPERM, "operation not permitted", str(file))
        os.replace(file, target)
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(GalleryError, match="nothing was changed"):
            encrypt(path)
    assert path.read_bytes().startswith(b"SQLite format 3")
    assert sorted(tmp_path.iterdir()) == [path, backup]
    encrypt(path)
    assert list(tmp_path.iterdir()) == [path]
    assert not path.read_bytes().startswith(b"SQLite format 3")


def test_a_damaged_gallery_is_not_encrypted_with_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "gallery.db")
    embedding = template(1).embedding.tobytes()
    path.write_bytes(path.read_bytes().replace(embedding, b"\xff" * len(embedding)))
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(GalleryError, match="check --repair` first"):
        encrypt(path)
    monkeypatch.delenv(KEY_VARIABLE)
    with Gallery.open(path) as gallery:
        assert len(gallery.people()) == 2


def test_changed_bytes_are_always_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    whole = filled(tmp_path / "whole.db")
    pages = whole.stat().st_size // 4096
    rng = np.random.default_rng(0)
    for page in range(1, pages):
        path = Path(shutil.copy(whole, tmp_path / "gallery.db"))
        data = bytearray(path.read_bytes())
        data[4096 * page + rng.integers(4096)] ^= 1
        path.write_bytes(data)
        assert check(path).problems, page


def test_an_encrypted_gallery_is_mended_and_stays_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    path = tmp_path / "gallery.db"
    with open_gallery(path) as gallery:
        for number in range(1, 31):
            gallery.add(f"person {number}", [template(number)], source(number))
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    path.write_bytes(data)
    found = repair(path)
    assert 20 < found.templates < 31
    assert check(path).problems == ()
    assert b"person 3" not in everything(tmp_path)


def test_without_the_library_a_key_is_an_error_and_no_key_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("pipeline.connecting.importlib.import_module", none)
    filled(tmp_path / "plain.db")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(GalleryError, match=r"pip install 'reid\[encryption\]'"):
        open_gallery(tmp_path / "gallery.db")


def test_the_index_of_a_large_gallery_is_not_left_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ranking.LARGE", 1)
    path = filled(tmp_path / "gallery.db")
    with open_gallery(path) as gallery:
        assert gallery.search(template(2).embedding[None], top=1)[0][0].name == "Ben"
    assert index_path(path).exists()
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    encrypt(path)
    assert not index_path(path).exists()
    with open_gallery(path) as gallery:
        assert gallery.search(template(2).embedding[None], top=1)[0][0].name == "Ben"
        with pytest.raises(GalleryError, match=r"is encrypted and arrays are not"):
            gallery.export(tmp_path / "out.npz")
    assert [trace for trace in TRACES if trace in everything(tmp_path)] == []
