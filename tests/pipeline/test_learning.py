"""A camera learned from whoever passes it, and what searches and comparisons make of what it films then."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scripted import MIDDLE, NARROW, WIDE, ScriptedRead, ShoulderEncoder, Stick, clip, gallery_at, shoulder_widths

from pipeline.batch import batch
from pipeline.cameras import FEWEST, PLENTY, load_camera
from pipeline.enroll import enroll
from pipeline.errors import CameraError, DatasetError, UserError, VideoError
from pipeline.learning import Learned, learn_camera
from pipeline.search import search
from pipeline.settings import SearchSettings, Settings
from pipeline.thresholds import Thresholds
from pipeline.verify import verify
from smsge.sequence import SkeletonSequence

SHARE = 0.55


class Place(ShoulderEncoder):
    """Shoulders as wide as those of `crowd` go once round a circle; and everybody has `SHARE` of the squared length of
    their embeddings in common, as before a real camera."""

    threshold = 0.9
    thresholds = Thresholds.single(threshold)

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        turns = (shoulder_widths(sequences) / 0.634 - 0.28) / 0.24  # statures to metres, of stick people
        out = np.zeros((len(sequences), self.dim), np.float32)
        out[:, 0], out[:, 1] = np.sqrt(1 - SHARE) * np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])
        out[:, 4] = np.sqrt(SHARE)
        return out


class Lenient(Place):
    """The same, whose searches believe less."""

    threshold = 0.5
    thresholds = Thresholds.single(threshold)


def learned(*sources: Path, embedder: ShoulderEncoder | None = None) -> Learned:
    return learn_camera(list(sources), embedder=embedder or Place())


def crowd(folder: Path, count: int = 12, first: int = 0) -> Path:
    """Clips of as many people, each of another width, who pass one after the other."""
    for number in range(first, count):
        clip(folder / f"{number:02}.npz", (Stick(shoulders=0.28 + 0.24 * number / count), 0, 3))
    return folder


def test_whoever_passes_says_together_what_is_not_theirs(tmp_path: Path) -> None:
    told: list[tuple[str, float, float | None]] = []
    folder = crowd(tmp_path / "hall")
    found = learn_camera(folder, embedder=Place(), progress=lambda *what: told.append(what))
    camera = found.camera
    assert (camera.tracks, camera.people, camera.clips, found.left_out, found.exit_code) == (12, 12, 12, (), 0)
    assert camera.mean[4] == pytest.approx(np.sqrt(SHARE), abs=1e-5)
    assert camera.mean[0] == pytest.approx(0, abs=0.05)
    assert camera.alike == pytest.approx(SHARE, abs=0.06)
    assert told[-1] == ("learning", 12, 12)
    assert load_camera(found.save(tmp_path / "hall.json"), Place()) == camera
    assert "mean" not in found.json()
    assert found.json()["tracks"] == 12
    out = StringIO()
    Console(file=out, width=100).print(found.table())
    assert f"{camera.alike:+.3f}" in out.getvalue()


def test_what_cannot_be_used_is_left_out_and_the_same_footage_counts_once(tmp_path: Path) -> None:
    folder = crowd(tmp_path / "hall", FEWEST)
    clip(folder / "copy.npz", (MIDDLE, 0, 3), content="00.npz")
    clip(folder / "short.npz", (MIDDLE, 0, 0.5))
    (folder / "torn.npz").write_bytes(b"PK torn")
    clip(folder / "two.npz", (NARROW, 0, 3), (WIDE, 1, 4))
    found = learned(folder)
    assert (found.camera.tracks, found.camera.clips, found.exit_code) == (FEWEST + 2, FEWEST + 1, 1)
    reasons = {Path(left).name: reason for left, reason in found.left_out}
    assert set(reasons) == {"copy.npz", "short.npz", "torn.npz"}
    assert "the same footage" in reasons["copy.npz"]
    assert "too short" in reasons["short.npz"]
    assert found.json()["left_out"][0].keys() == {"clip", "reason"}


def test_too_little_is_refused(tmp_path: Path) -> None:
    folder = crowd(tmp_path / "few", FEWEST - 1)
    clip(folder / "short.npz", (MIDDLE, 0, 0.5))
    with pytest.raises(
        DatasetError, match=rf"{FEWEST - 1} usable tracks in {FEWEST} clips: .*{FEWEST} or more.*too short"
    ):
        learned(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(VideoError, match="no clip"):
        learned(tmp_path / "none")
    with pytest.raises(UserError, match="nothing to learn from"):
        learned()


def test_what_may_be_one_person_is_said(tmp_path: Path) -> None:
    one = tmp_path / "one"
    for number in range(FEWEST):
        clip(one / f"{number}.npz", (MIDDLE, 0, 3 + number / 10))
    note = learned(one).note
    assert note is not None
    assert f"the {FEWEST} tracks seem to be of" in note
    assert "are 1.00 alike" in note
    assert learned(crowd(tmp_path / "many")).note is None


def test_a_search_takes_it_off_and_asks_for_less(tmp_path: Path) -> None:
    gallery = gallery_at(tmp_path / "people.db")
    enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=Place())
    camera = learned(crowd(tmp_path / "hall")).save(tmp_path / "hall.json")

    def found(width: float, **known: Path) -> tuple[str | None, float, float, str | None]:
        probe = clip(tmp_path / "probe.npz", (Stick(shoulders=width), 0, 4))
        (result,) = search(probe, gallery=gallery, embedder=Lenient(), **known)
        probe.unlink()
        (match,) = result.tracks
        assert match.similarity is not None
        assert match.threshold == result.threshold
        return match.name, match.similarity, result.threshold, result.note

    nobody, similarity, threshold, note = found(0.51)  # a fifth of the circle from the one enrolled
    assert nobody is None
    assert similarity >= 0.5
    assert threshold > 0.7
    assert note is not None
    assert "the camera were known (`reid camera`)" in note
    assert found(0.47, camera=camera)[0] == "wim"
    nobody, similarity, threshold, note = found(0.40, camera=camera)  # a quarter of it, as like as chance has it
    assert (nobody, note) == (None, None)
    assert threshold < 0.6
    assert abs(similarity) < 0.3
    assert found(0.40)[1] > 0.3


def test_the_settings_can_name_it_and_a_wrong_file_is_told_before_the_work(tmp_path: Path) -> None:
    gallery = gallery_at(tmp_path / "people.db")
    enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=Place())
    camera = learned(crowd(tmp_path / "hall")).save(tmp_path / "hall.json")
    probe = clip(tmp_path / "probe.npz", (WIDE, 0, 3))
    by_call = search(probe, gallery=gallery, embedder=Place(), camera=camera)
    settings = Settings(search=SearchSettings(camera=str(camera)))
    assert search(probe, gallery=gallery, embedder=Place(), settings=settings) == by_call
    assert search(probe, gallery=gallery, embedder=Place()) != by_call
    with pytest.raises(CameraError, match=r"none\.json cannot be read"):
        search(tmp_path / "no clip.mp4", gallery=gallery, embedder=Place(), camera=tmp_path / "none.json")


def test_clips_of_a_batch_are_searched_again_where_the_camera_was_learned_anew(tmp_path: Path) -> None:
    gallery = gallery_at(tmp_path / "people.db")
    enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
    clip(tmp_path / "clips" / "probe.npz", (WIDE, 0, 3))
    path = learned(crowd(tmp_path / "hall"), embedder=ShoulderEncoder()).save(tmp_path / "hall.json")
    settings = Settings(search=SearchSettings(camera=str(path)))

    def run() -> tuple[int, int, float]:
        done = batch(tmp_path / "clips", tmp_path / "out", gallery=gallery, settings=settings, workers=1,
                     embedder=ShoulderEncoder(), make_read=ScriptedRead)  # fmt: skip
        return done.done, done.resumed, done.rows[0]["tracks"][0]["similarity"]

    first = run()
    assert run() == (0, 1, first[2])
    learned(crowd(tmp_path / "hall", 20, first=12), embedder=ShoulderEncoder()).save(path)
    again = run()
    assert again[:2] == (1, 0)
    assert again[2] != first[2]
    settings = Settings()  # in the same folder, as a run of an earlier version that knew no cameras may have been
    without = run()
    assert without[:2] == (1, 0)
    assert without[2] != again[2]
    assert "camera" not in json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]["search"]


@pytest.mark.parametrize("usable", [PLENTY - 1, PLENTY])
def test_a_batch_that_could_have_known_its_camera_says_so(usable: int, tmp_path: Path) -> None:
    gallery = gallery_at(tmp_path / "people.db")
    enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
    folder = crowd(tmp_path / "hall", PLENTY)
    for number in range(usable, PLENTY):
        (folder / f"{number:02}.npz").unlink()
    clip(folder / "short.npz", (MIDDLE, 0, 0.5))
    path = learned(folder, embedder=ShoulderEncoder()).save(tmp_path / "hall.json")

    def note(**told: str) -> str | None:
        settings = Settings(search=SearchSettings(**told))  # type: ignore[arg-type]
        return batch(folder, tmp_path / f"out{len(told)}", gallery=gallery, settings=settings, workers=1,
                     embedder=ShoulderEncoder(), make_read=ScriptedRead).note  # fmt: skip

    said = note()
    assert (said is not None) is (usable >= PLENTY)
    assert said is None or f"{PLENTY} usable tracks: " in said
    assert note(camera=str(path)) is None


def test_a_long_clip_that_could_have_told_its_camera_says_so(tmp_path: Path) -> None:
    gallery = gallery_at(tmp_path / "people.db")
    enroll(clip(tmp_path / "wim.npz", (WIDE, 0, 4)), gallery=gallery, embedder=ShoulderEncoder())
    widths = 0.28 + 0.24 * np.arange(PLENTY) / PLENTY
    passing = [(Stick(shoulders=float(width)), 3.0 * number, 3.0 * number + 2) for number, width in enumerate(widths)]
    hour, short = clip(tmp_path / "hour.npz", *passing), clip(tmp_path / "short.npz", *passing[1:])

    def note(source: Path, **known: Path) -> str:
        return search(source, gallery=gallery, embedder=ShoulderEncoder(), **known)[0].note or ""

    assert f"{PLENTY} usable tracks: " in note(hour)
    assert f"`reid camera {hour} " in note(hour)
    assert "usable tracks" not in note(short)
    camera = learned(hour, embedder=ShoulderEncoder()).save(tmp_path / "hour.json")
    assert "usable tracks" not in note(hour, camera=camera)


def test_two_clips_are_compared_about_their_cameras(tmp_path: Path) -> None:
    camera = learned(crowd(tmp_path / "hall")).save(tmp_path / "hall.json")
    widths = {"a": 0.46, "b": 0.455, "other": 0.34}
    a, b, other = (clip(tmp_path / f"{name}.npz", (Stick(shoulders=width), 0, 3)) for name, width in widths.items())

    def compared(one: Path, two: Path, **known: Path) -> tuple[float, float, str]:
        told = verify(one, two, embedder=Lenient(), **known)
        return told.similarity, told.same_from, told.decision

    alone, half = compared(a, other), compared(a, other, camera_a=camera)
    both = compared(a, other, camera_a=camera, camera_b=camera)
    assert alone[0] > half[0] > both[0]
    assert alone[1] > both[1] >= half[1] >= Lenient.threshold
    assert compared(a, b, camera_a=camera, camera_b=camera)[2] == "same"
    assert compared(a, other, camera_b=camera)[1] == half[1]
    with pytest.raises(CameraError, match="cannot be read"):
        compared(a, b, camera_b=tmp_path / "none.json")
