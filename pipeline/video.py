"""Footage -> Frames: files, webcams and network streams, decoded ahead in a thread, never more than a few at a time."""

import hashlib
import os
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType

from pipeline.decoders import AvDecoder, CvDecoder, Decoder, Picture, UnreadableError
from pipeline.errors import VideoError
from pipeline.settings import VideoSettings
from pipeline.values import Frame, Progress, silent

_CONTAINERS = (
    "264 265 3gp 3g2 asf avi dav divx dv f4v flv gif h264 h265 hevc ivf m1v m2ts m2v m4v mjpeg mjpg mkv mov mp4 mpeg"
    " mpg mts mxf ogv rm ts vob webm wmv wtv y4m"
)
SUFFIXES = frozenset(f".{suffix}" for suffix in [*_CONTAINERS.split(), "npz"])
"""What `find_clips` takes for a clip; .npz is a clip's extracted skeletons."""

_AHEAD = 4  # frames decoded before they are asked for
_GRACE = 3.0  # seconds that a decoder may take to stop
_LIVE = {"rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms"}
_NETWORK = _LIVE | {"http", "https", "tcp"}


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source once it is open.

    source: what the user gave, without a password. width, height: of the Frames, in pixels (upright, scaled).
    fps: mean frames a second as declared, 0 where unknown. frames_declared, duration (s): 0 where unknown.
    """

    source: str
    width: int
    height: int
    fps: float
    frames_declared: int
    duration: float


def is_stream(source: str) -> bool:
    """Whether `source` is a webcam's index or a URL rather than a file."""
    if _scheme(source) in _NETWORK:
        return True
    return source.isascii() and source.isdigit() and not Path(source).exists()


def shown(source: str) -> str:
    """`source` as it may be shown and kept: a URL without its user and password."""
    if "@" not in source or not is_stream(source):
        return source
    scheme, _, rest = source.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in host:
        return f"{scheme}://{host.rpartition('@')[2]}{rest[len(host) :]}"
    # A password may hold a sign that ends the host, as in user:pa/ss@camera; a host is followed by a port alone.
    port = host.partition(":")[2]
    return f"{scheme}://{rest.rpartition('@')[2]}" if port and not port.isdigit() else source


def _scheme(source: str) -> str:
    """The scheme of a URL, in small letters; empty for anything else."""
    scheme, mark, _ = source.partition("://")
    return scheme.lower() if mark else ""


def find_clips(folder: str | Path) -> list[Path]:
    """Every clip below `folder`, known by its suffix, in order of path; hidden files are left out."""
    folder = Path(folder)
    if not folder.is_dir():
        raise VideoError(f"{folder} is not a folder: give a folder that holds clips")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def content_id(path: str | Path, progress: Progress = silent) -> str:
    """The sha256 of a file's bytes, in hex: the same clip under any name."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                progress("reading the file", file.tell(), os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise VideoError(f"{path} cannot be read ({error.strerror}): give a video file") from error
    return digest.hexdigest()


def open_video(source: str | Path, settings: VideoSettings | None = None) -> "Video":
    """Open footage: the path of a file, the index of a webcam ("0"), or an RTSP or HTTP URL.

    Raises `VideoError` at once when it cannot be opened or its first frame cannot be decoded.
    """
    return Video(str(source), settings or VideoSettings())


class Video:
    """Open footage, a context manager and an iterator of the `Frame`s that are used (`pipeline.pace`); each is given
    once, with its time and number in the source.

    A thread opens the source and decodes a few frames ahead, so that decoding and what the caller does overlap, and
    Ctrl-C is obeyed even where a video library hangs. A live source that comes faster than its frames are taken loses
    the oldest. `warnings` is complete when the last frame has been taken.
    """

    def __init__(self, source: str, settings: VideoSettings) -> None:
        self.warnings: list[str] = []
        self._name = shown(source)
        self._max_seconds = settings.max_seconds
        self._live = is_stream(source) and _scheme(source) not in {"http", "https"}
        self._queue: queue.Queue[Picture | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._given = False
        self._thread = threading.Thread(target=self._decode, args=(source, settings), name="decode", daemon=True)
        self._thread.start()
        try:
            first = self._queue.get()
        except KeyboardInterrupt:
            self.close()
            raise
        if first is None:
            raise VideoError(f"{self._name}: no picture could be decoded: the file is damaged or empty")
        if isinstance(first, UnreadableError):
            raise VideoError(f"{self._name} cannot be decoded: {first}") from first
        if isinstance(first, BaseException):
            raise first
        self._first = first
        height, width = first[0].shape[:2]
        declared = self._decoder.declared
        self.info = VideoInfo(self._name, width, height, declared.fps, declared.frames, declared.duration)

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        if self._given or self._stop.is_set():
            raise VideoError(f"{self._name} has been read already: open it again")
        self._given = True
        item: Picture | BaseException | None = self._first
        try:
            while item is not None:
                if isinstance(item, UnreadableError):
                    self.warnings.append(f"{self._name}: broke off after {self._decoder.count} frames: {item}")
                    break
                if isinstance(item, BaseException):
                    raise item
                rgb, time, number = item
                if self._max_seconds is not None and time >= self._max_seconds:
                    break
                yield Frame(rgb=rgb, time=time, index=number - self._first[2])
                item = self._queue.get()
            else:
                self._check_whole(self._decoder.count, self._decoder.last)
        finally:
            self.close()

    def close(self) -> None:
        """Stop decoding and release the source; safe to call twice. A decoder that hangs is left behind."""
        self._stop.set()
        deadline = monotonic() + _GRACE
        while self._thread.is_alive() and monotonic() < deadline:
            _drain(self._queue)
            self._thread.join(0.05)

    def _decode(self, source: str, settings: VideoSettings) -> None:
        """The thread: everything that comes goes into the queue, then None; an error goes in as itself."""
        end: BaseException | None = None
        try:
            with closing(_open_decoder(source, settings.max_side, settings.stride)) as self._decoder:
                for picture in self._decoder:
                    if self._stop.is_set():
                        return
                    self._put(picture)
        except BaseException as error:
            end = error
        finally:
            self._put(end)

    def _put(self, item: Picture | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                if self._live and isinstance(item, tuple):
                    _drain(self._queue)

    def _check_whole(self, count: int, last: float) -> None:
        """Warn of a clock that jumps, and when the times end well before the declared duration.

        Frames that are declared need not be there: those before the beginning of an edit list are never shown, and
        some .avi count those that a camera dropped.
        """
        declared = self._decoder.declared
        if self._decoder.jumps:
            self.warnings.append(
                f"{self._name}: its clock jumps in {self._decoder.jumps} places: time was taken to go on there"
            )
        end = last + 1 / (declared.fps or 25.0)
        if not declared.duration or end < 0.95 * declared.duration - 0.5:
            missing = declared.frames - count
            if missing > max(2, 0.02 * declared.frames):
                self.warnings.append(f"{self._name}: truncated: {count} of {declared.frames} frames could be decoded")
                return
            if declared.duration and not declared.frames and not self._live:
                self.warnings.append(
                    f"{self._name}: truncated: {end:.1f} of {declared.duration:.1f} s could be decoded"
                )
                return
        if self._decoder.damaged:
            self.warnings.append(f"{self._name}: {self._decoder.damaged} damaged parts were left out")


def _open_decoder(source: str, max_side: int, stride: int | None) -> Decoder:
    if is_stream(source):
        try:
            if source.isdigit():
                return CvDecoder(int(source), max_side, stride)
            return AvDecoder(source, max_side, stride, network=True)
        except UnreadableError as error:
            kind = f"camera {source}" if source.isdigit() else shown(source)
            raise VideoError(f"{kind} cannot be opened: {error}: check that it is there and can be reached") from error
    path = Path(source)
    if path.is_dir():
        raise VideoError(f"{source} is a folder, not a clip: give a video file, or use `reid batch` for folders")
    try:
        size = path.stat().st_size
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise VideoError(f"{source}: {reason}: check the path") from error
    if size == 0:
        raise VideoError(f"{source} is empty (0 bytes): copy or record it again")
    try:
        return AvDecoder(source, max_side, stride, network=False)
    except UnreadableError as error:
        raise VideoError(f"{source} cannot be opened: {error}: give a video file") from error


def _drain(waiting: "queue.Queue[Picture | BaseException | None]") -> None:
    try:
        while True:
            waiting.get_nowait()
    except queue.Empty:
        return
