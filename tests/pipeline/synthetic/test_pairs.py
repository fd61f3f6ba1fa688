"""Shots read back: each usable track beside where the joints really were."""

from pathlib import Path

import numpy as np
import pytest
from stick_pose import Brief, StickPose, without_a_model

from pipeline.errors import DatasetError, SkeletonFileError
from pipeline.settings import Settings
from pipeline.skeletons import load_skeletons
from pipeline.synthetic.pairs import read_shots
from pipeline.synthetic.shots import Drawn, make_shots


@pytest.fixture
def posed(monkeypatch: pytest.MonkeyPatch) -> StickPose:
    return without_a_model(monkeypatch)


def test_shots_are_read_back_beside_the_truth(tmp_path: Path, posed: StickPose) -> None:
    make_shots(tmp_path, Drawn(3), ["bob", "ann"], [1, 2])
    seen: list[tuple[str, float, float | None]] = []
    shown = read_shots(tmp_path, Settings(), 20, lambda *what: seen.append(what))
    assert seen[-1] == ("reading shots", 4, 4)
    sessions = [f"{name}/{tmp_path.name}/shot_{shot}" for name in ("ann", "bob") for shot in (1, 2)]
    assert [one.sequence.session for one in shown] == sessions
    assert [one.sequence.identity for one in shown] == ["ann", "ann", "bob", "bob"]
    for one in shown:
        assert len(one.sequence) == sum(len(pair.seen) for pair in one.pairs)
        assert one.sequence.truth is not None
        for pair in one.pairs:
            assert (pair.person, pair.person + "/" + pair.shot) == (one.sequence.identity, one.sequence.session)
            assert pair.seen.shape == pair.true.shape
            assert np.linalg.norm(pair.up) == pytest.approx(1.0)
            assert pair.up[1] > 0.5
            heads = pair.true[:, 0] @ pair.up, pair.seen[:, 0, 1]
            for head in heads:
                assert 0.3 < head.mean() < 0.6  # statures above the hips
        heights = [pair.height for pair in one.pairs]
        there = tmp_path / "people" / one.sequence.identity / f"{Path(one.sequence.session).name}.npz"
        tall = np.ptp(load_skeletons(there).tracks[0].image[..., 1], axis=1)
        assert heights[0] == pytest.approx(np.median(tall), rel=0.15)
    assert read_shots(tmp_path, Settings(), 1000) == []


@pytest.mark.parametrize("how", ["missing", "half", "text", "lacks one"])
def test_a_shot_without_its_truth_is_refused_in_one_line(tmp_path: Path, posed: StickPose, how: str) -> None:
    make_shots(tmp_path, Brief(3), ["ann"], [1])
    there = tmp_path / "truth/ann/shot_1.npz"
    if how == "missing":
        there.unlink()
    elif how == "half":
        there.write_bytes(there.read_bytes()[:700])
    elif how == "text":
        there.write_text("no truth")
    else:
        np.savez(there, times=np.zeros(3))
    with pytest.raises(DatasetError, match=r"truth of .*shot_1\.npz cannot be read") as caught:
        read_shots(tmp_path, Settings(), 20)
    assert "\n" not in str(caught.value)


def test_damaged_skeletons_and_empty_folders(tmp_path: Path, posed: StickPose) -> None:
    assert read_shots(tmp_path, Settings(), 20) == []
    make_shots(tmp_path, Brief(3), ["ann"], [1])
    assert read_shots(tmp_path, Settings(), 20) == []  # too short to be searched
    (tmp_path / "people/ann/shot_1.npz").write_bytes(b"half")
    with pytest.raises(SkeletonFileError):
        read_shots(tmp_path, Settings(), 20)
