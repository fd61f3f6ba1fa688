"""Clips that were damaged on purpose, in as many ways as files are damaged or forged; the same for the same seed."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

Mutate = Callable[[bytearray, np.random.Generator], bytes | bytearray]
Atom = tuple[int, int, bytes]
"""Where one begins, its length in bytes, its type."""

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"dinf"}
_ODD = (0, 1, 7, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
CONTAINERS = ("mp4", "mkv", "avi", "ts", "flv")


def mutants(sources: list[Path], folder: Path, count: int, seed: int = 0) -> Iterator[Path]:
    """`count` files in `folder`: every other one an .mp4, the rest the same pictures in other containers."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        source = sources[int(rng.integers(len(sources)))]
        suffix = CONTAINERS[0] if number % 2 == 0 else CONTAINERS[1 + number // 2 % (len(CONTAINERS) - 1)]
        whole = source if suffix == "mp4" else _in_container(source, folder / f"whole-{source.stem}.{suffix}")
        mutate = MUTATIONS[number % len(MUTATIONS)]
        path = folder / f"{number:03d}-{mutate.__name__.strip('_')}.{suffix}"
        path.write_bytes(mutate(bytearray(whole.read_bytes()), rng))
        yield path


def _in_container(source: Path, path: Path) -> Path:
    """The pictures of `source` as another file: as they are, or in an .avi, which cannot hold them, encoded anew."""
    if not path.exists():
        with av.open(str(source)) as old, av.open(str(path), "w") as new:
            own = old.streams.video[0]
            if path.suffix == ".avi":
                again = new.add_stream("mpeg4", rate=own.average_rate)
                again.width, again.height, again.pix_fmt = own.width, own.height, "yuv420p"
                for frame in old.decode(video=0):
                    new.mux(again.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))))
                new.mux(again.encode())
                return path
            stream = new.add_stream_from_template(own)
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
    return path


def _bits_flipped(data: bytearray, rng: np.random.Generator) -> bytearray:
    for bit in rng.integers(8 * len(data), size=2 ** int(rng.integers(12))):
        data[bit // 8] ^= 1 << bit % 8
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(len(data)))]


def _beginning_missing(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[int(rng.integers(1, len(data))) :]


def _header_bits_flipped(data: bytearray, rng: np.random.Generator) -> bytearray:
    first, length = _header(data)
    for place in rng.integers(first, first + length, size=2 ** int(rng.integers(7))):
        data[place] = int(rng.integers(256))
    return data


def _header_numbers_odd(data: bytearray, rng: np.random.Generator) -> bytearray:
    first, length = _header(data)
    for place in rng.integers(first, max(first + 1, first + length - 4), size=int(rng.integers(1, 6))):
        struct.pack_into(">I", data, place, int(rng.choice(_ODD)))
    return data


def _atoms_resized(data: bytearray, rng: np.random.Generator) -> bytearray:
    atoms = list(_atoms(data, 0, len(data)))
    for place, length, _ in (atoms[i] for i in rng.integers(len(atoms), size=int(rng.integers(1, 4)))):
        odd = (*_ODD, length - 1, length + 1, 2 * length, int(rng.integers(1 << 32)))
        struct.pack_into(">I", data, place, int(rng.choice(odd)) & 0xFFFFFFFF)
    return data


def _tables_odd(data: bytearray, rng: np.random.Generator) -> bytearray:
    """The counts and first entries of the tables that say where and how long samples are."""
    tables = [atom for atom in _atoms(data, 0, len(data)) if atom[2] in (b"stts", b"ctts", b"stsz", b"stsc", b"stco")]
    for place, length, _ in tables or [(0, len(data), b"")]:
        if rng.random() < 0.6 and length > 24:
            struct.pack_into(">I", data, place + int(rng.choice((12, 16, 20))), int(rng.choice(_ODD)))
    return data


def _zeros(data: bytearray, rng: np.random.Generator) -> bytearray:
    first = int(rng.integers(len(data)))
    length = min(2 ** int(rng.integers(4, 17)), len(data) - first)
    data[first : first + length] = bytes(length)
    return data


def _garbage_after(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data + rng.bytes(int(rng.integers(1, 1 << 17)))


def _shuffled(data: bytearray, rng: np.random.Generator) -> bytes:
    edges = np.sort(rng.integers(len(data), size=8))
    parts = np.split(np.frombuffer(bytes(data), np.uint8), edges)
    return b"".join(parts[i].tobytes() for i in rng.permutation(len(parts)))


def _another_kind(data: bytearray, rng: np.random.Generator) -> bytes:
    return (b"", rng.bytes(5000), b"these are words\n" * 99, data[:8], data[4:8] * 999)[int(rng.integers(5))]


MUTATIONS: tuple[Mutate, ...] = (
    _bits_flipped, _cut, _beginning_missing, _header_bits_flipped, _header_numbers_odd, _atoms_resized, _tables_odd,
    _zeros, _garbage_after, _shuffled, _another_kind,
)  # fmt: skip


def _header(data: bytes | bytearray) -> tuple[int, int]:
    """Where what describes the clip begins, and how long it is: the atom moov, or the first kilobyte of any other."""
    for place, length, kind in _atoms(data, 0, len(data)):
        if kind == b"moov":
            return place, length
    return 0, min(1024, len(data))


def _atoms(data: bytes | bytearray, first: int, last: int) -> Iterator[Atom]:
    """The atoms of an .mp4, outer ones before those within them; of any other file, whatever looks like some."""
    place = first
    while place + 8 <= last:
        length, kind = struct.unpack_from(">I4s", data, place)
        length = length if 8 <= length <= last - place else last - place
        yield place, length, kind
        if kind in _PARENTS:
            yield from _atoms(data, place + 8, place + length)
        place += length
