"""Footage in: times, rotation, size, truncation, and everything that is no footage."""

import hashlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline import decoders
from pipeline.decoders import AvDecoder, CvDecoder, Picture, UnreadableError
from pipeline.errors import VideoError
from pipeline.settings import VideoSettings
from pipeline.video import content_id, find_clips, is_stream, open_video, shown


def write_clip(
    path: Path, times: list[int], size: tuple[int, int] = (64, 48), codec: str = "mpeg4", rotation: int = 0
) -> Path:
    """A clip whose k-th frame is shown `times[k]` milliseconds after the start: left half bright, right half noisy."""
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        base = Fraction(1, 25) if path.suffix == ".avi" else Fraction(1, 1000)  # .avi has a slot for every tick
        stream.time_base = stream.codec_context.time_base = base
        for k, time in enumerate(times):
            rgb = np.zeros((size[1], size[0], 3), np.uint8)
            rgb[:, : size[0] // 2] = 250 - k // 4
            rgb[:, size[0] // 2 :] = noise.integers(0, 60, rgb[:, size[0] // 2 :].shape)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = round(time / 1000 / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotation:
        turn(path, rotation)
    return path


def turn(path: Path, degrees: int) -> None:
    """Write a rotation by a quarter turn clockwise into the track header's matrix of an .mp4."""
    assert degrees == 90
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + 40  # version 0
    width = 64 << 16
    values = [0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, width, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big") for value in values)
    path.write_bytes(bytes(data))


def gif(width: int, height: int) -> bytes:
    """A picture of so many pixels in sixty bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00" + b";"


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(30)])
    with open_video(path) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], 0.04 * np.arange(30), atol=1e-3)
    assert frames[0].rgb.shape == (48, 64, 3)
    assert frames[0].rgb.dtype == np.uint8
    assert frames[0].rgb[:, :28].mean() > 200 > 50 > frames[0].rgb[:, 36:].mean()
    assert (video.info.width, video.info.height, video.info.frames_declared) == (64, 48, 30)
    assert video.warnings == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_true_times(tmp_path: Path, suffix: str) -> None:
    times = [0, 20, 100, 133, 400, 420, 1000]
    with open_video(write_clip(tmp_path / f"a.{suffix}", times), VideoSettings(stride=1)) as video:
        np.testing.assert_allclose([1000 * frame.time for frame in video], times, atol=1.5)


def test_pictures_that_are_coded_out_of_order_have_even_times_in_an_avi(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "2", "b-adapt": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(20):
            picture = np.full((48, 64, 3), 10 * value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with open_video(path) as video:
        np.testing.assert_allclose([frame.time for frame in video], 0.1 * np.arange(20), atol=1e-6)


def test_times_begin_at_zero(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "a.mkv", [5000, 5040, 5080])) as video:
        np.testing.assert_allclose([frame.time for frame in video], [0, 0.04, 0.08], atol=2e-3)


def test_rotation_is_applied_as_opencv_applies_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 40, 80], rotation=90)
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (48, 64)
        rgb = next(iter(video)).rgb
    assert rgb.shape == (64, 48, 3)
    assert rgb[:28].mean() > 200 > 50 > rgb[36:].mean()  # what was left is above after a clockwise turn
    _, turned = cv2.VideoCapture(str(path)).read()
    assert turned.shape == rgb.shape
    assert np.abs(turned[..., ::-1].astype(int) - rgb.astype(int)).mean() < 10


def test_long_pictures_are_scaled_down(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 40], size=(128, 96))
    with open_video(path, VideoSettings(max_side=64)) as video:
        assert (video.info.width, video.info.height) == (64, 48)
        assert all(frame.rgb.shape == (48, 64, 3) for frame in video)


def joined(path: Path, *parts: Path) -> Path:
    """Files one after the other in one, as `cat` joins them."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("first", "then", "bright", "dark", "black"),
    [
        ((128, 96), (64, 48), np.s_[4:92, 4:60], np.s_[4:92, 68:124], np.s_[:0, :0]),  # the whole picture again
        ((64, 48), (192, 144), np.s_[4:44, 4:28], np.s_[4:44, 36:60], np.s_[:0, :0]),
        ((64, 48), (64, 112), np.s_[4:44, 20:30], np.s_[4:44, 34:43], np.s_[:, :17]),
        ((64, 48), (192, 48), np.s_[18:30, 4:28], np.s_[18:30, 36:60], np.s_[:15, :]),
    ],
)
def test_pictures_that_change_their_size_are_fitted_into_the_first(
    tmp_path: Path, first: tuple[int, int], then: tuple[int, int], bright: Any, dark: Any, black: Any
) -> None:
    parts = [
        write_clip(tmp_path / f"{number}.ts", [1000 * number + 40 * k for k in range(10)], size, "libx264")
        for number, size in enumerate([first, then])
    ]
    with open_video(joined(tmp_path / "a.ts", *parts)) as video:
        frames = list(video)
    assert len(frames) == 20
    assert {frame.rgb.shape for frame in frames} == {(first[1], first[0], 3)}
    last = frames[-1].rgb
    assert last[bright].mean() > 200 > 60 > last[dark].mean()
    assert not last[black].any()


def test_pictures_of_another_size_are_fitted_once_they_are_upright(tmp_path: Path) -> None:
    decoder = AvDecoder(str(write_clip(tmp_path / "a.mp4", [0, 40], rotation=90)), 1920, 1, network=False)
    frame = next(decoder._frames())
    first, wide = decoder._upright(frame), decoder._upright(frame.reformat(192, 48))
    decoder.close()
    assert first.shape == wide.shape == (64, 48, 3)
    assert not wide[:, :16].any()
    assert wide[:28, 18:30].mean() > 200 > 50 > wide[36:, 18:30].mean()


def test_stops_after_max_seconds_without_a_warning(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(30)])
    with open_video(path, VideoSettings(max_seconds=0.4)) as video:
        assert len(list(video)) == 10
    assert video.warnings == []


def jumping(stamps: list[float], monkeypatch: pytest.MonkeyPatch, path: Path) -> tuple[list[float], int]:
    """The times of frames that are stamped so, and how often their clock was seen to jump."""
    decoder = AvDecoder(str(path), 1920, 1, network=False)
    monkeypatch.setattr(decoder, "_frames", lambda: iter(stamps))
    monkeypatch.setattr(decoder, "_stamp", lambda stamp: stamp)
    times = [seconds for _, seconds in decoder._timed()]
    decoder.close()
    return times, decoder.jumps


@pytest.mark.parametrize(
    ("stamps", "times", "jumps"),
    [
        ([5, 5.04, 5.08, 0, 0.04, 0.08, 0.12], [0.04 * k for k in range(7)], 1),  # a clock that is set back
        ([5, 5.04, 5.08, 0, 5.16, 5.2], [0.04 * k for k in range(6)], 1),  # one wrong time, before
        ([0, 0.04, 100, 0.12, 0.16, 0.2], [0, 0.04, 100, 100.04, 100.08, 100.12], 1),  # and one after
        ([0, 0.04, 1e9, 0.12, 0.16], [0.04 * k for k in range(5)], 1),
        ([1e15 * k for k in range(7)], [0.04 * k for k in range(7)], 1),
        ([0, 60, 3600, 3660], [0, 60, 3600, 3660], 0),  # a camera that films now and then
        ([0, 0.04, 0.12, 0.08, 0.16], [0, 0.04, 0.12, 0.121, 0.16], 0),  # in disorder
    ],
)
def test_where_the_clock_jumps_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamps: list[float], times: list[float], jumps: int
) -> None:
    told = jumping(stamps, monkeypatch, write_clip(tmp_path / "a.mp4", [0, 40]))
    np.testing.assert_allclose(told[0], times, atol=1e-6)
    assert told[1] == jumps


def test_of_recordings_that_were_joined_nothing_is_left_out(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts", [40 * k for k in range(50)], codec="libx264")
    path = joined(tmp_path / "a.ts", part, part, part)
    with open_video(path) as video:
        times = [frame.time for frame in video]
    np.testing.assert_allclose(times, 0.04 * np.arange(150), atol=1e-3)
    assert video.warnings == [f"{path}: its clock jumps in 2 places: time was taken to go on there"]


def sixty(path: Path, frames: int = 61) -> Path:
    return write_clip(path, [round(1000 * k / 60) for k in range(frames)])


def test_of_sixty_frames_a_second_fifteen_are_given_with_their_true_numbers_and_times(tmp_path: Path) -> None:
    with open_video(sixty(tmp_path / "a.mp4")) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(0, 61, 4))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(0, 61, 4) / 60, atol=1e-3)
    assert (video.info.frames_declared, video.warnings) == (61, [])


def test_every_frame_of_25_a_second_is_given_unless_told_otherwise(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(30)])
    for stride, every in ((None, 1), (1, 1), (4, 4), (100, 100)):
        with open_video(path, VideoSettings(stride=stride)) as video:
            assert [frame.index for frame in video] == list(range(0, 30, every))
        assert video.warnings == []  # what was left out is not missing


def test_frames_that_are_left_out_are_made_no_picture_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    upright = AvDecoder._upright
    monkeypatch.setattr(AvDecoder, "_upright", lambda self, frame: made.append(frame.time) or upright(self, frame))
    with open_video(sixty(tmp_path / "a.mp4")) as video:
        assert len(list(video)) == len(made) == 16


def test_a_stride_ends_where_a_limit_or_the_file_does(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(30)])
    with open_video(path, VideoSettings(stride=3, max_seconds=0.4)) as video:
        assert [frame.index for frame in video] == [0, 3, 6, 9]
    assert video.warnings == []
    whole = write_clip(tmp_path / "b.avi", [40 * k for k in range(50)], size=(160, 120)).read_bytes()
    (tmp_path / "b.avi").write_bytes(whole[: len(whole) // 2])
    with open_video(tmp_path / "b.avi") as video:
        count = len(list(video))
    with open_video(tmp_path / "b.avi", VideoSettings(stride=3)) as strided:
        list(strided)
    assert strided.warnings == video.warnings
    assert f"{count} of 50" in video.warnings[0]


def test_a_webcam_keeps_to_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Camera:
        """Sixty pictures a second, for a second."""

        taken = 0

        def __init__(self, _: int) -> None:
            """Any camera is there."""

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def get(self, _: int) -> float:
            return 60.0

        def read(self) -> tuple[bool, np.ndarray]:
            Camera.taken += 1
            return Camera.taken <= 61, np.zeros((48, 64, 3), np.uint8)

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(decoders.time, "monotonic", lambda: Camera.taken / 60)
    frames = list(CvDecoder(0, 1920, None))
    assert [number for _, _, number in frames] == list(range(0, 61, 4))
    np.testing.assert_allclose([time for _, time, _ in frames], np.arange(0, 61, 4) / 60, atol=2e-3)
    assert all(rgb.shape == (48, 64, 3) for rgb, _, _ in frames)


def test_grey_raw_avi(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "gray"
        for value in (10, 200):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160), value, np.uint8), "gray")))
    with open_video(path) as video:
        assert [int(frame.rgb.mean()) for frame in video] == [10, 200]


def test_truncated_file_is_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", [40 * k for k in range(50)], size=(160, 120))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with open_video(path) as video:
        count = len(list(video))
    assert 0 < count < 50
    assert len(video.warnings) == 1
    assert "truncated" in video.warnings[0]
    assert f"{count} of 50" in video.warnings[0]


def test_truncated_file_that_declares_only_a_duration(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", [40 * k for k in range(100)], size=(160, 120))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with open_video(path) as video:
        list(video)
    assert len(video.warnings) == 1
    assert "of 4.0 s could be decoded" in video.warnings[0]


def test_frames_that_an_edit_list_leaves_out_are_not_missing(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", [40 * k for k in range(100)], codec="libx264")
    path = tmp_path / "a.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:  # what `ffmpeg -ss 2 -c copy` does
        pictures = source.streams.video[0]
        stream = target.add_stream_from_template(pictures)
        for packet in source.demux(pictures):
            if packet.pts is not None:
                packet.pts -= round(2 / pictures.time_base)
                packet.dts -= round(2 / pictures.time_base)
                packet.stream = stream
                target.mux(packet)
    with open_video(path) as video:
        assert len(list(video)) == 50
    assert (video.info.frames_declared, video.warnings) == (100, [])


def test_frames_that_a_camera_dropped_are_not_missing_in_an_avi(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", [40 * k for k in range(100) if k % 5 != 3])
    with open_video(path) as video:
        assert len(list(video)) == 80
    assert (video.info.frames_declared, video.warnings) == (100, [])


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_sound_that_lasts_longer_than_the_pictures_is_no_truncation(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libopus", rate=48000, layout="mono")
        for _ in range(25):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(pictures.encode())
        for number in range(8 * 50):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 960 * number
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with open_video(path) as video:
        assert len(list(video)) == 25
    assert (video.info.duration, video.warnings) == (1.0, [])


def test_an_mkv_whose_times_begin_late_is_no_shorter(tmp_path: Path) -> None:
    with open_video(write_clip(tmp_path / "a.mkv", [5000 + 40 * k for k in range(50)])) as video:
        assert len(list(video)) == 50
    assert (video.info.duration, video.warnings) == (2.0, [])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("absent.mp4", None, "there is no such file"),
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"these are words\n" * 200, "not a video"),
        ("text.txt", b"these are words\n" * 200, "not a video"),
        ("zeros.avi", bytes(4096), "not a video"),
        ("list.mp4", b"ffconcat version 1.0\nfile beside.avi\n", "not a video"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\nbeside.avi\n#EXT-X-ENDLIST\n", "not a video"),
        ("picture.mp4", cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(), "not a video"),
        ("huge.gif", gif(16000, 16000), "16000 x 16000 pixels are too large"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / name
    write_clip(tmp_path / "beside.avi", [0, 40, 80])  # what a list would have opened
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=told) as error:
        open_video(path)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_picture_that_claims_to_be_enormous_is_left_out(tmp_path: Path) -> None:
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()
    size = picture.index(b"\xff\xc0") + 5
    huge = picture[:size] + struct.pack(">HH", 16000, 16000) + picture[size + 4 :]
    path = tmp_path / "a.mjpeg"
    path.write_bytes(2 * picture + huge + 2 * picture)
    with open_video(path) as video:
        assert [frame.rgb.shape for frame in video] == 4 * [(48, 64, 3)]
    assert video.warnings == [f"{path}: 1 damaged parts were left out"]


def test_a_stream_that_was_not_there_at_the_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stumbling:
        def __init__(self, container: Any) -> None:
            self.container, self.streams, self.duration = container, container.streams, container.duration
            self.format = container.format
            self.stumbled = False

        def demux(self, stream: Any) -> Iterator[Any]:
            for number, packet in enumerate(self.container.demux(stream)):
                yield packet
                if number == 3 and not self.stumbled:
                    self.stumbled = True
                    raise IndexError("list index out of range")  # what PyAV says of a packet of such a stream

        def close(self) -> None:
            self.container.close()

    opened = av.open
    path = write_clip(tmp_path / "a.mp4", [40 * k for k in range(30)])
    monkeypatch.setattr(av, "open", lambda *given, **options: Stumbling(opened(*given, **options)))
    with open_video(path) as video:
        assert len(list(video)) == 30
    assert video.warnings == [f"{path}: 1 damaged parts were left out"]


def test_a_title_that_is_no_text_keeps_no_clip_from_being_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Halle"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"Halle", b"H\xe4lle"[:5]))
    with open_video(path) as video:
        assert len(list(video)) == 1


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_OPEN_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(VideoError, match="did not answer in time"):
        open_video(f"http://127.0.0.1:{mute.getsockname()[1]}/a.mp4")


def test_folder_sound_and_missing_camera_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VideoError, match="is a folder"):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="camera 97 cannot be opened"):
        open_video("97")
    with pytest.raises(VideoError, match="Connection refused"):
        open_video("http://user:secret@127.0.0.1:9/a.mp4")
    sound = tmp_path / "a.mov"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no pictures"):
        open_video(sound)
    assert capfd.readouterr() == ("", "")


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


def test_passwords_are_not_shown() -> None:
    assert shown("rtsp://me:secret@camera:554/live?a=b") == "rtsp://camera:554/live?a=b"
    assert shown("rtsp://me:se/c@ret@camera/live") == "rtsp://camera/live"
    assert shown("rtsp://camera:554/live@2?a=b@c") == "rtsp://camera:554/live@2?a=b@c"
    assert shown("clips/me@home.mp4") == "clips/me@home.mp4"


def test_streams_are_known_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_stream("0")
    assert is_stream("rtsp://camera/live")
    assert is_stream("HTTP://host/a.mp4")
    assert not is_stream("clips/a.mp4")
    assert not is_stream("C:/a.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").touch()
    assert not is_stream("0")


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


def write_as(path: Path, form: str, codec: str) -> Path:
    """Ten pictures in a container that its name does not tell."""
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for value in range(10):
            picture = np.full((144, 176, 3), 20 * value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_dahua(path: Path) -> Path:
    """The same as a recorder of Dahua's exports it."""
    raw = write_as(path.with_suffix(".raw"), "h264", "libx264")
    size_and_codec = bytes([0x80, 0, 176 // 8, 144 // 8, 0x81, 0, 4, 25])
    parts = b""
    with av.open(str(raw), format="h264") as container:
        for number, packet in enumerate(packet for packet in container.demux(video=0) if packet.size):
            kind = 0xFD if packet.is_keyframe else 0xFC
            length = 24 + len(size_and_codec) + packet.size + 8
            head = struct.pack(
                "<4sIIIIHBB", b"DHAV", kind, number, length, 1 << 30, 40 * number, len(size_and_codec), 0
            )
            parts += head + size_and_codec + bytes(packet) + struct.pack("<4sI", b"dhav", length)
    path.write_bytes(parts)
    return path


@pytest.mark.parametrize(
    ("suffix", "form", "codec"),
    [
        ("264", "h264", "libx264"), ("265", "hevc", "libx265"), ("m1v", "mpeg1video", "mpeg1video"),
        ("m2v", "mpeg2video", "mpeg2video"), ("mjpg", "mjpeg", "mjpeg"), ("divx", "avi", "mpeg4"),
        ("ivf", "ivf", "libvpx"), ("wtv", "wtv", "mpeg2video"), ("rm", "rm", "rv20"),
        ("dav", "dhav", "libx264"),
    ],
)  # fmt: skip
def test_what_recorders_write_is_found_in_a_folder_and_read(tmp_path: Path, suffix: str, form: str, codec: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if form == "dhav":
        write_dahua(path)
    else:
        write_as(path, form, codec)
    assert path in find_clips(tmp_path)
    with open_video(path, VideoSettings(stride=1)) as video:
        assert len(list(video)) == 10
    assert (video.info.width, video.info.height, video.warnings) == (176, 144, [])


def test_find_clips_goes_down_and_sorts(tmp_path: Path) -> None:
    for name in ("b/z.MP4", "a.avi", "b/c/x.npz", "notes.txt", ".hidden.mp4", "b/.cache/y.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_clips(tmp_path) == [tmp_path / "a.avi", tmp_path / "b/c/x.npz", tmp_path / "b/z.MP4"]
    with pytest.raises(VideoError, match="not a folder"):
        find_clips(tmp_path / "absent")


def test_content_id_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert content_id(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(VideoError, match="cannot be read"):
        content_id(tmp_path / "absent")
