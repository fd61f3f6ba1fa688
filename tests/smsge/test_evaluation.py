"""Whole-walk matching: protocol, table, command."""

from pathlib import Path

import numpy as np
import pytest
import torch
from walking_figure import turned, walk

from smsge.canonical import canonicalize
from smsge.checkpoint import save_checkpoint
from smsge.config import EncoderConfig
from smsge.descriptors import bone_lengths
from smsge.encoder import SMSGE
from smsge.errors import DatasetError
from smsge.evaluation import describe, embed_walks, evaluate_kgbd, evaluate_walks, format_table, main, split_last_walk
from smsge.layouts import CASIA14, KINECT20
from smsge.sequence import SkeletonSequence

TINY = EncoderConfig(frames=6, hidden=8, heads=2, width=4)


def people(count: int, walks: int = 3, frames: int = 30) -> list[SkeletonSequence]:
    return [
        SkeletonSequence(
            canonicalize(turned(walk(CASIA14, frames + w, seed=p, size=1 + 0.03 * p), w), CASIA14, 15.0),
            CASIA14, 15.0, identity=f"{p:03d}", session=f"{p:03d}_{w}",
        )
        for p in range(count)
        for w in range(walks)
    ]  # fmt: skip


def test_the_last_walk_is_the_probe_and_the_others_the_gallery() -> None:
    sequences = [*people(2), *people(3, walks=1)[2:]]
    probes, gallery = split_last_walk(sequences)
    assert [s.session for s in probes] == ["000_2", "001_2"]
    assert [s.session for s in gallery] == ["000_0", "000_1", "001_0", "001_1", "002_0"]
    with pytest.raises(DatasetError, match="no person has two walks"):
        split_last_walk(people(2, walks=1))


def test_walkers_of_different_build_are_found_and_a_constant_is_not() -> None:
    sequences = people(4)
    assert evaluate_walks(sequences, describe(bone_lengths), "bones").retrieval.rank[1] == 1.0
    flat = evaluate_walks(sequences, lambda walks: np.ones((len(walks), 3)), "flat").retrieval
    assert flat.rank[1] == 0.0


def test_an_embedding_is_the_mean_over_clips_and_prefixes() -> None:
    torch.manual_seed(0)
    encoder = SMSGE(TINY)
    sequences = people(2, walks=1)
    rows = embed_walks(encoder, sequences, stride=4, batch=2)
    assert rows.shape == (2, 32)
    with torch.no_grad():
        states = encoder(torch.from_numpy(sequences[1].windows(6, 4)))
    assert rows[1] == pytest.approx(states.numpy().mean(axis=(0, 1)), abs=1e-5)
    with pytest.raises(DatasetError, match="walk 000_0: 4 frames, 6 are needed"):
        embed_walks(encoder, people(1, walks=1, frames=4))


def test_the_table_has_every_baseline_and_the_encoder() -> None:
    torch.manual_seed(0)
    table = format_table(evaluate_kgbd(people(4), SMSGE(TINY), people(3)))
    assert [line[:20].strip() for line in table.splitlines()] == [
        "whole walks", "D13", "D16", "bone lengths", "posture statistics", "SM-SGE",
    ]  # fmt: skip
    assert "100.0" in table


def test_the_command_prints_the_table_or_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        f"{p:03d}_{w}": np.round(4000 * turned(walk(KINECT20, 60, 30.0, seed=p), w)).astype(np.int16)
        for p in (1, 2, 3)
        for w in (1, 2)
    }
    np.savez(tmp_path / "kgbd.npz", **values)
    save_checkpoint(tmp_path / "encoder.safetensors", SMSGE(TINY))
    command = ["--data", str(tmp_path / "kgbd.npz"), "--weights", str(tmp_path / "encoder.safetensors")]
    assert main([*command, "--people", "1-2", "--statistics", "3"]) == 0
    assert "posture statistics" in capsys.readouterr().out
    assert main([*command, "--people", "8-9"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
