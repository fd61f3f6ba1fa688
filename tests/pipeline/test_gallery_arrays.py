"""A gallery as arrays: what comes back is what went, others can read it, and what was made to do harm does none."""

import json
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gallery_people import DIM, FakeEmbedder, open_gallery, source, template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import GalleryError, WrongEncoderError
from pipeline.gallery import Gallery

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arrays")
    with open_gallery(folder / "theirs.db") as gallery:
        gallery.add("Gone", [template(9)], source(9))
        gallery.add("Ännchen", [template(11), template(12)], source(11))
        gallery.add("Cem", [template(13)], source(12, track=4))
        gallery.forget("Gone")
        gallery.export(folder / "out.npz")
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "out.npz", tmp_path))


def rows(path: Path) -> list[tuple]:
    with sqlite3.connect(path) as connection:
        return connection.execute(
            "SELECT name, content, file, c.added, track, starts, ends, quality, embedding, layout, fps, frames, joints,"
            " segments, t.added FROM templates t JOIN people p ON p.id = person JOIN clips c ON c.id = clip"
            " ORDER BY t.id"
        ).fetchall()


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def test_what_comes_back_is_what_went(made: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE((made / "out.npz").stat().st_mode) == 0o600
    with Gallery.open_for_import(tmp_path / "new.db", made / "out.npz") as gallery:
        done = gallery.import_(made / "out.npz")
        assert (done.people, done.templates, done.skipped) == (("Cem", "Ännchen"), 3, ())
        assert gallery.check() == []
        again = gallery.import_(made / "out.npz")
        assert (again.templates, len(again.skipped)) == (0, 2)
    assert rows(tmp_path / "new.db") == rows(made / "theirs.db")
    with open_gallery(tmp_path / "new.db") as gallery:
        assert gallery.search(template(13).embedding[None], top=1)[0][0].name == "Cem"


def test_others_can_read_it(made: Path) -> None:
    arrays = load(made / "out.npz")
    assert arrays["people"].tolist() == ["Ännchen", "Cem"]
    assert arrays["people"][arrays["person"]].tolist() == ["Ännchen", "Ännchen", "Cem"]
    assert np.array_equal(arrays["embedding"], np.stack([template(n).embedding for n in (11, 12, 13)]))
    starts = np.cumsum([0, *arrays["frames"] * 14 * 3])
    third = arrays["joints"][starts[2] : starts[3]].reshape(-1, 14, 3)
    assert np.array_equal(third, template(13).skeleton.joints.astype(np.float16))
    assert json.loads(str(arrays["meta"]))["dim"] == DIM


def test_an_empty_gallery_goes_through(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "empty.db") as gallery:
        gallery.export(tmp_path / "empty.npz")
    with Gallery.open_for_import(tmp_path / "new.db", tmp_path / "empty.npz") as gallery:
        assert gallery.import_(tmp_path / "empty.npz").templates == 0


def test_another_encoder_is_told_how_to_go_on(exported: Path, tmp_path: Path) -> None:
    with (
        open_gallery(tmp_path / "mine.db", FakeEmbedder(1)) as gallery,
        pytest.raises(WrongEncoderError, match="reindex"),
    ):
        gallery.import_(exported)


def test_compressed_arrays_are_taken_too(exported: Path, tmp_path: Path) -> None:
    arrays = load(exported)
    np.savez_compressed(exported, **arrays)
    with Gallery.open_for_import(tmp_path / "new.db", exported) as gallery:
        assert gallery.import_(exported).templates == 3


def put(name: str, value: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = value(arrays[name])

    return change


def meta(**changes: object) -> Callable[[Arrays], None]:
    return put("meta", lambda told: np.array(json.dumps({**json.loads(str(told)), **changes})))


EDITS: dict[str, Callable[[Arrays], None]] = {
    "pickle": put("people", lambda _: np.array([{"a": 1}, None], object)),
    "pickle in meta": put("meta", lambda _: np.array({"a": 1}, object)),
    "missing array": lambda arrays: arrays.__delitem__("segments"),
    "person of nobody": put("person", lambda a: a + 7),
    "person before the first": put("person", lambda a: a - 1),
    "clip of nothing": put("clip", lambda a: a + 7),
    "fewer embeddings": put("embedding", lambda a: a[:-1]),
    "embedding of another size": put("embedding", lambda a: a[:, :-1]),
    "embedding not of unit length": put("embedding", lambda a: 2 * a),
    "embedding not finite": put("embedding", lambda a: a * np.float32(np.nan)),
    "embedding of another type": put("embedding", lambda a: a.astype(np.float64)),
    "embedding in Fortran's order": put("embedding", np.asfortranarray),
    "fewer joints": put("joints", lambda a: a[:-1]),
    "more joints": put("joints", lambda a: np.concatenate([a, a])),
    "joints not finite": put("joints", lambda a: a * np.float16(np.inf)),
    "more segments": put("segments", lambda a: np.concatenate([a, a])),
    "too many frames": put("frames", lambda a: a * 10**9),
    "frames below none": put("frames", lambda a: -a),
    "layout": put("layout", lambda a: np.array(["../../etc"] * len(a))),
    "quality": put("quality", lambda a: a + 7),
    "track": put("track", lambda a: -a - 1),
    "time backwards": put("starts", lambda a: a + 100),
    "date": put("added", lambda a: np.array(["today"] * len(a))),
    "fewer dates": put("added", lambda a: a[:-1]),
    "name with a control character": put("people", lambda a: np.array(["\x1b[2J"] * len(a))),
    "name that is no text": put("people", lambda a: np.array([b"a"] * len(a))),
    "half a character": put("people", lambda a: np.array(["\ud800"] * len(a))),
    "no character": put("people", lambda a: np.full(len(a), 0x7FFFFFFF, np.uint32).view("<U1")),
    "long names": put("people", lambda a: np.array(["a" * 300] * len(a))),
    "path as a file name": put("clip_file", lambda a: np.array(["/etc/passwd"] * len(a))),
    "content": put("clip_content", lambda a: np.array(["x" * 64] * len(a))),
    "another format": meta(format="other"),
    "another version": meta(version=2),
    "another size": meta(dim=DIM + 1),
    "a size that cannot be": meta(dim="16"),
    "meta that is no object": put("meta", lambda _: np.array("[]")),
    "deep meta": put("meta", lambda _: np.array("[" * 50_000)),
    "long meta": put("meta", lambda told: np.array(str(told) + " " * 100_000)),
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    with open_gallery(tmp_path / "mine.db") as gallery:
        gallery.add("Anna", [template(1)], source(1))
    return tmp_path / "mine.db"


def refused(mine: Path, exported: Path) -> None:
    before = rows(mine)
    with Gallery.open(mine) as gallery, pytest.raises(GalleryError) as caught:
        gallery.import_(exported)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert rows(mine) == before


@pytest.mark.parametrize("edit", EDITS)
def test_hostile_arrays_are_refused_whole(edit: str, mine: Path, exported: Path) -> None:
    arrays = load(exported)
    EDITS[edit](arrays)
    np.savez(exported, **arrays)
    refused(mine, exported)


def test_a_header_that_promises_too_much_takes_no_memory(mine: Path, exported: Path) -> None:
    arrays = load(exported)
    with zipfile.ZipFile(exported, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
                if name == "joints":
                    continue
    whole = exported.read_bytes()
    told, much = b"'shape': (3,)", b"'shape': (9999999999,)"
    assert told in whole
    with zipfile.ZipFile(exported) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(exported, "w") as archive:
        for name, content in members.items():
            longer = content.replace(told, much).replace(b" " * (len(much) - len(told)) + b"\n", b"\n", 1)
            archive.writestr(name, longer)
    refused(mine, exported)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 5000), noise=st.binary(min_size=1, max_size=200), at=st.integers(0, 20_000))
def test_damaged_files_are_refused_or_taken_whole(made: Path, tmp_path: Path, cut: int, noise: bytes, at: int) -> None:
    bad = bytearray((made / "out.npz").read_bytes())
    bad[at % len(bad) : at % len(bad) + len(noise)] = noise
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(bytes(bad[: len(bad) - cut]))
    place = tmp_path / "new.db"
    with open_gallery(place) as gallery:
        try:
            told = f"{gallery.import_(damaged).templates} templates"
        except GalleryError as error:
            told = str(error)
        assert told.isprintable()
        assert told == "3 templates" or gallery.people() == []
        assert gallery.check() == []
    for file in tmp_path.glob("new.db*"):
        file.unlink()
