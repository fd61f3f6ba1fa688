"""Skeletons survive the file, and a file from a stranger does no harm."""

import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import within_bounds

from pipeline import skeletons
from pipeline.errors import SkeletonFileError
from pipeline.skeletons import MAX_META, Extraction, load_skeletons, save_skeletons
from pipeline.values import PoseTrack

RNG = np.random.default_rng(0)


def make_track(number: int, length: int) -> PoseTrack:
    corner = RNG.uniform(0, 100, (length, 2))
    return PoseTrack(
        id=number,
        times=np.arange(length) / 25,
        frames=np.arange(length),
        boxes=np.concatenate([corner, corner + 50], 1).astype(np.float32),
        image=RNG.uniform(0, 100, (length, 33, 2)).astype(np.float32),
        world=RNG.normal(size=(length, 33, 3)).astype(np.float32),
        visibility=RNG.uniform(0, 1, (length, 33)).astype(np.float32),
        frame_size=(160, 120),
        source="a clip.mp4",
    )


def make_extraction(*lengths: int) -> Extraction:
    tracks = tuple(make_track(i + 1, length) for i, length in enumerate(lengths))
    return Extraction("a clip.mp4", "0f" * 32, (160, 120), 24.97, 4.2, 105, tracks, ("cut off after 105 frames",))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


@pytest.mark.parametrize("lengths", [(), (7,), (5, 1, 9)])
def test_round_trip(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    told = make_extraction(*lengths)
    back = load_skeletons(save_skeletons(tmp_path / "s.npz", told))
    assert replace(back, tracks=()) == replace(told, tracks=())
    assert len(back.tracks) == len(lengths)
    for a, b in zip(told.tracks, back.tracks, strict=True):
        assert (a.id, a.frame_size, a.source) == (b.id, b.frame_size, b.source)
        for name in ("times", "frames", "boxes", "image", "world", "visibility"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def test_does_not_overwrite_unless_told(tmp_path: Path) -> None:
    path = save_skeletons(tmp_path / "s.npz", make_extraction(7))
    with pytest.raises(SkeletonFileError, match="exists already"):
        save_skeletons(path, make_extraction(3))
    assert len(load_skeletons(path).tracks[0]) == 7
    save_skeletons(path, make_extraction(3), overwrite=True)
    assert len(load_skeletons(path).tracks[0]) == 3
    assert os.listdir(tmp_path) == ["s.npz"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert save_skeletons(tmp_path / "s.npz", make_extraction(3)).stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFileError, match="cannot write"):
        save_skeletons(tmp_path / "no such folder" / "s.npz", make_extraction(3))
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(SkeletonFileError, match="cannot write"):
        save_skeletons(tmp_path / "folder.npz", make_extraction(3), overwrite=True)
    assert os.listdir(tmp_path) == ["folder.npz"]


def test_no_more_is_written_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "MAX_ROWS", 12)
    assert len(load_skeletons(save_skeletons(tmp_path / "s.npz", make_extraction(5, 7))).tracks) == 2
    with pytest.raises(SkeletonFileError, match=r"seen 13 times in all, 12 are the most: .*max_seconds.*stride"):
        save_skeletons(tmp_path / "more.npz", make_extraction(5, 8))
    assert os.listdir(tmp_path) == ["s.npz"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fps": 2e5}, "frame rate"), ({"duration": 2e9}, "duration"), ({"frame_size": (1 << 17, 9)}, "picture size"),
        ({"warnings": ("x" * MAX_META,)}, "description is too long"),
        ({"tracks": (replace(make_track(1, 3), times=np.array([0, 1, 2e9])),)}, "'times' holds numbers"),
        ({"tracks": (replace(make_track(1, 3), times=np.zeros(3)),)}, "times do not increase"),
        ({"tracks": (replace(make_track(1, 3), world=np.full((3, 33, 3), np.nan, np.float32)),)}, "'world' holds"),
    ],
)  # fmt: skip
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(SkeletonFileError, match=rf"could not be read again .*{told}") as caught:
        save_skeletons(tmp_path / "s.npz", replace(make_extraction(5), **change))
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_file_takes_hardly_more_memory_than_its_arrays(tmp_path: Path) -> None:
    path = save_skeletons(tmp_path / "s.npz", make_extraction(40_000))  # 33 MB
    assert within_bounds("from pipeline.skeletons import load_skeletons as load", [path], megabytes=48) == ["loaded"]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"}, {"version": 2}, {"version": None}, {"frame_size": [160]}, {"frame_size": [-1, 120]},
        {"frames": "105"}, {"fps": float("nan")}, {"fps": "x"}, {"duration": -1.0}, {"content": "../etc"},
        {"warnings": [1]}, {"warnings": None}, {"source": None}, {"frame_size": [True, 1]},
    ],
)  # fmt: skip
def test_a_wrong_description_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    parts = members(save_skeletons(tmp_path / "s.npz", make_extraction(5)))
    meta = json.loads(str(np.load(io.BytesIO(parts["meta.npy"]))))
    parts["meta.npy"] = npy(np.array(json.dumps({**meta, **change})))
    refused(write(tmp_path / "bad.npz", parts))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("world", np.full((5, 33, 3), np.nan, np.float32)),
        ("world", np.full((5, 33, 3), np.inf, np.float32)),
        ("world", np.zeros((5, 33, 2), np.float32)),
        ("world", np.zeros((4, 33, 3), np.float32)),
        ("world", np.zeros((5, 33, 3), np.float64)),
        ("visibility", np.full((5, 33), 2, np.float32)),
        ("visibility", np.full((5, 33), -0.1, np.float32)),
        ("times", np.zeros(5)),
        ("times", np.array([0.0, 1, 2, 3, np.nan])),
        ("frames", np.arange(5)[::-1].copy()),
        ("track", np.full(5, 2)),
        ("track", np.array([1, 1, 3, 3, 3])),
        ("boxes", np.tile(np.array([9, 9, 1, 1], np.float32), (5, 1))),
        ("meta", np.array("{}")),
        ("meta", np.array("[" * 100_000)),
        ("meta", np.array([1.0])),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, name: str, array: np.ndarray) -> None:
    parts = members(save_skeletons(tmp_path / "s.npz", make_extraction(5)))
    parts[f"{name}.npy"] = npy(array)
    refused(write(tmp_path / "bad.npz", parts))


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    parts = members(save_skeletons(tmp_path / "s.npz", make_extraction(5)))
    parts["meta.npy"] = npy(np.array({"a": 1}, dtype=object), allow_pickle=True)
    refused(write(tmp_path / "bad.npz", parts))


def test_enormous_arrays_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    parts = members(save_skeletons(tmp_path / "s.npz", make_extraction(5)))

    def header(shape: tuple[int, ...]) -> bytes:
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        return file.getvalue()

    for shape, body in [((10**12, 33, 3), b""), ((5, 33, 3), bytes(1 << 24)), ((-5, 33, 3), b""), ((5, 33, 3), b"")]:
        parts["world.npy"] = header(shape) + body
        refused(write(tmp_path / "bad.npz", parts))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = save_skeletons(tmp_path / "s.npz", make_extraction(5, 4))
    whole = path.read_bytes()
    refused(tmp_path / "missing.npz", "no such file")
    refused(tmp_path, "cannot be read")
    np.savez(tmp_path / "random.npz", a=np.zeros(3))
    refused(tmp_path / "random.npz")
    refused(write(tmp_path / "lzma.npz", members(path), zipfile.ZIP_LZMA))
    bad = tmp_path / "bad.npz"
    for data in (
        b"",
        b"plain text",
        whole[: len(whole) // 2],
        whole[: len(whole) // 2] + b"x" + whole[len(whole) // 2 :],
    ):
        bad.write_bytes(data)
        refused(bad)


def test_no_damage_gets_past_as_anything_but_one_clear_error(tmp_path: Path) -> None:
    whole = save_skeletons(tmp_path / "s.npz", make_extraction(2)).read_bytes()
    bad = tmp_path / "bad.npz"
    survived, messages = 0, []
    for _ in range(150):
        data = bytearray(whole)
        for place in RNG.integers(0, len(data), 3):
            data[place] ^= int(RNG.integers(1, 256))
        bad.write_bytes(data)
        try:
            load_skeletons(bad)
            survived += 1  # a byte that says nothing, such as a date in the zip's list
        except SkeletonFileError as error:
            messages.append(str(error))
    assert survived < 50
    assert all(message.startswith(f"{bad} ") and "\n" not in message for message in messages)


def refused(path: Path, match: str = "not a sound skeletons file") -> None:
    with pytest.raises(SkeletonFileError, match=match) as caught:
        load_skeletons(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("header", [b"{'descr': '<f4', 'shape': (", b"{'descr'\0: '<f4'}", b"}{"])
def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path, header: bytes) -> None:
    parts = members(save_skeletons(tmp_path / "s.npz", make_extraction(5)))
    parts["world.npy"] = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    refused(write(tmp_path / "bad.npz", parts))
