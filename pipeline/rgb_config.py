"""The settings of the run that makes the encoder for footage; `pipeline.rgb` runs it. Light: no torch, no numpy."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from smsge.config import EncoderConfig, PrototypeConfig, ReconstructionConfig, TrainConfig, parse_people
from smsge.errors import ConfigError
from smsge.layouts import CASIA14
from smsge.schedule import Schedule

RECIPE = "rgb"
"""What a configuration's `recipe` says to be one of these."""


@dataclass(frozen=True)
class Imagined:
    """Walkers who are never rendered. people, sessions: of the drawn population, whose first people are those that are
    filmed too; views: shots of each of their walks, recorded_views: of each recorded walk; seconds: of a shot; stride:
    frames from one clip of a shot to the next."""

    people: int = 1500
    sessions: int = 3
    views: int = 1
    recorded_views: int = 3
    seconds: float = 4.0
    stride: int = 10

    def __post_init__(self) -> None:
        if min(self.people, self.sessions, self.views, self.recorded_views) < 0 or self.seconds < 2 or self.stride < 1:
            raise ConfigError("imagined: numbers must not be negative, stride 1 or more and shots 2 seconds or longer")


@dataclass(frozen=True)
class Shots:
    """How many of each person, by how they walk and are filmed (`pipeline.synthetic.shots`): drawn people any way
    before any camera, in rounds before a good one, in passes before a poor one; walked: those that a sensor recorded.

    Raises ConfigError where drawn or walked people have none.
    """

    drawn: int = 3
    rounds: int = 1
    passes: int = 2
    walked: int = 3

    def __post_init__(self) -> None:
        if min(self.drawn, self.walked) < 1 or min(self.rounds, self.passes) < 0:
            raise ConfigError("shots: drawn and walked must be at least 1, rounds and passes 0 or more")


@dataclass(frozen=True)
class RgbConfig:
    """The whole run; `configs/train/rgb.yaml` is the one that ships.

    recipe: always "rgb". out: the folder for everything. kgbd: its folder or .npz; None goes without recorded walks.
    drawn: how many people at random. walked: people of KGBD, as in "1-132". shots: see `Shots`.
    validation, calibration: how many of the drawn people, from the last, are kept from training: the first of them for
    the validation loss, the others for weights and thresholds. imagined: see `Imagined`. seed: of the population;
    recorded_seed: of what no sensor measured of the recorded people.
    workers: processes that film. stride: frames from one clip of a walk to the next. encoder; reconstruction,
    learning: of the first objective; prototypes, telling_apart: of the second. device, threads: as in `TrainConfig`.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    recipe: str
    out: str
    kgbd: str | None = None
    drawn: int = 300
    walked: str = "1-132"
    shots: Shots = field(default_factory=Shots)
    validation: int = 30
    calibration: int = 70
    imagined: Imagined = field(default_factory=Imagined)
    seed: int = 9001
    recorded_seed: int = 5
    workers: int = 2
    stride: int = 2
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    reconstruction: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    learning: Schedule = field(default_factory=lambda: Schedule(steps=2000))
    prototypes: PrototypeConfig = field(default_factory=PrototypeConfig)
    telling_apart: Schedule = field(default_factory=lambda: Schedule(steps=3000))
    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.recipe != RECIPE:
            raise ConfigError(f"recipe: must be {RECIPE}, not {self.recipe!r}")
        for key in ("drawn", "validation", "calibration", "workers", "stride"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key}: must be at least 1, got {getattr(self, key)}")
        if self.trained < 10:
            raise ConfigError(
                f"drawn: of {self.drawn} people, {self.validation} + {self.calibration} are kept from training; at "
                "least 10 must be left"
            )
        if self.encoder.layout != CASIA14.name:
            raise ConfigError(f"encoder.layout: footage is read as {CASIA14.name}, not as {self.encoder.layout}")
        if self.prototypes.start is not None:
            raise ConfigError("prototypes.start: this run begins with its own self-supervised encoder")
        parse_people(self.walked, "walked")

    @property
    def trained(self) -> int:
        """How many of the drawn people, the first, are trained on."""
        return self.drawn - self.validation - self.calibration

    def stage(self, objective: str) -> TrainConfig:
        """The run of one objective, with a folder of its own."""
        first = Path(self.out) / "reconstruction" / "encoder.safetensors"
        start = str(first) if objective == "prototypes" else None
        return TrainConfig(
            data=self.out, out=str(Path(self.out) / objective), dataset="footage", protocol="last-session",
            validation_clips=2048, stride=self.stride, encoder=self.encoder, objective=objective,
            reconstruction=self.reconstruction, prototypes=replace(self.prototypes, start=start),
            schedule=self.learning if objective == "reconstruction" else self.telling_apart,
            device=self.device, threads=self.threads,
        )  # fmt: skip
