"""Frames are decoded ahead in a thread, which changes nothing and ends when asked to."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from written_clips import write_clip

from pipeline.decoders import AvDecoder, Picture, UnreadableError
from pipeline.errors import VideoError
from pipeline.settings import VideoSettings
from pipeline.video import open_video

HANGS = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
sys.path[:0] = {paths!r}
import numpy as np
from stick_pose import StickPose
from pipeline import decoders, extract, video

class Hanging:
    declared, damaged, count, last = decoders.Declared(25.0, 0, 0.0), 0, 1, 0.0
    def __init__(self, *_, **__):
        self.hang({opening})
    def __iter__(self):
        yield np.zeros((48, 64, 3), np.uint8), 0.0, 0
        self.hang(True)
    def hang(self, now):
        if now:
            print("hangs", flush=True)
            threading.Event().wait()
    def close(self):
        pass

video.AvDecoder = Hanging
try:
    extract({clip!r}, pose=StickPose())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("opening", [True, False])
def test_ctrl_c_is_obeyed_while_a_decoder_hangs(tmp_path: Path, opening: bool) -> None:
    clip = write_clip(tmp_path / "a.avi", [0, 40])
    here = Path(__file__)
    code = HANGS.format(paths=[str(here.parents[2]), str(here.parent)], opening=opening, clip=str(clip))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=120) == 130
        finally:
            process.kill()


def test_leaving_early_stops_the_decoding(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(200)])
    with open_video(path) as video:
        for frame in video:
            if frame.index == 3:
                break
    assert not any(thread.name == "decode" for thread in threading.enumerate())
    with pytest.raises(VideoError, match="open it again"):
        next(iter(video))


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_decoding_ahead_changes_no_frame_and_no_time(tmp_path: Path, pause: float) -> None:
    path = write_clip(tmp_path / "a.mp4", [33 * k + k % 3 for k in range(60)])
    decoder = AvDecoder(str(path), 1920, 1, network=False)
    expected = list(decoder)
    decoder.close()
    with open_video(path, VideoSettings(stride=1)) as video:
        for count, (frame, (rgb, seconds, number)) in enumerate(zip(video, expected, strict=True)):
            time.sleep(pause * (count == 3))  # long enough for the decoder to wait for room
            assert (frame.index, frame.time) == (number, seconds) == (count, seconds)
            np.testing.assert_array_equal(frame.rgb, rgb)


def breaking_after_four(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Decoders that meet `error` after four frames."""
    whole = AvDecoder.__iter__

    def broken(self: AvDecoder) -> Iterator[Picture]:
        yield from islice(whole(self), 4)
        raise error

    monkeypatch.setattr(AvDecoder, "__iter__", broken)


def test_a_source_that_breaks_off_while_decoding_ahead_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(10)])
    breaking_after_four(monkeypatch, UnreadableError("the cable was pulled"))
    with open_video(path) as video:
        assert len(list(video)) == 4
    assert video.warnings == [f"{path}: broke off after 5 frames: the cable was pulled"]
    assert not any(thread.name == "decode" for thread in threading.enumerate())


def test_an_error_while_decoding_ahead_is_raised_where_the_frames_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(10)])
    breaking_after_four(monkeypatch, VideoError("the disk is gone: put it back"))
    with open_video(path) as video, pytest.raises(VideoError, match="put it back"):
        list(video)
    assert not any(thread.name == "decode" for thread in threading.enumerate())


def test_few_frames_are_decoded_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(100)])
    decoded: list[int] = []
    upright = AvDecoder._upright

    def counted(self: AvDecoder, frame: av.VideoFrame) -> np.ndarray:
        decoded.append(1)
        return upright(self, frame)

    monkeypatch.setattr(AvDecoder, "_upright", counted)
    with open_video(path) as video:
        for frame in video:
            assert len(decoded) - frame.index <= 8
