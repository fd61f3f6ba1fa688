"""Pictures with times -> one H.264 file. The only file that encodes video."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from pipeline.errors import VideoError

TICKS = 90_000
"""Clock ticks a second: fine enough for any frame rate, constant or not."""


class VideoWriter:
    """Writes an mp4 as a context manager: nothing is at `path` until the block ends well.

    path: ends in .mp4. width, height: pixels, even (4:2:0 colour needs it). fps: the mean, which only guides the
    encoder: each frame carries its own time. crf: 0-51, smaller is better and larger on disk.
    Raises VideoError when `path` cannot be written.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, crf: int = 21) -> None:
        if path.suffix.lower() != ".mp4":
            raise VideoError(f"cannot write {path}: the name of a video to write must end in .mp4")
        self.path = path
        self._part = path.with_name(f".{path.stem}.part{os.getpid()}.mp4")
        self._size = (width, height)
        self._last = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container: Any = av.open(str(self._part), "w")
            stream: Any = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        except (OSError, av.FFmpegError) as error:
            raise VideoError(f"cannot write {path}: {error.strerror or error}") from error
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        self._stream = stream

    def write(self, rgb: np.ndarray, time: float) -> None:
        """Add one picture, (height, width, 3) uint8, shown from `time` seconds on; times increase."""
        height, width = rgb.shape[:2]
        if (width, height) != self._size:
            raise ValueError(f"a picture of {width}x{height} in a video of {self._size[0]}x{self._size[1]}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        # Two frames of damaged footage may claim one time; the container needs them apart.
        self._last = max(self._last + 1, round(time * TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._mux(frame)

    def _mux(self, frame: Any) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise VideoError(f"cannot write {self.path}: {error.strerror or error}") from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._mux(None)
            self._container.close()
            if kind is None:
                os.replace(self._part, self.path)
        except (OSError, av.FFmpegError) as failure:
            if kind is None:  # else what went wrong first is what is told
                raise VideoError(f"cannot write {self.path}: {failure.strerror or failure}") from failure
        finally:
            self._part.unlink(missing_ok=True)
