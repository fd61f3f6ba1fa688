"""How far generated tests go: the same few inputs at every run, or many new ones with --hypothesis-profile=long.

And the command line in a folder of its own, for the tests of its commands.
"""

from pathlib import Path

import pytest
from cli_shell import ANNA, BEN, Shell, Widths
from hypothesis import settings

settings.register_profile("same", max_examples=50, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=500, deadline=None)
settings.load_profile("same")


@pytest.fixture
def reid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("REID_DEBUG", raising=False)
    monkeypatch.setenv("REID_GALLERY", str(tmp_path / "elsewhere.db"))
    monkeypatch.setenv("REID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pipeline.embed.load_embedder", lambda settings: Widths())
    return Shell(tmp_path)


@pytest.fixture
def enrolled(reid: Shell) -> Shell:
    for name, stick in (("Anna", ANNA), ("Ben", BEN)):
        assert reid("enroll", reid.clip(name.lower(), stick), "--name", name).exit_code == 0
    return reid
