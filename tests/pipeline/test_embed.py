"""Skeletons -> embeddings, with a tiny encoder."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoder import as_they_are, save_tiny, walk

import pipeline
import smsge
from pipeline.embed import TrackEmbedder, describe, load_embedder
from pipeline.errors import CheckpointError, ConfigError
from pipeline.lift import Lift
from pipeline.settings import EncoderSettings
from pipeline.thresholds import Thresholds
from pipeline.walks import Walks
from smsge.checkpoint import load_checkpoint, save_checkpoint
from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.prototypes import PrototypeHead
from smsge.sequence import mirror


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "tiny.safetensors")


def test_embeddings_are_of_unit_length_and_do_not_depend_on_the_batch(weights: Path):
    embedder = load_embedder(EncoderSettings(weights=str(weights), device="cpu", batch=3))
    walks = [walk(seed, frames) for seed, frames in ((1, 9), (2, 40), (3, 25))]
    together = embedder.embed(walks)
    assert together.shape == (3, embedder.dim)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, np.concatenate([embedder.embed([one]) for one in walks]), atol=1e-5)
    assert embedder.threshold == 0.4
    assert embedder.frames == 8
    assert "statistics" in embedder.name


def test_a_track_and_its_mirror_image_are_means_over_windows_of_the_mean_over_prefixes(weights: Path):
    checkpoint = load_checkpoint(weights)
    model, one = checkpoint.model, walk(7, 20)
    windows = torch.from_numpy(np.concatenate([seen.windows(8, 5) for seen in (one, mirror(one))]))
    with torch.inference_mode():
        slow = torch.stack([torch.stack([model(w[None, :k])[0, -1] for k in range(1, 9)]).mean(0) for w in windows])
    np.testing.assert_allclose(describe(checkpoint, as_they_are([one]))["encoder"][0], slow.mean(0).numpy(), atol=1e-5)


def test_an_encoder_with_a_head_is_described_by_its_head(weights: Path):
    plain = load_checkpoint(weights)
    torch.manual_seed(1)
    head = PrototypeHead(16, 5).eval()
    tensors = {f"head.{name}": value for name, value in head.state_dict().items()}
    headed = replace(plain, tensors=plain.tensors | tensors, metadata=plain.metadata | {"head": {"width": 5}})
    one = walk(7, 20)
    with torch.inference_mode():
        seen = np.concatenate([walked.windows(8, 5) for walked in (one, mirror(one))])
        expected = head(plain.model.embed(torch.from_numpy(seen))).mean(dim=0).numpy()
    got = describe(headed, as_they_are([one]))
    assert got["encoder"].shape == (1, 5)
    np.testing.assert_allclose(got["encoder"][0], expected, atol=1e-5)
    np.testing.assert_array_equal(got["statistics"], describe(plain, as_they_are([one]))["statistics"])
    damaged = replace(headed, metadata=plain.metadata | {"head": {"width": 6}})
    with pytest.raises(CheckpointError, match="head is damaged"):
        describe(damaged, as_they_are([one]))


def test_thresholds_come_from_the_file_and_an_older_one_knows_one_rate(weights: Path):
    old = load_embedder(EncoderSettings(weights=str(weights), device="cpu"))
    assert old.thresholds == Thresholds.single(0.4)
    saved = load_checkpoint(weights)
    table = Thresholds((0.1, 0.01), (1, 2), ((0.2, 0.4), (0.3, 0.5)), ((0.1, 0.3),), people=9, pairs=600)
    for told in (table.json(), table.json() | {"rates": [0.01, 0.1]}):
        save_checkpoint(weights, saved.model, saved.tensors, saved.metadata | {"thresholds": told})
        if told == table.json():
            new = load_embedder(EncoderSettings(weights=str(weights), device="cpu"))
            assert (new.thresholds, new.fingerprint) == (table, old.fingerprint)
        else:
            with pytest.raises(CheckpointError, match="no usable calibration"):
                load_embedder(EncoderSettings(weights=str(weights), device="cpu"))


def test_nothing_gives_nothing(weights: Path):
    embedder = load_embedder(EncoderSettings(weights=str(weights), device="cpu"))
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_a_track_shorter_than_a_window_is_refused(weights: Path):
    with pytest.raises(ValueError, match="no uninterrupted window of 8"):
        load_embedder(EncoderSettings(weights=str(weights), device="cpu")).embed([walk(1, 7)])


def test_a_lift_that_makes_no_skeleton_of_a_track_is_told_in_one_line(weights: Path):
    plain = load_checkpoint(weights)
    lift = Lift(((np.full((42, 42), 3e38), np.zeros(42)), (np.full((42, 42), 3e38), np.zeros(42))))
    tensors = {name: torch.from_numpy(values) for name, values in lift.tensors().items()}
    embedder = TrackEmbedder(replace(plain, tensors=plain.tensors | tensors), "tiny")
    with pytest.raises(CheckpointError, match="makes no skeleton of a track"):
        embedder.embed([walk(1)])


def test_weights_without_calibration_are_refused(tmp_path: Path):
    path = tmp_path / "bare.safetensors"
    save_checkpoint(path, SMSGE(EncoderConfig(hidden=4)), {}, {})
    with pytest.raises(CheckpointError, match="no usable calibration"):
        TrackEmbedder(load_checkpoint(path), "bare")


def test_an_encoder_that_was_calibrated_on_other_skeletons_is_refused(weights: Path):
    saved = load_checkpoint(weights)
    save_checkpoint(weights, saved.model, saved.tensors, saved.metadata | {"normalize": 2})
    with pytest.raises(CheckpointError, match="skeletons of version 2, here they are of version 3"):
        load_embedder(EncoderSettings(weights=str(weights), device="cpu"))


@pytest.mark.parametrize("version", [None, 3, 99])
def test_an_encoder_that_was_calibrated_on_other_descriptors_is_refused(weights: Path, version: int | None):
    saved = load_checkpoint(weights)
    metadata = {key: value for key, value in saved.metadata.items() if key != "descriptors"}
    save_checkpoint(
        weights, saved.model, saved.tensors, metadata if version is None else metadata | {"descriptors": version}
    )
    with pytest.raises(CheckpointError, match=f"descriptors of version {version or 1}, here they are of version 4"):
        load_embedder(EncoderSettings(weights=str(weights), device="cpu"))


def test_joints_are_told_alike_of_a_walk_and_of_its_mirror_image(weights: Path):
    walks = [walk(seed) for seed in range(3)]
    seen, swapped = (
        describe(load_checkpoint(weights), as_they_are(part)) for part in (walks, [mirror(one) for one in walks])
    )
    np.testing.assert_allclose(seen["encoder"], swapped["encoder"], atol=1e-5)
    posture, joints, swing = 79, 84, 86
    assert seen["statistics"].shape == (3, posture + joints + swing)
    apart = np.abs(seen["statistics"] - swapped["statistics"]).max(axis=0)
    assert apart[posture : posture + joints].max() < 1e-5
    assert apart[:posture].max() > 0.01
    assert apart[posture + joints :].max() > 0.01


def test_statistics_are_told_of_skeletons_as_given_and_lifted(weights: Path):
    plain = load_checkpoint(weights)
    lift = Lift(((np.zeros((42, 42)), np.random.default_rng(0).normal(0, 0.05, 42)),))
    tensors = {name: torch.from_numpy(values) for name, values in lift.tensors().items()}
    lifting = TrackEmbedder(replace(plain, tensors=plain.tensors | tensors), "tiny")
    seen = [walk(seed) for seed in range(3)]
    walks = Walks.of(seen, lift)
    raw, unlifted = lifting.describe(walks), lifting.describe(Walks.of(seen, Lift()))
    np.testing.assert_array_equal(raw["statistics_seen"], unlifted["statistics_seen"])
    np.testing.assert_array_equal(unlifted["statistics"], unlifted["statistics_seen"])
    for part in ("encoder", "statistics"):
        assert np.abs(raw[part] - unlifted[part]).max() > 1e-3
    np.testing.assert_allclose(lifting.embed(seen), lifting.join(raw), atol=1e-4)  # the lift is kept in 32 bits


def test_the_encoders_that_ship_lie_with_smsge_wherever_the_packages_are_put(tmp_path: Path):
    """As Ray does on the machines of a cluster: each in a folder of its own."""
    for name, package in (("one", pipeline), ("other", smsge)):
        shutil.copytree(Path(package.__file__).parent, tmp_path / name / package.__name__)
    path = os.pathsep.join(str(tmp_path / name) for name in ("one", "other"))
    code = "from pipeline.embed import find_weights; print(find_weights('default'))"
    found = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path,
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert Path(found.stdout.strip()) == tmp_path / "other" / "smsge" / "weights" / "default.safetensors"


def test_weights_that_are_nowhere_are_refused_by_name():
    with pytest.raises(CheckpointError, match="nowhere"):
        load_embedder(EncoderSettings(weights="nowhere"))


def test_skeletons_at_another_frame_rate_are_refused(weights: Path):
    fast = replace(walk(1), fps=30.0)
    with pytest.raises(ValueError, match="casia14 at 30 a second, casia14 at 15 are needed"):
        load_embedder(EncoderSettings(weights=str(weights), device="cpu")).embed([fast])


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_device_that_is_not_there_is_refused(weights: Path):
    with pytest.raises(ConfigError, match=r"encoder\.device: cuda is not available"):
        load_embedder(EncoderSettings(weights=str(weights), device="cuda"))
