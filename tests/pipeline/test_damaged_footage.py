"""Footage with parts that are missing, damaged or in disorder: what is there is read, and what is not is told."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from written_clips import joined, write_clip

from pipeline.decoders import AvDecoder
from pipeline.video import open_video


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
