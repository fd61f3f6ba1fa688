"""The whole run that makes an encoder for footage, in small: a scripted pose estimator, few people and steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stick_pose import StickPose, without_a_model

from pipeline.embed import load_embedder
from pipeline.lift import Lift
from pipeline.rgb import ENCODERS, ESTIMATOR, drawn_names, film, imagine_all, parted, train_rgb
from pipeline.rgb_config import Imagined, RgbConfig, Shots
from pipeline.settings import EncoderSettings, Settings
from pipeline.synthetic.estimator import Estimator
from pipeline.synthetic.scene import Actor, Scene
from pipeline.synthetic.shots import Spoil, draw_shot
from pipeline.synthetic.skeleton_file import write_skeletons
from smsge.checkpoint import load_checkpoint
from smsge.config import EncoderConfig, PrototypeConfig, ReconstructionConfig
from smsge.errors import DatasetError
from smsge.schedule import Schedule
from smsge.sequence import SkeletonSequence

SHORT = Schedule(steps=2, batch=16, warmup=0, checkpoint_every=1)
TRAINED, VALIDATION, CALIBRATION = 10, 1, 4


def brief(actor: Actor, seconds: float, generator: np.random.Generator) -> tuple[Scene, Spoil]:
    """`draw_shot`, hardly longer than a track must be."""
    return draw_shot(actor, min(seconds, 1.6), generator)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RgbConfig, list[Path], int]:
    """A run, its encoders, and how many pictures were posed."""
    folder = tmp_path_factory.mktemp("rgb")
    kgbd = folder / "kgbd.npz"
    write_skeletons(kgbd, 2, 2, seed=1, seconds=3.0)
    config = RgbConfig(
        recipe="rgb", out=str(folder / "run"), kgbd=str(kgbd), walked="1-2", shots=Shots(2, 1, 1, 2),
        drawn=TRAINED + VALIDATION + CALIBRATION, validation=VALIDATION, calibration=CALIBRATION, workers=1, stride=4,
        imagined=Imagined(people=TRAINED + 2, sessions=1, recorded_views=1, seconds=2.0),
        encoder=EncoderConfig(frames=10, hidden=4, heads=2, width=4, scales=("J", "B"), standardised=True),
        reconstruction=ReconstructionConfig(subset_lengths=2), learning=SHORT, telling_apart=SHORT,
        prototypes=PrototypeConfig(width=6), device="cpu", threads=1,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        pose = without_a_model(patch)
        patch.setattr("pipeline.synthetic.shots.draw_shot", brief)
        done = train_rgb(config)
    return config, done, len(pose.shown)


@pytest.fixture(scope="module")
def imagined(finished: tuple[RgbConfig, list[Path], int]) -> list[SkeletonSequence]:
    """All who were never rendered."""
    config, _, _ = finished
    return list(imagine_all(config, Estimator.load(Path(config.out) / ESTIMATOR), Lift()))


def test_both_encoders_embed_and_are_told_apart(
    finished: tuple[RgbConfig, list[Path], int], imagined: list[SkeletonSequence]
) -> None:
    config, done, _ = finished
    assert [path.name for path in done] == list(ENCODERS.values())
    plain, default = (load_embedder(EncoderSettings(weights=str(path), device="cpu")) for path in done)
    assert plain.fingerprint != default.fingerprint
    assert "head" not in plain.metadata
    assert default.metadata["head"] == {"width": 6}
    for embedder in (plain, default):
        np.testing.assert_allclose(np.linalg.norm(embedder.embed(imagined[:3]), axis=1), 1, atol=1e-5)
        assert embedder.weights["encoder"] > 0
        assert embedder.metadata["calibration"]["people"] == config.calibration


def test_the_default_is_half_way_between_the_two_steps(finished: tuple[RgbConfig, list[Path], int]) -> None:
    config, done, _ = finished
    steps = [load_checkpoint(Path(config.out) / name / "encoder.safetensors") for name in ENCODERS]
    first, last = (step.model.state_dict() for step in steps)
    assert any(not first[key].equal(last[key]) for key in first)
    for path, share in zip(done, (0.0, 0.5), strict=True):
        for key, value in load_checkpoint(path).model.state_dict().items():
            expected = (1 - share) * first[key] + share * last[key]
            np.testing.assert_allclose(value.numpy(), expected.numpy(), atol=1e-3)  # kept in 16 bits


def test_nobody_is_on_two_sides(
    finished: tuple[RgbConfig, list[Path], int], imagined: list[SkeletonSequence], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _, _ = finished
    without_a_model(monkeypatch)
    groups = parted(config, film(config, Settings()))
    people = {name: {one.sequence.identity for one in part} for name, part in groups.items()}
    names = drawn_names(config)
    assert people["train"] == {*names[:TRAINED], "kgbd_001", "kgbd_002"}
    assert people["validation"] == set(names[TRAINED : TRAINED + VALIDATION])
    assert people["calibration"] == set(names[TRAINED + VALIDATION :])
    unseen = {one.identity for one in imagined}
    assert unseen & set(names) == set(names[:TRAINED])
    assert len(unseen) == TRAINED + 2 + 2


def test_imagined_walkers_know_the_truth(imagined: list[SkeletonSequence]) -> None:
    assert all(walk.truth is not None and walk.truth.shape == walk.joints.shape for walk in imagined)
    assert np.abs(imagined[-1].truth - imagined[-1].joints).max() > 0.001  # type: ignore[operator]


def test_a_finished_run_is_not_filmed_again(
    finished: tuple[RgbConfig, list[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, done, posed = finished
    assert posed > 0
    before = [load_checkpoint(path).fingerprint for path in done]
    pose: StickPose = without_a_model(monkeypatch)
    again = train_rgb(replace(config), resume=True)
    assert pose.shown == []
    assert [load_checkpoint(path).fingerprint for path in again] == before


def test_people_whom_a_run_of_before_filmed_too_are_left_out(
    finished: tuple[RgbConfig, list[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _, _ = finished
    pose = without_a_model(monkeypatch)
    fewer = replace(config, drawn=config.drawn - 1, calibration=config.calibration - 1)
    there, wanted = ({one.sequence.identity for one in film(told, Settings())} for told in (config, fewer))
    assert there - wanted == {drawn_names(config)[-1]}
    assert pose.shown == []


def test_a_wrong_path_is_told_before_anything_is_filmed(
    finished: tuple[RgbConfig, list[Path], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _, _ = finished
    pose = without_a_model(monkeypatch)
    with pytest.raises(DatasetError, match="no such file or folder"):
        train_rgb(replace(config, out=str(tmp_path / "new"), kgbd=str(tmp_path / "nowhere.npz")))
    assert pose.shown == []
