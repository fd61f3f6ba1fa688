"""Footage in: times, rotation, size and stride."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from written_clips import joined, write_clip

from pipeline import decoders
from pipeline.decoders import AvDecoder, CvDecoder
from pipeline.settings import VideoSettings
from pipeline.video import open_video


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
