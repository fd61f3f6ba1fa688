"""Where things are kept."""

import stat
from pathlib import Path

import pytest

from pipeline.places import cache_dir, data_dir, default_gallery, private_dir


def test_default_gallery_is_in_the_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REID_GALLERY", raising=False)
    monkeypatch.delenv("REID_CACHE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_gallery() == data_dir() / "gallery.db"
    assert data_dir() != cache_dir()
    assert not data_dir().exists()  # asking makes nothing


def test_environment_names_the_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_GALLERY", "~/people.db")
    assert default_gallery() == Path.home() / "people.db"
    monkeypatch.setenv("REID_GALLERY", "")
    assert default_gallery() == data_dir() / "gallery.db"


def test_environment_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("REID_CACHE", "~/models")
    assert cache_dir() == Path.home() / "models"
    monkeypatch.setenv("REID_CACHE", "")
    assert cache_dir() == tmp_path / "reid"


def test_private_directory_is_its_owners_alone(tmp_path: Path) -> None:
    made = private_dir(tmp_path / "share" / "reid")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    made.chmod(0o755)
    assert stat.S_IMODE(private_dir(made).stat().st_mode) == 0o755  # the owner's own choice stays
