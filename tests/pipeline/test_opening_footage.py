"""What is taken for footage: files, folders, cameras and addresses, and everything that is none."""

import hashlib
import socket
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from written_clips import gif, write_as, write_clip, write_dahua

from pipeline import decoders
from pipeline.errors import VideoError
from pipeline.settings import VideoSettings
from pipeline.video import content_id, find_clips, is_stream, open_video, shown


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
