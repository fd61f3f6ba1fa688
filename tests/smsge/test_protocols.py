"""Every split of every protocol, on small files of the real form: who may answer whom, and what nothing may learn."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from array_files import clips_of, write_later, write_older, write_part
from walking_figure import turned, walk

from smsge.datasets import DATASET_NAMES, PROTOCOLS, WHOLE_WALKS
from smsge.errors import DatasetError
from smsge.layouts import CASIA14, KINECT20, KINECT25
from smsge.protocols import Reading, Split, splits
from smsge.sequence import SkeletonSequence

F = 6


def write_kgbd(root: Path, walks: dict[int, tuple[int, ...]], frames: int = 40) -> Path:
    """An archive of these people's walks, by number."""
    arrays = {}
    for person, numbers in walks.items():
        for number in numbers:
            joints = turned(walk(KINECT20, frames, 30.0, seed=10 * person + number), np.pi) + np.array([0, -0.9, 2.0])
            arrays[f"{person:03d}_{number}"] = np.round(joints * 4000).astype(np.int16)
    np.savez(root / "kgbd.npz", **arrays)
    return root / "kgbd.npz"


def write_casia_b(root: Path) -> Path:
    for view in range(11):
        write_older(root / "CASIA_B" / str(F) / f"view_{view}", "CASIA_B", CASIA14, F, people=2)
    matched = root / "CASIA_B_match" / str(F)
    write_part(matched / "CASIA_B_train_npy_data", "", "CASIA_B", *clips_of(CASIA14, range(2), F))
    for number, condition in enumerate(("nm", "bg", "cl"), start=1):
        test = matched / "CASIA_B_test_npy_data" / condition
        write_part(test, "t_", "CASIA_B", *clips_of(CASIA14, range(62, 64), F, seed=number))
    return root


def write_ks20(root: Path) -> Path:
    write_older(root / "KS20" / str(F), "KS20", KINECT25, F)
    for view in range(5):
        write_older(root / "KS20" / str(F) / f"view_{view}", "KS20", KINECT25, F)
    return root


def footage(sessions: dict[str, tuple[str, ...]]) -> list[SkeletonSequence]:
    joints = walk(CASIA14, 40).astype(np.float32)
    return [
        SkeletonSequence(joints, CASIA14, 15.0, identity=who, session=f"{who}/{session}")
        for who, names in sessions.items()
        for session in names
    ]


MAKERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "kgbd": ("kinect20", lambda root: write_kgbd(root, dict.fromkeys((1, 2, 132, 133, 164), (1, 2, 3)))),
    "kgbd-arrays": ("kinect20", lambda root: write_older(root / "KGBD" / str(F), "KGBD", KINECT20, F).parent),
    "ks20": ("kinect25", write_ks20),
    "ias": ("kinect20", lambda root: write_older(root / "IAS" / str(F), "IAS", KINECT20, F, ("A", "B")).parent),
    "biwi": (
        "kinect20", lambda root: write_older(root / "6", "BIWI", KINECT20, F, ("", "Still", "Walking")).parent,
    ),
    "casia-b": ("casia14", write_casia_b),
    "footage": ("casia14", lambda root: footage({"ann": ("a", "b"), "bob": ("a", "b")})),
}  # fmt: skip


def reading(layout: str) -> Reading:
    return Reading(layout, F, form="canonical" if layout == "casia14" else "recorded")


@pytest.mark.parametrize(("dataset", "protocol"), [(d, p) for d, names in PROTOCOLS.items() for p in names])
def test_nothing_learns_from_a_probe_and_every_probe_can_be_answered(
    tmp_path: Path, dataset: str, protocol: str
) -> None:
    layout, make = MAKERS[dataset]
    made = splits(dataset, make(tmp_path), protocol, reading(layout))  # type: ignore[arg-type]
    assert len({split.name for split in made}) == len(made) >= 1
    for split in made:
        assert split.name.partition("/")[0] == protocol
        assert not sessions(split.train) & sessions(split.probe)
        for probe in split.probe:
            answers = [g for g in split.gallery if g.identity == probe.identity and g.session != probe.session]
            assert answers
            assert all(g is not probe for g in answers)
        assert {len(s) >= F and s.layout.name == layout for s in (*split.train, *split.gallery, *split.probe)} == {True}


def sessions(sequences: tuple[SkeletonSequence, ...]) -> set[str]:
    return {s.session for s in sequences}


def people(sequences: tuple[SkeletonSequence, ...]) -> set[str]:
    return {s.identity for s in sequences}


def kgbd(root: Path, protocol: str) -> Split:
    archive = write_kgbd(root, {1: (1, 2, 9, 10), 2: (1, 2), 133: (1, 2, 3), 134: (1, 2), 135: (1,)})
    (split,) = splits("kgbd", archive, protocol, Reading("casia14", F, 15.0))
    return split


def test_the_last_walk_is_the_one_of_the_highest_number(tmp_path: Path) -> None:
    split = kgbd(tmp_path, "last-walk")
    assert sessions(split.probe) == {"001_10", "002_2", "133_3", "134_2"}
    assert sessions(split.gallery) == {"001_1", "001_2", "001_9", "002_1", "133_1", "133_2", "134_1", "135_1"}
    assert split.train == split.gallery


def test_nobody_who_is_matched_was_trained_on(tmp_path: Path) -> None:
    split = kgbd(tmp_path, "disjoint")
    assert sessions(split.train) == {"001_1", "001_2", "001_9", "001_10", "002_1", "002_2"}
    assert sessions(split.gallery) == {"133_1", "133_2", "134_1", "135_1"}
    assert sessions(split.probe) == {"133_3", "134_2"}
    assert not people(split.train) & (people(split.gallery) | people(split.probe))


def test_an_open_gallery_knows_everybody_and_learns_from_some(tmp_path: Path) -> None:
    split = kgbd(tmp_path, "open-gallery")
    assert people(split.train) == {"001", "002"}
    assert people(split.gallery) == {"001", "002", "133", "134", "135"}
    assert sessions(split.probe) == {"001_10", "002_2", "133_3", "134_2"}
    assert sessions(split.train) < sessions(split.gallery)


def test_who_trains_and_who_is_tested_can_be_chosen(tmp_path: Path) -> None:
    archive = write_kgbd(tmp_path, {1: (1, 2), 2: (1, 2), 3: (1, 2)})
    (split,) = splits("kgbd", archive, "disjoint", Reading("kinect20", F), train_people={3}, test_people={1})
    assert (people(split.train), people(split.probe)) == ({"003"}, {"001"})
    assert split.train[0].fps == 30
    with pytest.raises(DatasetError, match="person 2 is among both"):
        splits("kgbd", archive, "disjoint", Reading("kinect20", F), train_people={1, 2}, test_people={2, 3})
    with pytest.raises(DatasetError, match="disjoint: nobody to train on"):
        splits("kgbd", archive, "disjoint", Reading("kinect20", F), train_people={9}, test_people={2, 3})


def test_a_walk_shorter_than_a_clip_is_named(tmp_path: Path) -> None:
    archive = write_kgbd(tmp_path, {1: (1, 2)})
    with pytest.raises(DatasetError, match="001_1 has 20 frames without a break at 15 a second, a clip needs 21"):
        splits("kgbd", archive, "last-walk", Reading("casia14", 21, 15.0))
    broken = footage({"ann": ("a", "b")})
    broken[1] = SkeletonSequence(broken[1].joints, CASIA14, 15.0, np.repeat([0, 1], [25, 15]), "ann", "ann/b")
    assert splits("footage", broken, "last-session", Reading("casia14", 25))
    with pytest.raises(DatasetError, match="ann/b has 25 frames without a break"):
        splits("footage", broken, "last-session", Reading("casia14", 26))


def test_a_gallery_part_is_the_gallery_where_there_is_one(tmp_path: Path) -> None:
    root = write_later(tmp_path / str(F), "KS20", KINECT25, F, ("gallery", "probe")).parent
    (split,) = splits("ks20", root, "random", Reading("kinect25", F, form="recorded"))
    assert [s.session.split("/")[0] for part in (split.train, split.gallery, split.probe) for s in part[:1]] == [
        "train", "gallery", "test",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "protocol", "gallery", "probe"),
    [("ias", "A", "train", "A"), ("ias", "B-A", "A", "B"), ("biwi", "Walking-Still", "Still", "Walking")],
)
def test_parts_are_probe_and_gallery_as_the_protocol_says(
    tmp_path: Path, dataset: str, protocol: str, gallery: str, probe: str
) -> None:
    (split,) = splits(dataset, MAKERS[dataset][1](tmp_path), protocol, reading("kinect20"))  # type: ignore[arg-type]
    assert {s.session.split("/")[0] for s in split.gallery} == {gallery}
    assert {s.session.split("/")[0] for s in split.probe} == {probe}


def test_each_view_is_a_split(tmp_path: Path) -> None:
    data = write_casia_b(tmp_path)
    made = splits("casia-b", data, "cross-view", Reading("casia14", F, form="recorded"))
    assert [split.name for split in made] == [f"cross-view/{view}" for view in range(11)]
    assert [split.probe[0].view for split in made] == [f"{18 * view:03d}" for view in range(11)]
    (third,) = splits("casia-b", data, "cross-view/3", Reading("casia14", F, 25.0, form="recorded"))
    assert (third.name, third.probe[0].view) == ("cross-view/3", "054")
    (data / "CASIA_B" / str(F) / "view_7").rename(data / "away")
    with pytest.raises(DatasetError, match="no folder view_7 in it"):
        splits("casia-b", data, "cross-view", Reading("casia14", F, form="recorded"))


def test_conditions_are_probe_and_gallery(tmp_path: Path) -> None:
    made = splits("casia-b", write_casia_b(tmp_path), "cross-condition", Reading("casia14", F, form="recorded"))
    told = {split.name: (split.probe[0].view, split.gallery[0].view) for split in made}
    assert told == {
        "cross-condition/N-N": ("nm", "nm"), "cross-condition/B-B": ("bg", "bg"), "cross-condition/C-C": ("cl", "cl"),
        "cross-condition/C-N": ("cl", "nm"), "cross-condition/B-N": ("bg", "nm"),
    }  # fmt: skip
    for split in made:
        assert not people(split.train) & people(split.probe)


def test_footage_asks_for_the_last_session() -> None:
    given = footage({"ann": ("day2", "day10", "day9"), "bob": ("only",)})
    (split,) = splits("footage", given, "last-session", Reading("casia14", F))
    assert sessions(split.probe) == {"ann/day10"}
    assert sessions(split.gallery) == {"ann/day2", "ann/day9", "bob/only"}
    with pytest.raises(DatasetError, match="nobody to ask for; each person"):
        splits("footage", footage({"ann": ("a",), "bob": ("a",)}), "last-session", Reading("casia14", F))


@pytest.mark.parametrize(
    ("dataset", "protocol", "wanted", "message"),
    [
        ("kinetics", "A", Reading("casia14", F), "'kinetics' is not a dataset, choose from kgbd, kgbd-arrays"),
        ("kgbd", "cross-view", Reading("casia14", F), "kgbd has no protocol 'cross-view', choose from last-walk"),
        ("kgbd", "last-walk/1", Reading("casia14", F), "no protocol 'last-walk/1', choose from last-walk"),
        ("ks20", "cross-view/5", Reading("casia14", F), "'cross-view/5', choose from cross-view/0, cross-view/1"),
        ("ias", "A", Reading("coco17", F), "'coco17' is not a skeleton layout"),
        ("ias", "A", Reading("kinect20", F, 15.0), "IAS comes as clips of 30 frames a second, not of 15: leave"),
        ("footage", "last-session", Reading("kinect20", F), "ann/a: skeletons are casia14, not kinect20"),
        ("footage", "last-session", Reading("casia14", F, 25.0), "ann/a: skeletons are 15 a second, not 25"),
        ("footage", "last-session", Reading("casia14", F, form="metric"), "footage has no metres"),
    ],
)
def test_what_cannot_be_had_is_refused(
    tmp_path: Path, dataset: str, protocol: str, wanted: Reading, message: str
) -> None:
    data = MAKERS[dataset][1](tmp_path) if dataset in MAKERS else tmp_path
    with pytest.raises(DatasetError, match=message):
        splits(dataset, data, protocol, wanted)  # type: ignore[arg-type]


def test_a_path_is_not_footage_and_sequences_are_not_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="read its folder first"):
        splits("footage", tmp_path, "last-session", Reading("casia14", F))
    with pytest.raises(DatasetError, match="give its path"):
        splits("kgbd", footage({"ann": ("a", "b")}), "last-walk", Reading("casia14", F))


def test_the_names_cost_nothing_to_import() -> None:
    code = "import sys, smsge.datasets; print([m for m in ('numpy', 'scipy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(MAKERS) == set(DATASET_NAMES) > WHOLE_WALKS
