"""A file of synthetic skeletons is read as KGBD is."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.synthetic.skeleton_file import write_skeletons
from pipeline.synthetic.skeletons import population_skeletons
from smsge.datasets.kgbd import read_kgbd
from smsge.layouts import KINECT20


def test_what_is_written_is_read(tmp_path: Path) -> None:
    told: list[int] = []
    file = tmp_path / "new" / "walkers.npz"
    keys = write_skeletons(file, 2, 2, seed=3, seconds=2.0, progress=lambda _, done, __: told.append(done))
    assert keys == ["001_1", "001_2", "002_1", "002_2"]
    assert told == [1, 2]
    read = read_kgbd(file, "kinect20", fps=None, form="canonical")
    made = list(population_skeletons(3, [1, 2], 2, KINECT20, 30.0, 2.0, form="canonical", slopes=0.0))
    assert [one.session for one in read] == keys
    for one, other in zip(read, made, strict=True):
        np.testing.assert_allclose(one.joints, other.joints, atol=0.001)


def test_a_long_walk_fits(tmp_path: Path) -> None:
    write_skeletons(tmp_path / "walkers.npz", 3, 1, seconds=30.0)
    for walk in read_kgbd(tmp_path / "walkers.npz", "kinect20", form="recorded"):
        assert np.abs(np.diff(walk.joints, axis=0)).max() < 0.6
        assert np.abs(walk.joints).max() < 2.2


def test_impossible_numbers_and_a_file_that_is_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        write_skeletons(tmp_path / "walkers.npz", 0, 1)
    (tmp_path / "walkers.npz").write_text("mine")
    with pytest.raises(UserError, match="already"):
        write_skeletons(tmp_path / "walkers.npz", 1, 1)
    assert (tmp_path / "walkers.npz").read_text() == "mine"
