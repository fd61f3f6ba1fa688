"""Files of skeletons that nobody meant well: all the way to templates, or one line that names the file."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import damaged, nothing_outside, outcome, plain, within_bounds
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scripted import MIDDLE, ShoulderEncoder, clip
from test_skeletons import members, npy, write

from pipeline.errors import SkeletonFileError
from pipeline.probes import Reader
from pipeline.settings import QualitySettings, Settings

NAMES = ("track", "times", "frames", "boxes", "image", "world", "visibility")
META = ("source", "content", "frame_size", "fps", "duration", "frames", "warnings", "format", "version", "more")
LAX = Settings(quality=QualitySettings(min_seconds=0, min_height=0, min_motion=0, min_visibility=0))


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("skeletons") / "sound.npz", (MIDDLE, 0, 1.6), (MIDDLE, 1, 3))


def read(path: Path) -> None:
    """Everything that a search does with a file, short of the search."""
    with nothing_outside(path.parent), np.errstate(all="ignore"):
        for settings in (Settings(), LAX):
            reading = outcome(
                lambda use=settings: Reader(use, embedder=ShoulderEncoder()).read(str(path)), SkeletonFileError
            )
            for probe in reading.usable if reading else ():
                assert probe.template is not None
                assert np.isfinite(probe.template.skeleton.joints).all()
                assert 0 <= probe.quality <= 1


@given(data=st.data())
def test_any_damage_is_told(sound: Path, data: st.DataObject) -> None:
    path = sound.with_name("damaged.npz")
    path.write_bytes(data.draw(damaged(sound.read_bytes())))
    read(path)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_any_numbers_are_used_or_refused(sound: Path, name: str, data: st.DataObject) -> None:
    parts = members(sound)
    array = np.load(io.BytesIO(parts[f"{name}.npy"])).copy()
    value = st.floats() if array.dtype.kind == "f" else st.integers(-(2**63), 2**63 - 1)
    scale = data.draw(st.sampled_from([1.0, 0.0, -1.0, 1e-30, 900.0, 1e30]))
    with np.errstate(all="ignore"):
        array = (array * scale).astype(array.dtype)
        for place in data.draw(st.lists(st.integers(0, array.size - 1), max_size=6)):
            array.flat[place] = data.draw(value)
    parts[f"{name}.npy"] = npy(array)
    read(write(sound.with_name("numbers.npz"), parts))


@given(name=st.sampled_from([*NAMES, "meta", "more", "../up", "/etc/passwd"]), data=st.data())
def test_any_array_is_used_or_refused(sound: Path, name: str, data: st.DataObject) -> None:
    parts = members(sound)
    kinds = arrays.scalar_dtypes() | arrays.array_dtypes(max_size=2) | arrays.unicode_string_dtypes()
    array = data.draw(arrays.arrays(kinds, arrays.array_shapes(min_dims=0, max_side=4)))
    parts[f"{name}.npy"] = npy(array)
    read(write(sound.with_name("arrays.npz"), parts))


@given(
    name=st.sampled_from([*NAMES, "meta"]),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]),
    header=st.one_of(
        st.text(max_size=60),
        st.fixed_dictionaries(
            {
                "descr": st.sampled_from(
                    ["<f4", "<i8", "|O", "<U9", "<U999999999", "V0", "x", [("a", "<f4")], None, 4]
                ),
                "fortran_order": st.sampled_from([True, False, None]),
                "shape": st.sampled_from([(), (5,), (-1,), (10**12, 33, 3), (2**64,), (0, 33, 3), (True,), "5", None]),
            }
        ).map(repr),
    ),
    body=st.binary(max_size=40),
)
def test_any_header_is_refused(sound: Path, name: str, version: tuple[int, int], header: str, body: bytes) -> None:
    parts = members(sound)
    text = header.encode("utf-8")
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    parts[f"{name}.npy"] = b"\x93NUMPY" + bytes(version) + length + text + body
    read(write(sound.with_name("header.npz"), parts))


@given(changes=st.dictionaries(st.sampled_from(META), plain, max_size=3))
def test_any_description_is_used_or_refused(sound: Path, changes: dict[str, Any]) -> None:
    parts = members(sound)
    meta = json.loads(str(np.load(io.BytesIO(parts["meta.npy"]))))
    parts["meta.npy"] = npy(np.array(json.dumps({**meta, **changes})))
    read(write(sound.with_name("meta.npz"), parts))


def test_pickles_and_bombs(sound: Path, tmp_path: Path) -> None:
    whole = members(sound)

    def bomb(name: str, parts: dict[str, bytes]) -> Path:
        return write(tmp_path / f"{name}.npz", {**whole, **parts})

    zeros = bytes(1 << 29)
    header = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(zeros))
    files = [
        bomb("pickle", {"world.npy": npy(np.array(Trap(tmp_path / "sprung"), dtype=object), allow_pickle=True)}),
        bomb("header", {"world.npy": header + zeros}),
        bomb("body", {"track.npy": whole["track.npy"] + zeros}),
        bomb("meta", {"meta.npy": npy(np.array("[" * 900_000))}),
        bomb("another", {"more.npy": zeros}),
    ]
    with zipfile.ZipFile(sound) as archive, zipfile.ZipFile(tmp_path / "lies.npz", "w", zipfile.ZIP_DEFLATED) as lies:
        for member in archive.namelist():
            lies.writestr(member, zeros if member == "world.npy" else archive.read(member))
    data = (tmp_path / "lies.npz").read_bytes()
    (tmp_path / "lies.npz").write_bytes(data.replace(struct.pack("<I", len(zeros)), struct.pack("<I", 99)))
    files.append(tmp_path / "lies.npz")
    told = within_bounds("from pipeline.skeletons import load_skeletons as load", files, megabytes=64)
    assert [line.partition(" is not a sound skeletons file")[0] for line in told] == list(map(str, files))
    assert not (tmp_path / "sprung").exists()
