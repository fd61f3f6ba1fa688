"""The pre-processed arrays in both spellings, on files of the real form, and every way in which they can be wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from array_files import Mine, clips_of, write_later, write_older, write_part

from smsge.canonical import joint, stature
from smsge.datasets.arrays import ArrayFolder
from smsge.datasets.biwi import open_biwi
from smsge.datasets.casia_b import open_casia_b
from smsge.datasets.ias import open_ias
from smsge.datasets.kgbd_arrays import open_kgbd_arrays
from smsge.datasets.ks20 import open_ks20
from smsge.datasets.recordings import recordings
from smsge.errors import DatasetError
from smsge.layouts import CASIA14, KINECT20, KINECT25

F = 6


@pytest.fixture
def ks20(tmp_path: Path) -> Path:
    return write_older(tmp_path / "KS20" / str(F), "KS20", KINECT25, F)


def part_of(ks20: Path) -> Path:
    return ks20 / "KS20_train_npy_data"


def test_a_clip_is_what_was_written(ks20: Path) -> None:
    clips, ids = clips_of(KINECT25, range(3), F)
    sequences = open_ks20(ks20.parent, F).read("train", KINECT25, "recorded")
    assert len(sequences) == 6
    assert np.array_equal(np.stack([s.joints for s in sequences]), clips.astype(np.float32))
    assert [s.identity for s in sequences] == [str(i) for i in ids]
    assert {s.fps for s in sequences} == {30.0}


def test_the_folder_that_holds_the_dataset_does_as_well(ks20: Path) -> None:
    assert open_ks20(ks20.parents[1], F) == open_ks20(ks20.parent, F)


@pytest.mark.parametrize(
    ("opened", "name", "layout", "older", "later", "part"),
    [
        (open_ks20, "KS20", KINECT25, "", "probe", "test"),
        (open_kgbd_arrays, "KGBD", KINECT20, "", "probe", "test"),
        (open_ias, "IAS", KINECT20, "A", "A", "A"),
        (open_ias, "IAS", KINECT20, "B", "B", "B"),
        (open_biwi, "BIWI", KINECT20, "Still", "Still", "Still"),
        (open_biwi, "BIWI", KINECT20, "Walking", "Walking", "Walking"),
    ],
)
def test_both_spellings_are_read(tmp_path: Path, opened, name, layout, older, later, part) -> None:  # type: ignore[no-untyped-def]
    first = opened(write_older(tmp_path / "a" / name / "6", name, layout, F, (older,)).parent, F)
    second = opened(write_later(tmp_path / "b" / name / "6", name, layout, F, (later,)).parent, F)
    for wanted in ("train", part):
        a, b = first.read(wanted, layout, "recorded"), second.read(wanted, layout, "recorded")
        assert len(a) == 6
        assert [(s.identity, s.session, s.view) for s in a] == [(s.identity, s.session, s.view) for s in b]
        assert all(np.array_equal(x.joints, y.joints) for x, y in zip(a, b, strict=True))
    assert {s.view for s in a} == {"" if part == "test" else part}


def test_identities_may_stand_in_a_file_with_the_test_prefix_in_a_column_or_as_texts(ks20: Path) -> None:
    folder = ks20 / "KS20_test_npy_data"
    plain = folder / "frame_id_KS20_6.npy"
    for given in (np.array([[7.0], [7.0], [8.0], [8.0], [9.0], [9.0]]), np.array(["7", "7", "8", "8", "9", "9"])):
        plain.unlink(missing_ok=True)
        np.save(folder / "t_frame_id_KS20_6.npy", given)
        sequences = open_ks20(ks20.parent, F).read("test", KINECT25, "recorded")
        assert [s.identity for s in sequences] == ["7", "7", "8", "8", "9", "9"]


def test_no_session_of_one_part_is_one_of_another(ks20: Path) -> None:
    folder = open_ks20(ks20.parent, F)
    train, test = ({s.session for s in folder.read(part, KINECT25, "recorded")} for part in ("train", "test"))
    assert not train & test
    assert "train/0/1" in train


def test_clips_that_share_frames_are_of_one_recording(tmp_path: Path) -> None:
    walks, _ = clips_of(KINECT20, [4, 4, 5], 12, each=1, seed=1)
    walks[1] += 0.01  # the same person's other walk
    clips = np.concatenate([walk[start : start + F][None] for start in (0, 3, 6) for walk in walks])
    ids = np.tile([4, 4, 5], 3)
    write_part(tmp_path / "6" / "IAS_train_npy_data", "", "IAS", clips, ids)
    sequences = open_ias(tmp_path, F).read("train", KINECT20, "recorded")
    assert [s.session for s in sequences] == ["train/4/1", "train/4/2", "train/5/1"] * 3


def test_the_same_frame_of_two_people_joins_nothing() -> None:
    clips = np.ones((3, 2, 5, 3), np.float32)
    assert recordings(clips, ["a", "b", "a"]) == [1, 1, 1]
    clips[2] = 2
    assert recordings(clips, ["a", "b", "a"]) == [1, 1, 2]


def test_views_and_conditions_are_told(tmp_path: Path) -> None:
    write_older(tmp_path / "CASIA_B" / "20" / "view_3", "CASIA_B", CASIA14, 20)
    folder = open_casia_b(tmp_path, 20, view=3)
    assert {s.view for s in folder.read("test", CASIA14, "recorded")} == {"054"}
    assert {s.view for s in folder.read("train", CASIA14, "recorded")} == {""}
    write_part(
        tmp_path / "CASIA_B_match" / "40" / "CASIA_B_test_npy_data" / "cl", "t_", "CASIA_B",
        *clips_of(CASIA14, range(2), 40),
    )  # fmt: skip
    assert {s.view for s in open_casia_b(tmp_path, 40).read("cl", CASIA14, "recorded")} == {"cl"}


def test_other_forms_and_layouts(ks20: Path) -> None:
    folder = open_ks20(ks20.parent, F)
    recorded = folder.read("train", CASIA14, "recorded")
    canonical = folder.read("train", CASIA14, "canonical")
    metric = folder.read("train", CASIA14, "metric")
    for a, b, c in zip(recorded, canonical, metric, strict=True):
        assert a.layout == b.layout == CASIA14
        assert stature(b.joints, CASIA14) == pytest.approx(1, abs=1e-4)
        assert stature(c.joints, CASIA14) == pytest.approx(stature(a.joints, CASIA14), rel=1e-4)
        assert joint(b.joints, CASIA14, "left hip")[:, 0].min() > 0.03
    with pytest.raises(DatasetError, match="kinect25 skeletons have no hip centre"):
        folder.read("train", KINECT20, "recorded")


def test_what_was_not_measured_has_no_metres(tmp_path: Path) -> None:
    write_older(tmp_path / "20" / "view_0", "CASIA_B", CASIA14, 20)
    with pytest.raises(DatasetError, match="CASIA_B was not measured in metres"):
        open_casia_b(tmp_path, 20, view=0).read("train", CASIA14, "metric")


X, Y, WHO = "source_x_KS20_6.npy", "source_y_KS20_6.npy", "frame_id_KS20_6.npy"


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """A fault: the file of this name, changed."""

    def spoil(folder: Path) -> None:
        np.save(folder / name, change(np.load(folder / name)))

    return spoil


def with_one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[13, 2] = value  # frame 13 is in clip 2
        return array

    return change


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (lambda folder: (folder / Y).unlink(), Y, "missing; there must be a file for each axis"),
        (lambda folder: (folder / WHO).unlink(), WHO, "missing"),
        (changed(Y, lambda a: a[:-6]), "train_npy_data", r"differ in their number of clips \(x 6, y 5, z 6\)"),
        (changed(Y, lambda a: a[:-1]), Y, r"shape \(35, 25\) is not that of clips of 6 frames and 25 joints"),
        (changed(Y, lambda a: a.reshape(-1, 30)), Y, r"shape \(30, 30\)"),
        (changed(Y, lambda a: a[:0]), Y, r"shape \(0, 25\)"),
        (changed(Y, lambda a: a[0, 0]), Y, r"shape \(\)"),
        (changed(Y, with_one(np.nan)), Y, "NaN or infinity in clip 2 "),
        (changed(Y, with_one(-np.inf)), Y, "NaN or infinity in clip 2 "),
        (changed(Y, with_one(1e300)), Y, "NaN or infinity in clip 2 "),
        (changed(Y, lambda a: a.astype(str)), Y, "not numbers"),
        (changed(Y, lambda a: a.astype(complex)), Y, "holds complex128, not numbers"),
        (changed(X, np.zeros_like), "train_npy_data", "has no extent"),
        (changed(WHO, lambda a: a[:-1]), WHO, r"identities of shape \(5,\) for 6 clips"),
        (changed(WHO, lambda a: np.repeat(a, 6)), WHO, r"identities of shape \(36,\) for 6 clips"),
        (changed(WHO, lambda a: a + 0.5), WHO, "must be whole numbers or texts"),
        (changed(WHO, lambda a: a * np.nan), WHO, "must be whole numbers or texts"),
        (changed(WHO, lambda a: np.array([""] * 6)), WHO, "must be whole numbers or texts"),
        (lambda folder: (folder / X).write_bytes(b"no array"), X, "not a plain .npy"),
        (lambda folder: (folder / X).write_bytes((folder / Y).read_bytes()[:900]), X, "not a plain .npy"),
        (lambda folder: (folder / X).write_bytes(b""), X, "not a plain .npy"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_file(ks20: Path, spoil: Callable[[Path], None], file: str, message: str) -> None:
    spoil(part_of(ks20))
    if "extent" in message:  # all axes at once
        for axis in (Y, "source_z_KS20_6.npy"):
            changed(axis, np.zeros_like)(part_of(ks20))
    with pytest.raises(DatasetError, match=message) as caught:
        open_ks20(ks20.parent, F).read("train", KINECT25, "canonical")
    assert file in str(caught.value)
    assert str(ks20) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_is_no_array(ks20: Path) -> None:
    np.savez(ks20 / "all.npz", np.zeros(3))
    (part_of(ks20) / X).write_bytes((ks20 / "all.npz").read_bytes())
    with pytest.raises(DatasetError, match=r"one plain \.npy is expected"):
        open_ks20(ks20.parent, F).read("train", KINECT25, "recorded")


@pytest.mark.parametrize("name", [X, WHO])
@pytest.mark.parametrize("as_array", [True, False])
def test_nothing_is_unpickled(ks20: Path, name: str, as_array: bool) -> None:
    folder, trace = part_of(ks20), ks20 / "trace"
    assert open_ks20(ks20.parent, F).read("train", KINECT25, "recorded")
    assert not (folder / "unpickled").exists()  # by the ids_*.npy that stands beside them all
    if as_array:
        np.save(folder / name, np.array([Mine(trace)] * 6, dtype=object), allow_pickle=True)
    else:
        np.array([Mine(trace)] * 6, dtype=object).dump(folder / name)
    with pytest.raises(DatasetError, match="pickled objects are never opened") as caught:
        open_ks20(ks20.parent, F).read("train", KINECT25, "recorded")
    assert name in str(caught.value)
    assert not trace.exists()
    np.load(folder / name, allow_pickle=True)  # what a careless reader would have done
    assert trace.exists()


def test_a_header_that_promises_too_much_costs_nothing(ks20: Path) -> None:
    with (part_of(ks20) / X).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**15, 25)})
    with pytest.raises(DatasetError, match=r"source_x_KS20_6\.npy: not a plain \.npy"):
        open_ks20(ks20.parent, F).read("train", KINECT25, "recorded")


def test_what_is_not_there_is_told_with_what_is(ks20: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no clips of 20 frames, only of 6: take one"):
        open_ks20(tmp_path, 20)
    with pytest.raises(DatasetError, match=r"missing: no such folder; expected KS20/6/KS20_train_npy_data"):
        open_ks20(tmp_path / "missing", F)
    with pytest.raises(DatasetError, match="not a folder of IAS arrays"):
        open_ias(tmp_path, F)
    with pytest.raises(DatasetError, match="no folder view_2 in it"):
        open_ks20(tmp_path, F, view=2)
    with pytest.raises(DatasetError, match="no gallery part of KS20; looked for KS20_test_npy_data/gallery/t_source_x"):
        open_ks20(tmp_path, F).read("gallery", KINECT25, "recorded")
    (tmp_path / "IAS" / "6").mkdir(parents=True)
    folder = open_ias(tmp_path, F)
    assert isinstance(folder, ArrayFolder)
    assert not folder.has("A")
    with pytest.raises(DatasetError, match="no train part of IAS"):
        folder.read("train", KINECT20, "recorded")
