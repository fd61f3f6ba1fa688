"""Two clips: same, different, cannot say; and what cannot be compared."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from scripted import MIDDLE, NARROW, WIDE, ShoulderEncoder, clip, gallery_at

from pipeline.errors import ConfigError, NoUsableTrackError, SkeletonFileError, UserError, VideoError
from pipeline.probes import Reader
from pipeline.settings import SearchSettings, Settings
from pipeline.thresholds import Thresholds
from pipeline.verify import FRR, VerifyResult, verify


def asked(threshold: float) -> float:
    """What two clips need where a gallery asks for `threshold`: the cosine of vectors that share 0.55 of their squared
    length, and of whose rest the cosine is `threshold`."""
    return pytest.approx(0.55 + 0.45 * threshold)  # type: ignore[no-any-return]


class Calibrated(ShoulderEncoder):
    """Of which is known what strangers and what one person come to."""

    thresholds = Thresholds((0.1, 0.01), (1, 2), ((0.5, 0.9), (0.6, 0.95)), ((0.1, 0.3), (0.01, 0.1)))


def compare(a: Path, b: Path, embedder: ShoulderEncoder | None = None, **options: object) -> VerifyResult:
    return verify(a, b, embedder=embedder or Calibrated(), **{"frr": 0.01, **options})  # type: ignore[arg-type]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    return clip(tmp_path / "wide.npz", (WIDE, 0, 4))


def test_same_different_and_cannot_say(wide: Path, tmp_path: Path) -> None:
    again = compare(wide, clip(tmp_path / "again.npz", (WIDE, 0, 3)))
    assert (again.decision, again.same_from, again.different_below) == ("same", asked(0.9), 0.1)
    assert again.similarity > 0.98
    other = compare(wide, clip(tmp_path / "narrow.npz", (NARROW, 0, 4)))
    assert other.decision == "different"
    assert other.similarity < 0.1
    middle = clip(tmp_path / "middle.npz", (MIDDLE, 0, 4))
    between = compare(wide, middle)
    assert between.decision == "cannot say"
    assert 0.1 <= between.similarity < 0.9
    assert compare(middle, wide).similarity == between.similarity


def test_the_rates_move_what_is_held_against(wide: Path, tmp_path: Path) -> None:
    middle = clip(tmp_path / "middle.npz", (MIDDLE, 0, 4))
    lenient = compare(wide, middle, far=0.1, frr=0.1)
    assert (lenient.same_from, lenient.different_below) == (asked(0.5), 0.3)
    assert compare(wide, middle, frr=0.001).different_below is None
    usual = verify(wide, middle, embedder=Calibrated()).different_below
    assert usual == pytest.approx(Calibrated.thresholds.below(FRR), abs=1e-4)
    assert 0.1 < usual < 0.3
    told = Settings(search=SearchSettings(threshold=-1))
    assert compare(wide, middle, settings=told).decision == "same"
    assert compare(wide, middle, settings=told).same_from == asked(-1)
    assert compare(wide, middle, settings=told).different_below == asked(-1)  # never above what is the same
    assert compare(wide, middle, settings=told, far=0.01).same_from == asked(0.9)
    for wrong in ({"far": 0.001}, {"far": 0.0}, {"far": float("nan")}, {"frr": 0.0}, {"frr": float("nan")}):
        with pytest.raises(ConfigError):
            compare(wide, middle, **wrong)


def test_an_encoder_that_knows_no_more_than_a_threshold_never_says_different(wide: Path, tmp_path: Path) -> None:
    narrow = clip(tmp_path / "narrow.npz", (NARROW, 0, 4))
    found = compare(wide, narrow, ShoulderEncoder())
    assert (found.decision, found.same_from, found.different_below) == ("cannot say", asked(0.9), None)
    with pytest.raises(ConfigError, match="reid calibrate"):
        compare(wide, narrow, ShoulderEncoder(), far=0.001)


def test_a_gallery_gives_its_own_thresholds(wide: Path, tmp_path: Path) -> None:
    middle = clip(tmp_path / "middle.npz", (MIDDLE, 0, 4))
    with gallery_at(tmp_path / "people.db") as gallery:
        assert compare(wide, middle, gallery=gallery).same_from == asked(0.9)
        gallery.calibrate(Thresholds.single(-1.0))
        assert compare(wide, middle, gallery=gallery).decision == "same"
        gallery.calibrate(replace(Thresholds.single(0.5), alike=0.2))  # what strangers of its cameras have in common
        assert compare(wide, middle, gallery=gallery).same_from == 0.6


def test_somebody_who_came_back_is_compared_by_all_of_their_tracks(wide: Path, tmp_path: Path) -> None:
    twice = clip(tmp_path / "twice.npz", (NARROW, 0, 3), (WIDE, 4, 7))
    found = compare(twice, wide)
    assert found.tracks == ((1, 2), (1,))
    assert (found.decision, found.same_from) == ("same", asked(0.95))  # two pairs of templates
    assert compare(twice, wide, track_a=1).decision == "different"


def test_of_several_people_one_is_chosen(wide: Path, tmp_path: Path) -> None:
    hall = clip(tmp_path / "hall.npz", (NARROW, 0, 4), (WIDE, 1, 5), (MIDDLE, 2, 2.4))
    with pytest.raises(NoUsableTrackError, match=r"hall\.npz shows several people, in 2 .*\(1, 2\): .* --track-b"):
        compare(wide, hall)
    with pytest.raises(NoUsableTrackError, match="--track-a"):
        compare(hall, wide)
    assert compare(wide, hall, track_b=2).decision == "same"
    assert compare(hall, hall, track_a=1, track_b=2).decision == "different"
    with pytest.raises(NoUsableTrackError, match=r"track 3 of .* is too short"):
        compare(wide, hall, track_b=3)
    with pytest.raises(NoUsableTrackError, match="has no track 9: there is 1, 2, 3"):
        compare(wide, hall, track_b=9)


def test_what_cannot_be_compared(wide: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the same footage of the same person"):
        compare(wide, clip(tmp_path / "copy.npz", (WIDE, 0, 4), content="wide.npz"))
    with pytest.raises(NoUsableTrackError, match="the longest track is too short"):
        compare(wide, clip(tmp_path / "short.npz", (WIDE, 0, 0.5)))
    with pytest.raises(VideoError, match="none"):
        compare(wide, tmp_path / "none.mp4")
    (tmp_path / "torn.npz").write_bytes(b"PK torn")
    with pytest.raises(SkeletonFileError, match="torn"):
        compare(tmp_path / "torn.npz", wide)


def test_the_answer_is_shown_and_saved(wide: Path, tmp_path: Path) -> None:
    found = compare(wide, clip(tmp_path / "again.npz", (WIDE, 0, 3)))
    told = json.loads(found.save(tmp_path / "told.json").read_text())
    assert told == found.json()
    assert list(told) == [
        *("a", "b", "encoder", "tracks", "quality", "similarity", "same_from", "different_below", "decision")
    ]
    assert (told["a"], told["tracks"]) == (str(wide), [[1], [1]])
    assert all(0 < quality <= 1 for quality in told["quality"])
    out = StringIO()
    Console(file=out, width=200).print(found.table())
    for word in ("again.npz", "same from", "+0.955", "different below", "+0.100", "same"):
        assert word in out.getvalue()
    assert "%" not in out.getvalue()


def test_a_second_clip_that_is_not_there_is_told_before_the_first_is_read(
    wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(Reader, "read", lambda self, source, progress: read.append(source))
    with pytest.raises(VideoError, match=r"missing\.mp4"):
        compare(wide, tmp_path / "missing.mp4")
    with pytest.raises(SkeletonFileError, match=r"missing\.npz"):
        compare(wide, tmp_path / "missing.npz")
    assert read == []
