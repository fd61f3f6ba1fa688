"""The whole of extraction on tiny clips, with a scripted pose source."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest
from test_people import standing
from written_clips import write_clip

from pipeline.decoders import AvDecoder
from pipeline.errors import PoseModelError, SkeletonFileError, VideoError
from pipeline.extract import extract
from pipeline.settings import Settings, VideoSettings
from pipeline.skeletons import save_skeletons
from pipeline.tracking import Moment, Tracker
from pipeline.values import Frame, Person
from pipeline.video import content_id


class Walking:
    """One person who walks to the right from frame 5 on."""

    def __enter__(self) -> "Walking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def __call__(self, frame: Frame) -> list[Person]:
        return [standing(20 + 20 * frame.time, 4, 40)] if frame.index >= 5 else []


def test_one_walker_becomes_one_track(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(40)])
    told: list[tuple[str, float, float | None]] = []
    found = extract(
        clip,
        pose=Walking(),
        progress=lambda *what: told.append(what),
    )
    assert found.source == str(clip)
    assert found.content == content_id(clip)
    assert found.frame_size == (64, 48)
    assert found.frames == 40
    assert found.fps == pytest.approx(25, rel=1e-3)
    assert found.duration == pytest.approx(1.6, rel=1e-3)
    assert found.warnings == ()
    (track,) = found.tracks
    np.testing.assert_array_equal(track.frames, np.arange(5, 40))
    np.testing.assert_allclose(track.times, 0.04 * np.arange(5, 40), atol=2e-3)
    assert told[-1] == ("walk.mp4", 40, 40)


def test_nobody_is_no_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "empty.mp4", [0, 40, 80])
    assert extract(clip, pose=Walking()).tracks == ()


def test_skeletons_are_read_as_they_are(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(30)])
    found = extract(clip, pose=Walking())
    again = extract(save_skeletons(tmp_path / "walk.npz", found))
    assert again.content == found.content
    np.testing.assert_allclose(again.tracks[0].image, found.tracks[0].image)
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(SkeletonFileError):
        extract(tmp_path / "bad.npz")


def test_truncated_clip_keeps_its_warning(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.avi", [40 * k for k in range(50)], size=(160, 120))
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    (warning,) = extract(clip, pose=Walking()).warnings
    assert "truncated" in warning


def test_settings_reach_the_decoder(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(30)], size=(128, 96))
    found = extract(clip, Settings(video=VideoSettings(max_side=64, max_seconds=0.8)), pose=Walking())
    assert found.frame_size == (64, 48)
    assert found.frames == 20


def test_frames_left_out_change_neither_numbers_nor_times_nor_rate(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [round(1000 * k / 60) for k in range(121)])
    told: list[float] = []
    found = extract(clip, pose=Walking(), progress=lambda what, done, total: told.append(done))
    assert (found.frames, found.warnings) == (121, ())
    assert found.fps == pytest.approx(60, rel=1e-3)
    assert found.duration == pytest.approx(121 / 60, rel=1e-3)
    (track,) = found.tracks
    np.testing.assert_array_equal(track.frames, np.arange(8, 121, 4))
    np.testing.assert_allclose(track.times, np.arange(8, 121, 4) / 60, atol=1e-3)


@pytest.mark.parametrize("stride", [1, 2, 5, 10])
def test_progress_is_told_at_any_stride(tmp_path: Path, stride: int) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(121)])
    told: list[float] = []
    extract(clip, Settings(video=VideoSettings(stride=stride)), pose=Walking(),
            progress=lambda what, done, total: told.append(done) if what == clip.name else None)  # fmt: skip
    assert len(told) - 1 == len(range(0, 121, stride)) // 5


def test_missing_clip_is_told_before_any_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["pipeline.extract"], "MediaPipePose", None)
    with pytest.raises(VideoError, match="there is no such file"):
        extract(tmp_path / "absent.mp4")


class Interrupting(Walking):
    """The user presses Ctrl-C at frame 30."""

    def __call__(self, frame: Frame) -> list[Person]:
        if frame.index == 30:
            raise KeyboardInterrupt
        return super().__call__(frame)


def test_a_stream_that_is_interrupted_keeps_what_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(40)])
    with pytest.raises(KeyboardInterrupt):
        extract(clip, pose=Interrupting())
    monkeypatch.setattr(sys.modules["pipeline.extract"], "is_stream", lambda source: True)
    found = extract(clip, pose=Interrupting())
    assert found.frames == 30
    assert len(found.tracks[0]) == 25
    assert "was stopped after 1.2 s" in found.warnings[-1]


class Uneven(Walking):
    """Takes now a long time, now none, over a person who walks, and one more in every third frame."""

    def __call__(self, frame: Frame) -> list[Person]:
        time.sleep(0.004 * (frame.index % 3 == 0))
        here = super().__call__(frame)
        return [*here, standing(50, 4, 30)] if frame.index % 3 == 0 else here


def test_what_overlaps_gives_the_same_tracks_as_one_thing_after_the_other(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(60)])
    tracker, pose = Tracker(), Uneven()
    decoder = AvDecoder(str(clip), 1920, 1, network=False)
    for rgb, seconds, index in decoder:
        frame = Frame(rgb, seconds, index)
        tracker.update(frame, pose(frame))
    decoder.close()
    expected = tracker.finish((64, 48), str(clip))
    found = extract(clip, pose=Uneven()).tracks
    assert [track.id for track in found] == [track.id for track in expected]
    assert len(found) >= 1
    for track, other in zip(found, expected, strict=True):
        for name in ("times", "frames", "boxes", "image", "world", "visibility"):
            np.testing.assert_array_equal(getattr(track, name), getattr(other, name))


def test_tracking_never_falls_behind_by_more_than_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(20)])
    tracked: list[int] = []

    class Slow(Tracker):
        def update(self, frame: Moment, persons: Sequence[Person]) -> list[int]:
            time.sleep(0.02)
            tracked.append(frame.index)
            return super().update(frame, persons)

    class Watching(Walking):
        def __call__(self, frame: Frame) -> list[Person]:
            assert frame.index - len(tracked) <= 1
            return super().__call__(frame)

    monkeypatch.setattr(sys.modules["pipeline.extract"], "Tracker", Slow)
    assert extract(clip, pose=Watching()).frames == 20
    assert tracked == list(range(20))


class Failing(Walking):
    """Cannot go on at frame 7."""

    def __call__(self, frame: Frame) -> list[Person]:
        if frame.index == 7:
            raise PoseModelError("the model is gone: get it again")
        return super().__call__(frame)


@pytest.mark.parametrize("where", ["pose", "tracker", "last"])
def test_an_error_ends_it_all_and_leaves_no_thread_and_no_open_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    clip = write_clip(tmp_path / "walk.mp4", [40 * k for k in range(100)])
    before = set(threading.enumerate())

    class Broken(Tracker):
        def update(self, frame: Moment, persons: Sequence[Person]) -> list[int]:
            if frame.index == {"tracker": 7, "last": 99}[where]:
                raise PoseModelError("the model is gone: get it again")
            return super().update(frame, persons)

    if where != "pose":
        monkeypatch.setattr(sys.modules["pipeline.extract"], "Tracker", Broken)
    with pytest.raises(PoseModelError, match="get it again"):
        extract(clip, pose=Failing() if where == "pose" else Walking())
    assert set(threading.enumerate()) <= before
    open_files = Path("/proc/self/fd")
    if open_files.exists():
        assert not any(str(clip) == os.path.realpath(file) for file in open_files.iterdir())
