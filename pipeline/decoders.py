"""The two decoders behind `pipeline.video`: PyAV for files and streams, and OpenCV for webcams.

Files come from anyone. Only the containers that hold footage are opened, none that names other files or addresses, and
nothing but the file itself is read.

Each is an iterator of (rgb (H, W, 3) uint8 upright, seconds from the first frame, number of the frame) with what the
container declares. Frames that its `stride` leaves out (`pipeline.pace`) are decoded, but never made a picture of. A
decoder is made and closed by one `Video`; it raises `UnreadableError` with the reason in a few words.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import cv2
import numpy as np

from pipeline.pace import paced

Picture = tuple[np.ndarray, float, int]

_OPEN_TIMEOUT, _READ_TIMEOUT = 10.0, 20.0  # seconds, of a network source
_CONTAINERS = (
    "asf avi av1 dhav dv flv gif h263 h264 hevc ifv ivf m4v matroska mjpeg mov mpeg mpegts mpegtsraw mpegvideo mxf nut"
    " obu ogg rm vc1 wtv yuv4mpegpipe"
)  # FFmpeg's names of them
_BACK = 1.0  # seconds that times may go back: so much is disorder, more a clock that jumps
_LONGEST = 1e8  # seconds from the first frame: three years, and MediaPipe's clock holds ten thousand such clips
_MOST_PIXELS = 1 << 26  # of one picture: 8K twice over, and 0.2 GB as RGB


class UnreadableError(Exception):
    """Why a source cannot be decoded, in a few words."""


@dataclass(frozen=True)
class Declared:
    """What the container says of itself; 0 where it says nothing. fps: mean frames a second; duration: seconds."""

    fps: float
    frames: int
    duration: float


class Decoder(Protocol):
    """A source that is open. Of what was decoded so far, used or not: damaged: parts that had to be left out; jumps:
    of its clock, back or absurdly far ahead; count: frames; last: the time of the last one."""

    declared: Declared
    damaged: int
    jumps: int
    count: int
    last: float

    def __iter__(self) -> Iterator[Picture]: ...

    def close(self) -> None: ...


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size scaled down, never up, so that the longer side is at most `max_side`."""
    return _scaled(width, height, min(1.0, max_side / max(width, height)))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _framed(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) in the middle of a black one of `size` (width, height)."""
    width, height = size
    over, left = (height - rgb.shape[0]) // 2, (width - rgb.shape[1]) // 2
    whole = np.zeros((height, width, 3), np.uint8)
    whole[over : over + rgb.shape[0], left : left + rgb.shape[1]] = rgb
    return whole


class AvDecoder:
    """A file or URL through PyAV: the usual containers and every codec of FFmpeg, with timestamps and rotation."""

    def __init__(self, address: str, max_side: int, stride: int | None, network: bool) -> None:
        # Silent. Any level would have FFmpeg's threads call into Python, and closing would wait for them for ever.
        av.logging.set_level(None)
        own = {"protocol_whitelist": "file", "format_whitelist": ",".join(_CONTAINERS.split())}
        options = {"rtsp_transport": "tcp"} if network else own
        timeout = (_OPEN_TIMEOUT, _READ_TIMEOUT) if network else None
        # "file:" keeps names such as "concat:x" or "a:b.mp4" from being read as something else than a file.
        where = address if network else f"file:{os.path.abspath(address)}"
        try:
            # What is written beside the pictures, such as a title, need not be UTF-8.
            self._container: Any = av.open(where, options=options, timeout=timeout, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise UnreadableError(_reason(error)) from error
        try:
            if not self._container.streams.video:
                raise UnreadableError("it holds no pictures")
            self._stream = self._container.streams.video[0]
            if self._stream.codec_context is None:
                raise UnreadableError("its pictures are of an unknown kind")
            width, height = self._stream.codec_context.width, self._stream.codec_context.height
            if width * height > _MOST_PIXELS:
                raise UnreadableError(f"its pictures of {width} x {height} pixels are too large")
        except UnreadableError:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        # Pictures can also become large later.
        self._stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        self._no_showing_times = self._container.format.name == "avi"
        self._max_side, self._stride = max_side, stride
        self._network = network
        self.declared = self._read_header()
        self.damaged = self.jumps = self.count = 0
        self.last = 0.0
        self._size: tuple[int, int] | None = None  # of the first picture, upright

    def _read_header(self) -> Declared:
        stream = self._stream
        rates = (stream.average_rate, stream.guessed_rate)
        fps = next((float(rate) for rate in rates if rate and 0.1 <= rate <= 1000), 0.0)
        return Declared(fps, max(0, stream.frames), max(0.0, self._duration()))

    def _duration(self) -> float:
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        whole = self._container.duration / av.time_base if self._container.duration else 0.0
        if not self._container.format.name.startswith("matroska"):
            return whole
        # Counted from zero, wherever the pictures begin. Sound may last longer: where they end, a tag says.
        begin = float(stream.start_time * stream.time_base) if stream.start_time else 0.0
        return min(whole, _seconds(stream.metadata.get("DURATION", "")) or whole) - begin

    def __iter__(self) -> Iterator[Picture]:
        for frame, seconds, number in paced(self._timed(), self._stride):
            yield self._upright(frame), seconds, number

    def _timed(self) -> Iterator[tuple[Any, float]]:
        """Frames with their seconds from the first. Where the clip's clock jumps back, time goes on by one step."""
        first, step, jumped = None, 1.0 / (self.declared.fps or 25.0), False
        last = -step
        for frame in self._frames():
            stamp = self._stamp(frame)
            if stamp is None:
                seconds = last + step
            else:
                first = stamp if first is None else first
                seconds = stamp - first
                before, jumped = jumped, not last - _BACK <= seconds <= _LONGEST
                if jumped:
                    seconds = last + step
                    self.jumps += not before
                    if before:  # no single time that is wrong: files that were joined, or a camera's clock was set
                        first = stamp - seconds
            if seconds <= last:  # what follows must still come later
                seconds = last + 1e-3
            last = self.last = seconds
            self.count += 1
            yield frame, seconds

    def _stamp(self, frame: Any) -> float | None:
        """Seconds, from any beginning. AVI keeps no times of showing, so those of a codec that reorders are made up."""
        if self._no_showing_times:
            return None if frame.dts is None else float(frame.dts * frame.time_base)
        return None if frame.time is None else float(frame.time)

    def _frames(self) -> Iterator[Any]:
        """Frames, leaving out packets that are damaged."""
        try:
            for packet in self._packets():
                try:
                    yield from packet.decode()
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    self.damaged += 1
        except av.error.FFmpegError as error:
            if self._network:
                raise UnreadableError(_reason(error)) from error
            self.damaged += 1  # the file breaks off inside the container

    def _packets(self) -> Iterator[Any]:
        while True:
            try:
                yield from self._container.demux(self._stream)
                return
            except IndexError:  # PyAV, of a packet of a stream that was not there when the file was opened
                self.damaged += 1

    def _upright(self, frame: Any) -> np.ndarray:
        """The picture, in the size of the first: those followed through a clip are followed in its pixels."""
        width, height = frame.width, frame.height
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        if 0.2 < aspect < 5 and aspect != 1:
            width = round(width * float(aspect))  # bodies keep their proportions on oblong pixels
        turns = round(frame.rotation / 90) % 4  # counter-clockwise, as np.rot90 turns
        across = turns % 2 == 1
        size = fitted(*((height, width) if across else (width, height)), self._max_side)
        self._size = self._size or size
        other = size != self._size
        if other:  # a source that adapts to its network, or recordings that were joined
            size = _scaled(*size, min(self._size[0] / size[0], self._size[1] / size[1]))
        width, height = size[::-1] if across else size
        same = (width, height) == (frame.width, frame.height)
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=None if same else "AREA")
        rgb = np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
        return _framed(rgb, self._size) if other else rgb

    def close(self) -> None:
        self._container.close()


class CvDecoder:
    """A webcam by its index, through OpenCV. Its times are those at which a picture is there."""

    damaged = jumps = 0

    def __init__(self, camera: int, max_side: int, stride: int | None) -> None:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(camera)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise UnreadableError("there is no such camera")
        self._max_side, self._stride = max_side, stride
        self.count, self.last = 0, 0.0
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.declared = Declared(fps if 0.1 <= fps <= 1000 else 0.0, 0, 0.0)

    def __iter__(self) -> Iterator[Picture]:
        for bgr, seconds, number in paced(self._timed(), self._stride):
            size = fitted(bgr.shape[1], bgr.shape[0], self._max_side)
            fit = bgr if size == (bgr.shape[1], bgr.shape[0]) else cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
            yield cv2.cvtColor(fit, cv2.COLOR_GRAY2RGB if fit.ndim == 2 else cv2.COLOR_BGR2RGB), seconds, number

    def _timed(self) -> Iterator[tuple[np.ndarray, float]]:
        """Pictures (H, W, 3) or (H, W) with their seconds from the first."""
        first = None
        while True:
            stamp = time.monotonic()
            fine, bgr = self._capture.read()
            if not fine:
                return
            first = stamp if first is None else first
            self.last = max(stamp - first, self.last + 1e-3)
            self.count += 1
            yield bgr, self.last

    def close(self) -> None:
        self._capture.release()


def _seconds(text: str) -> float:
    """Of a time such as 00:01:02.300; 0 where it is none."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", text)
    return sum(unit * float(part) for unit, part in zip((3600, 60, 1), found.groups(), strict=True)) if found else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return "it did not answer in time"
    if isinstance(error, av.error.InvalidDataError | av.error.ArgumentError | av.error.EOFError):
        return "it is not a video, or it is damaged"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
