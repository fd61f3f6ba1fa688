"""Findings of the doctor: what is sound, what is broken and what to do about it, without raising."""

import importlib.metadata
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.doctor import BROKEN, OK, WARNING, Check, Report
from pipeline.settings import EncoderSettings, PoseSettings, Settings


def _one(checks: Iterator[Check]) -> Check:
    (check,) = checks
    return check


def _pretend(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_what_is_installed_here_is_sound() -> None:
    assert _one(doctor._python()).state == OK
    assert all(check.state == OK for check in doctor._one_of("opencv", doctor.OPENCVS, "mend"))
    assert _one(doctor._libraries()).state == OK
    assert [check for check in doctor._packages() if check.state != OK] == []


def test_two_packages_that_overwrite_each_other_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, {"opencv-python": "4.9", "opencv-contrib-python": "5.0"})
    check = _one(doctor._one_of("opencv", doctor.OPENCVS, "uninstall both"))
    assert (check.state, check.mend) == (BROKEN, "uninstall both")
    assert "opencv-python 4.9 and opencv-contrib-python 5.0" in check.found
    _pretend(monkeypatch, {})
    assert _one(doctor._one_of("faiss", ("faiss-cpu", "faiss-gpu"), "install one")).state == BROKEN


@pytest.mark.parametrize(
    ("version", "relation", "needed", "state"),
    [
        ("1.2.2", "==", "1.2.2", OK),
        ("1.2.3", "==", "1.2.2", BROKEN),
        ("2.13.0+cpu", ">=", "2.13", OK),
        ("2.9", ">=", "2.13", BROKEN),
        ("6.0.3", ">=", "6.0", OK),
    ],
)
def test_versions(monkeypatch: pytest.MonkeyPatch, version: str, relation: str, needed: str, state: str) -> None:
    _pretend(monkeypatch, {"PyYAML": version})
    check = doctor._package("PyYAML", relation, needed)
    assert check.state == state
    assert (f"PyYAML{relation}{needed}" in check.mend) == (state == BROKEN)


def test_a_package_that_is_missing_or_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, {"no_such_module_at_all": "1.0"})
    assert doctor._package("absent", ">=", "1").found == "not installed"
    assert "does not load" in doctor._package("no_such_module_at_all", "", "").found


def test_missing_system_libraries_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", {"libnothing.so.7": "libnothing7"})
    check = _one(doctor._libraries())
    assert (check.state, check.mend) == (BROKEN, "apt-get install libnothing7")


def test_pose_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_CACHE", str(tmp_path))
    missing = _one(doctor._pose_model(Settings()))
    assert (missing.state, "reid models pull full" in missing.mend) == (WARNING, True)
    damaged = tmp_path / "models" / "pose_landmarker_full.task"
    damaged.parent.mkdir()
    damaged.write_bytes(b"not a bundle")
    report = doctor.examine(Settings(pose=PoseSettings(model="full")), tmp_path / "none.db")
    found = {check.name: check for check in report.checks}
    assert found["pose model"].state == BROKEN
    assert "sha256" in found["pose model"].found
    assert found["gallery"].state == OK
    assert "none yet" in found["gallery"].found


def test_a_broken_encoder_and_gallery_are_findings(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"no tensors")
    gallery = tmp_path / "gallery.db"
    with sqlite3.connect(gallery) as other:
        other.execute("CREATE TABLE shopping (item TEXT)")
    report = doctor.examine(Settings(encoder=EncoderSettings(weights=str(weights))), gallery)
    found = {check.name: check.state for check in report.checks}
    assert found["encoder"] == BROKEN
    assert found["gallery"] == BROKEN
    assert report.exit_code == 2


def test_report(tmp_path: Path) -> None:
    report = Report((Check("a", OK, "fine"), Check("b", WARNING, "look", "do")))
    assert report.exit_code == 0
    assert report.json()["ok"] is True
    assert report.json()["checks"][1] == {"name": "b", "state": "warning", "found": "look", "mend": "do"}
    assert report.table().row_count == 2
    assert Report((*report.checks, Check("c", BROKEN, "gone"))).exit_code == 2
    assert report.save(tmp_path / "report.json").exists()
