"""The index on disk: what is written is read, whatever else is found there is refused, and a row can be overwritten."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.index_file import TAIL, IndexFile, Origin, erase, read_index, written

N, D, C = 40, 7, 5
ORIGIN = Origin("f" * 64, D, 3, 99, "w" * 64)


def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "vectors": generator.normal(size=(N, D)).astype(np.float32),
        "ids": generator.permutation(100)[:N].astype(np.int64) + 1,
        "people": generator.integers(1, 9, N),
        "cell": generator.integers(0, C - 1, N),  # the last is empty
        "centroids": generator.normal(size=(C, D)).astype(np.float32),
        "centre": generator.normal(size=D).astype(np.float32),
    }


def write(path: Path, gone: list[int] | None = None) -> dict[str, np.ndarray]:
    given = arrays()
    with written(path, ORIGIN, 2, **given) as overwrite:
        overwrite(np.array(gone or [], np.int64))
    return given


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("index") / "index"
    write(path)
    return path.read_bytes()


def by_id(file: IndexFile) -> dict[int, tuple[int, bytes]]:
    vectors = file.vectors(np.arange(len(file)))
    rows = zip(file.ids.tolist(), file.people.tolist(), vectors, file.erased.tolist(), strict=True)
    return {template: (person, vector.tobytes()) for template, person, vector, gone in rows if not gone}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "index"
    told = write(path)
    file = read_index(path)
    assert (file.origin, file.probes, len(file)) == (ORIGIN, 2, N)
    rows = zip(told["ids"].tolist(), told["people"].tolist(), told["vectors"], strict=True)
    assert by_id(file) == {template: (person, vector.tobytes()) for template, person, vector in rows}
    assert file.sizes.tolist() == np.bincount(told["cell"], minlength=C).tolist()
    assert np.array_equal(file.centroids, told["centroids"])
    assert np.array_equal(file.centre, told["centre"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_rows_are_overwritten_before_and_after(tmp_path: Path) -> None:
    path = tmp_path / "index"
    told = write(path, gone=[3, 11])
    file = read_index(path)
    assert sorted(file.ids[file.erased].tolist()) == sorted(told["ids"][[3, 11]].tolist())
    place = int(np.flatnonzero(file.ids == told["ids"][20])[0])
    erase(path, file, np.array([place]))
    again = read_index(path)
    assert sorted(again.ids[again.erased].tolist()) == sorted(told["ids"][[3, 11, 20]].tolist())
    left = path.read_bytes()
    for number, vector in enumerate(told["vectors"]):
        assert (vector.tobytes() in left) == (number not in (3, 11, 20))


def test_a_file_that_took_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index"
    write(path)
    file = read_index(path)
    write(path)
    with pytest.raises(FileNotFoundError):
        erase(path, file, np.array([0]))


def test_every_damaged_byte_is_found(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "index"
    description = len(sound) - TAIL + sound[-TAIL:].rstrip().__len__()
    for at in range(description):
        bad = bytearray(sound)
        bad[at] ^= 1 << (at % 8)
        path.write_bytes(bad)
        try:
            file = read_index(path)
        except ValueError:
            continue
        # What the description says of its origin is compared with the gallery's, and fewer probes find less.
        assert at >= len(sound) - TAIL, at
        assert file.origin != ORIGIN or file.probes != 2
        file.close()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10_000), noise=st.binary(max_size=64), at=st.integers(0, 10_000), grow=st.binary(max_size=64))
def test_whatever_is_there_is_sound_or_refused(
    tmp_path: Path, sound: bytes, cut: int, noise: bytes, at: int, grow: bytes
) -> None:
    path = tmp_path / "index"
    bad = bytearray(sound)
    bad[at % len(bad) : at % len(bad) + len(noise)] = noise
    path.write_bytes(bytes(bad[: len(bad) - cut]) + grow)
    try:
        file = read_index(path)
    except ValueError:
        return
    assert file.sizes.sum() == len(file)
    assert np.isfinite(file.vectors(np.arange(len(file)))).all()
    file.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"templates": 40', b'"templates": 4000000000'),
        (b'"templates": 40', b'"templates": -1'),
        (b'"templates": 40', b'"templates": "40"'),
        (b'"cells": 5', b'"cells": true'),
        (b'"dim": 7', b'"dim": 1e3'),
        (b'"probes": 2', b'"probes": 6'),
        (b'"probes": 2', b'"probes": 0'),
        (b"reid-index 1", b"reid-index 2"),
        (b'{"format"', b"[" * 2000),
    ],
)
def test_descriptions_that_cannot_be_are_refused(tmp_path: Path, sound: bytes, old: bytes, new: bytes) -> None:
    path = tmp_path / "index"
    tail = sound[-TAIL:]
    assert old in tail
    path.write_bytes(sound[:-TAIL] + tail.replace(old, new).rstrip().ljust(TAIL)[:TAIL])
    with pytest.raises(ValueError):
        read_index(path)


def test_only_a_file_is_read(tmp_path: Path, sound: bytes) -> None:
    (tmp_path / "real").write_bytes(sound)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError):
        read_index(tmp_path / "link")
    with pytest.raises(OSError):
        read_index(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(ValueError):
        read_index(tmp_path / "short")
    with pytest.raises((OSError, ValueError)):
        read_index(tmp_path)
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(ValueError):
            read_index(tmp_path / "short")
    assert len(os.listdir("/dev/fd")) == before
