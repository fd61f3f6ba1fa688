"""Clips that tests write: what they show is known."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


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


def joined(path: Path, *parts: Path) -> Path:
    """Files one after the other in one, as `cat` joins them."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def gif(width: int, height: int) -> bytes:
    """A picture of so many pixels in sixty bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00" + b";"


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
