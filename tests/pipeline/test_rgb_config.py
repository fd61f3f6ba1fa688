"""The recipe's settings: what cannot be is refused by name, before anything is filmed."""

from pathlib import Path

import pytest

from pipeline.rgb_config import Imagined, RgbConfig, Shots
from smsge.config import EncoderConfig, PrototypeConfig, ReconstructionConfig
from smsge.errors import ConfigError
from smsge.schedule import Schedule


def settings(**changes: object) -> RgbConfig:
    return RgbConfig(**{"recipe": "rgb", "out": "runs/rgb", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "kgbd"}, "recipe: must be rgb"),
        *(({key: 0}, f"{key}: must be at least 1, got 0") for key in
          ("drawn", "validation", "calibration", "workers", "stride")),
        ({"drawn": 39, "validation": 10, "calibration": 20}, "drawn: of 39 people, 10 \\+ 20 are kept"),
        ({"encoder": EncoderConfig(layout="kinect20")}, "encoder.layout: footage is read as casia14, not as kinect20"),
        ({"prototypes": PrototypeConfig(start="other.safetensors")}, "prototypes.start"),
        ({"walked": "132-1"}, "walked: "),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        settings(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"people": -1}, {"sessions": -1}, {"views": -1}, {"recorded_views": -1}, {"seconds": 1.9}, {"stride": 0}],
)
def test_imagined_walkers_are_checked_too(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="imagined: "):
        Imagined(**changes)  # type: ignore[arg-type]
    assert Imagined(people=0, views=0, recorded_views=0).people == 0


@pytest.mark.parametrize("changes", [{"drawn": 0}, {"walked": 0}, {"rounds": -1}, {"passes": -1}])
def test_nobody_goes_without_a_shot(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="shots: drawn and walked must be at least 1"):
        Shots(**changes)
    assert Shots(rounds=0, passes=0).drawn == 3


def test_ten_people_are_enough_to_train_on() -> None:
    assert settings(drawn=40, validation=10, calibration=20).trained == 10


def test_the_second_objective_goes_on_from_the_first() -> None:
    config = settings(
        encoder=EncoderConfig(frames=12), reconstruction=ReconstructionConfig(subset_lengths=3), stride=4, threads=1,
        learning=Schedule(steps=5), telling_apart=Schedule(steps=7), prototypes=PrototypeConfig(width=9), device="cpu",
    )  # fmt: skip
    first, second = config.stage("reconstruction"), config.stage("prototypes")
    assert (first.objective, second.objective) == ("reconstruction", "prototypes")
    assert (first.out, second.out) == (str(Path("runs/rgb/reconstruction")), str(Path("runs/rgb/prototypes")))
    assert (first.schedule.steps, second.schedule.steps) == (5, 7)
    assert first.prototypes.start is None
    assert second.prototypes.start == str(Path("runs/rgb/reconstruction/encoder.safetensors"))
    assert second.prototypes.width == 9
    for stage in (first, second):
        assert (stage.dataset, stage.protocol, stage.stride, stage.device) == ("footage", "last-session", 4, "cpu")
        assert (stage.encoder, stage.reconstruction, stage.threads) == (config.encoder, config.reconstruction, 1)
