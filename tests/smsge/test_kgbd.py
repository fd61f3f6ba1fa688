"""The published text form and the archive, on files made here; the real ones where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from walking_figure import turned, walk

from smsge.canonical import joint, stature
from smsge.datasets.convert import to_layout
from smsge.datasets.kgbd import FPS, read_kgbd, resample
from smsge.errors import DatasetError
from smsge.layouts import CASIA14, KINECT20

ORDER = [
    "Head", "Shoulder-Center", "Shoulder-Right", "Shoulder-Left", "Elbow-Right", "Elbow-Left", "Wrist-Right",
    "Wrist-Left", "Hand-Right", "Hand-Left", "Spine", "Hip-centro", "Hip-Right", "Hip-Left", "Knee-Right", "Knee-Left",
    "Ankle-Right", "Ankle-Left", "Foot-Right", "Foot-Left",
]  # fmt: skip
NAMES = {"shoulder-center": "shoulder centre", "hip-centro": "hip centre"}
REAL = Path(os.environ.get("REID_DATA", Path(__file__).parents[3] / "shared" / "data"))


def person(frames: int = 60) -> np.ndarray:
    """(T, 20, 3) metres in the sensor's axes: someone 2 m away who faces the sensor, so whose left is at -x."""
    return turned(walk(KINECT20, frames, FPS), np.pi) + np.array([0.3, -0.9, 2.0])


def lines_of(joints: np.ndarray) -> list[str]:
    rows = []
    for frame in joints:
        for written in ORDER:
            part, _, side = written.lower().partition("-")
            name = NAMES.get(written.lower(), f"{side} {part}" if side else part)
            rows.append(f"{written};" + ";".join(f"{v:.7g}" for v in frame[KINECT20.index[name]]))
    return rows


def write_text(root: Path, lines: list[str], number: int = 3, walk: int = 2) -> Path:
    folder = root / f"Person{number:03d}"
    folder.mkdir(exist_ok=True)
    path = folder / f"{walk}.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_text_and_archive_give_the_same_walk(tmp_path: Path) -> None:
    joints = person()
    write_text(tmp_path, lines_of(joints))
    archive = tmp_path / "kgbd.npz"
    np.savez(archive, **{"003_2": np.round(joints * 4000).astype(np.int16)})
    text, packed = read_kgbd(tmp_path)[0], read_kgbd(archive)[0]
    assert (text.identity, text.session, text.fps) == ("003", "003_2", 15.0)
    assert (packed.identity, packed.session) == ("003", "003_2")
    assert text.joints.shape == (30, 14, 3)
    assert np.abs(text.joints - packed.joints).max() < 1e-3


@pytest.mark.parametrize("layout", ["casia14", "kinect20"])
def test_walks_come_canonical_with_left_on_the_left(tmp_path: Path, layout: str) -> None:
    np.savez(tmp_path / "kgbd.npz", **{"001_1": np.round(person() * 4000).astype(np.int16)})
    (sequence,) = read_kgbd(tmp_path / "kgbd.npz", layout)
    assert sequence.layout.name == layout
    assert stature(sequence.joints, sequence.layout) == pytest.approx(1, abs=1e-4)
    assert joint(sequence.joints, sequence.layout, "left shoulder")[:, 0].min() > 0.05
    assert joint(sequence.joints, sequence.layout, "head")[:, 2].mean() > 0  # heads are carried a little forward


def test_walks_come_in_the_form_and_at_the_rate_asked_for(tmp_path: Path) -> None:
    values = np.round(person() * 4000).astype(np.int16)
    np.savez(tmp_path / "kgbd.npz", **{"001_1": values})
    (recorded,) = read_kgbd(tmp_path / "kgbd.npz", "kinect20", None, form="recorded")
    assert recorded.fps == 30
    assert np.array_equal(recorded.joints, values.astype(np.float32) / 4000)
    (metric,) = read_kgbd(tmp_path / "kgbd.npz", "kinect20", None, form="metric")
    assert stature(metric.joints, KINECT20) == pytest.approx(stature(recorded.joints, KINECT20), rel=1e-4)
    assert joint(metric.joints, KINECT20, "left shoulder")[:, 0].min() > 0.1


def test_only_the_people_asked_for_in_order(tmp_path: Path) -> None:
    values = np.round(person(30) * 4000).astype(np.int16)
    np.savez(tmp_path / "kgbd.npz", **{"002_1": values, "001_2": values, "001_1": values, "003_1": values})
    assert [s.session for s in read_kgbd(tmp_path / "kgbd.npz", people={1, 3})] == ["001_1", "001_2", "003_1"]


def test_casia14_takes_joints_of_the_same_name() -> None:
    numbered = np.arange(20, dtype=np.float32)[None, :, None].repeat(3, axis=2)
    expected = [3, 2, 8, 9, 10, 4, 5, 6, 16, 17, 18, 12, 13, 14]
    assert to_layout(numbered, KINECT20, CASIA14)[0, :, 0].tolist() == expected
    assert len(expected) == CASIA14.n_joints


def test_resampling_keeps_the_time() -> None:
    ramp = np.linspace(0, 1, 61, dtype=np.float32)[:, None, None].repeat(3, axis=2)
    down, up = resample(ramp, 30, 15), resample(ramp, 30, 60)
    assert (len(down), len(up)) == (31, 121)
    assert np.abs(down[2:-2, 0, 0] - np.linspace(0, 1, 31)[2:-2]).max() < 1e-3
    assert np.abs(up[:, 0, 0] - np.linspace(0, 1, 121)).max() < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows[:25], "Nose;1;2;3", *rows[25:]], "line 26"),
        (lambda rows: [*rows[:25], rows[25] + ";9", *rows[26:]], "line 26"),
        (lambda rows: [*rows[:7], rows[7].replace(";", ";x", 1), *rows[8:]], "line 8: x, y and z must be finite"),
        (lambda rows: [*rows[:7], "Wrist-Left;nan;1;1", *rows[8:]], "line 8: x, y and z must be finite"),
        (lambda rows: rows[1:], "line 1: a frame must begin with Head"),
        (lambda rows: rows[:-3], "lacks the left ankle"),
        (lambda rows: [*rows[:3], rows[2], *rows[3:]], "line 4: Shoulder-Right is there twice"),
        (lambda rows: [*rows[:30], *rows[31:]], "line 40: the frame that ends here lacks the spine"),
        (lambda rows: [], "no frame in it"),
    ],
)
def test_a_bad_text_file_is_named_with_its_line(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = write_text(tmp_path, change(lines_of(person(3))))
    with pytest.raises(DatasetError, match=message) as caught:
        read_kgbd(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_kgbd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        read_kgbd(tmp_path / "missing.npz")
    with pytest.raises(DatasetError, match="no walks found"):
        read_kgbd(tmp_path)
    with pytest.raises(DatasetError, match="not as 'kinect25'"):
        read_kgbd(tmp_path, "kinect25")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(DatasetError, match=r"text\.npz: not an \.npz of plain arrays"):
        read_kgbd(tmp_path / "text.npz")
    np.savez(tmp_path / "keys.npz", first=np.zeros(3))
    with pytest.raises(DatasetError, match="'first' is not a walk"):
        read_kgbd(tmp_path / "keys.npz")
    np.savez(tmp_path / "shape.npz", **{"001_1": np.zeros((5, 14, 3), np.int16)})
    with pytest.raises(DatasetError, match="001_1 must be int16"):
        read_kgbd(tmp_path / "shape.npz")
    np.savez(tmp_path / "still.npz", **{"001_1": np.zeros((5, 20, 3), np.int16)})
    with pytest.raises(DatasetError, match="walk 1 of person 001 cannot be used"):
        read_kgbd(tmp_path / "still.npz")


@pytest.mark.skipif(not (REAL / "kgbd_raw").is_dir(), reason="needs KGBD as published; REID_DATA says where")
def test_the_published_files_have_feet_that_point_forward() -> None:
    sequences = read_kgbd(REAL / "kgbd_raw", "kinect20")
    assert len(sequences) == 9
    for x in (sequence.joints for sequence in sequences):
        toes = joint(x, KINECT20, "mid foot") - joint(x, KINECT20, "mid ankle")
        assert np.median(toes[:, 2]) > 0.01
