"""Kill -9 at random moments loses nothing that was reported, and eight processes at once get in nobody's way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killing.py")


def run(*words: object) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, check=False, timeout=3600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout))


def test_a_few_kills(tmp_path: Path) -> None:
    found = run("kill", tmp_path / "kill", 8, 0)
    assert sum(found.get(kind, 0) for kind in ("enrol", "batch", "reindex")) == 8


def test_eight_processes_enrol_and_search_at_once(tmp_path: Path) -> None:
    assert run("crowd", tmp_path / "crowd", 8, 1)["searched"] == 16


@pytest.mark.long
def test_two_hundred_kills(tmp_path: Path) -> None:
    found = run("kill", tmp_path / "kill", 200, 1)
    assert sum(found[kind] for kind in ("enrol", "batch", "reindex")) == 200
    assert min(found[kind] for kind in ("enrol", "batch", "reindex")) >= 10
    assert found["a log left behind"] >= 20  # so many were killed with the gallery open


@pytest.mark.long
def test_eight_processes_for_a_while(tmp_path: Path) -> None:
    assert run("crowd", tmp_path / "crowd", 8, 12)["clips"] == 96
