"""A gallery's thresholds from the user's own people: what they rest on, what is left out, what is too little."""

import json
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from scripted import ShoulderEncoder, Stick, asked, clip, gallery_at

from pipeline.enroll import enroll
from pipeline.errors import DatasetError, VideoError
from pipeline.gallery import Gallery
from pipeline.in_common import ALIKE
from pipeline.recalibrate import Recalibration, recalibrate
from pipeline.search import search
from pipeline.thresholds import Thresholds


def sticks(count: int) -> list[Stick]:
    return [Stick(shoulders=0.28 + 0.2 * number / count) for number in range(count)]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of each of nine people, whose shoulders are seen a little wider in each."""
    folder = tmp_path_factory.mktemp("people")
    for number, stick in enumerate(sticks(9)):
        for take in range(3):
            path = folder / f"p{number}" / f"{take}.npz"
            seen = replace(stick, shoulders=stick.shoulders + 0.002 * take)
            clip(path, (seen, 0, 2 + take / 2), content=f"{number} {take}")
    return folder


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return gallery_at(tmp_path / "people.db")


def calibrated(folder: Path, gallery: Gallery, far: float | None = None) -> Recalibration:
    return recalibrate(folder, gallery=gallery, far=far, embedder=ShoulderEncoder())


def test_the_gallery_has_thresholds_of_its_own(people: Path, gallery: Gallery, tmp_path: Path) -> None:
    seen: list[tuple[str, float, float | None]] = []
    done = recalibrate(people, gallery=gallery, embedder=ShoulderEncoder(), progress=lambda *told: seen.append(told))
    assert (done.people, done.clips, done.tracks, done.exit_code) == (9, 27, 27, 0)
    assert (done.strangers, done.genuine, done.far) == (27 * 24, 27 * 2, 0.01)
    assert gallery.thresholds is not None
    assert gallery.thresholds == done.thresholds
    assert done.after.threshold == pytest.approx(done.thresholds.at(0.01), abs=1e-4)
    assert done.after.far <= 0.01
    assert done.before is not None
    assert done.before.threshold == 0.9
    assert done.thresholds.alike not in (ALIKE, 1.0)
    assert gallery.thresholds.alike == done.thresholds.alike
    assert done.before.far > 0.05  # shoulders alone do not tell so many people apart at 0.9
    assert done.after.accepted <= done.before.accepted
    assert seen[-1] == ("reading clips", 27, 27)

    told = json.loads(done.save(tmp_path / "told.json").read_text())
    assert told == done.json()
    assert told["smallest_far"] == 0.01
    assert set(told["before"]) == set(told["after"]) == {"threshold", "far", "accepted"}
    out = StringIO()
    Console(file=out, width=200).print(done.table())
    for word in ("9 people, 27 clips", "+0.900", f"{done.after.threshold:+.3f}"):
        assert word in out.getvalue()

    again = calibrated(people, gallery)
    assert again.before == again.after == done.after


def test_a_search_uses_them(people: Path, gallery: Gallery, tmp_path: Path) -> None:
    one, near = sticks(9)[4:6]
    enroll(clip(tmp_path / "one.npz", (one, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
    stranger = clip(tmp_path / "near.npz", (near, 0, 4))
    (before,) = search([stranger], gallery=gallery, embedder=ShoulderEncoder())
    done = calibrated(people, gallery)
    (after,) = search([stranger], gallery=gallery, embedder=ShoulderEncoder())
    assert (before.tracks[0].decision, after.tracks[0].decision) == ("match", "unknown")
    assert after.threshold == after.tracks[0].threshold == asked(gallery, done.after.threshold)
    gallery.uncalibrate()
    assert search([stranger], gallery=gallery, embedder=ShoulderEncoder())[0].threshold == asked(gallery, 0.9)


def test_clips_that_cannot_be_used_are_left_out_and_told(people: Path, gallery: Gallery, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(people, tmp_path / "all"))
    clip(folder / "p0" / "copy.npz", (sticks(9)[0], 0, 2), content="0 0")
    clip(folder / "p1" / "crowd.npz", (sticks(9)[1], 0, 4), (sticks(9)[7], 1, 5))
    clip(folder / "p2" / "short.npz", (sticks(9)[2], 0, 0.5))
    (folder / "p3" / "torn.npz").write_bytes(b"PK torn")
    clip(folder / "once" / "only.npz", (sticks(9)[8], 0, 3))
    done = calibrated(folder, gallery)
    assert (done.people, done.clips, done.exit_code) == (10, 28, 1)
    reasons = {Path(left).name: reason for left, reason in done.left_out}
    assert set(reasons) == {"copy.npz", "crowd.npz", "short.npz", "torn.npz"}
    assert "several people" in reasons["crowd.npz"]
    assert "too short" in reasons["short.npz"]
    assert "the same footage as another clip of p0" in reasons["copy.npz"]
    assert done.json()["left_out"][0].keys() == {"clip", "reason"}


def test_too_little_changes_nothing(people: Path, gallery: Gallery, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for number, stick in enumerate(sticks(3)):
        for take in range(1 + number):
            clip(few / f"p{number}" / f"{take}.npz", (stick, 0, 3), content=f"{number} {take}")
    with pytest.raises(DatasetError, match=r"has 2 people with 2 usable clips .*p0 1, p1 2, p2 3\): 8 people"):
        calibrated(few, gallery)
    with pytest.raises(DatasetError, match=r"9 people gave 648 comparisons .* 0\.001 needs 5000"):
        calibrated(people, gallery, far=0.001)
    clip(few / "loose.npz", (sticks(1)[0], 0, 3))
    with pytest.raises(DatasetError, match=r"loose\.npz is in nobody's folder"):
        calibrated(few, gallery)
    (tmp_path / "none").mkdir()
    with pytest.raises(VideoError, match="no clip"):
        calibrated(tmp_path / "none", gallery)
    assert gallery.thresholds is None


def test_a_rate_that_was_not_known_has_no_before(people: Path, gallery: Gallery) -> None:
    done = calibrated(people, gallery, far=0.05)
    assert done.before is None
    assert done.json()["before"] is None
    out = StringIO()
    Console(file=out, width=200).print(done.table())
    assert "-" in out.getvalue()
    assert isinstance(gallery.thresholds, Thresholds)
