"""Settings of the method. Light on purpose: no numpy, no torch, so that a command line can check them first."""

from dataclasses import dataclass, field

from smsge.errors import ConfigError
from smsge.layouts import LAYOUTS, SkeletonLayout

SCALES = {"I": "hyper-joint", "J": "joint", "P": "part", "B": "body"}
"""The scales of section 2 of the paper, finest first: this order decides which scale may attend to and rebuild which,
and the order of the blocks in an embedding."""

DATASETS = ("kgbd",)
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class EncoderConfig:
    """What the encoder is; the defaults are the paper's.

    layout: which skeletons it reads (casia14, kinect20, kinect25).
    frames: f, the length of the clips it is trained on (any length can be encoded).
    hidden: D_h, width of the LSTMs; the embedding has `len(scales) * hidden` numbers.
    heads, width: P heads of d numbers in the structural relation.
    scales: any of I, J, P, B; kept in that order whatever order they are given in.
    fusion: lambda, how much of the collaborative relation is added to a node's own state.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    layout: str = "casia14"
    frames: int = 20
    hidden: int = 256
    heads: int = 8
    width: int = 8
    scales: tuple[str, ...] = tuple(SCALES)
    fusion: float = 1.0

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"layout: {self.layout!r} is not a skeleton layout, choose from {', '.join(LAYOUTS)}")
        for key in ("frames", "hidden", "heads", "width"):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{key}: must be a whole number of at least 1, got {value!r}")
        unknown = [name for name in self.scales if name not in SCALES]
        if unknown or not self.scales or len(set(self.scales)) != len(self.scales):
            raise ConfigError(
                f"scales: must be one or more of {', '.join(SCALES)}, each once, got {list(self.scales)!r}"
            )
        if not isinstance(self.fusion, int | float) or not 0 <= self.fusion < float("inf"):
            raise ConfigError(f"fusion: must be a number of at least 0, got {self.fusion!r}")
        object.__setattr__(self, "scales", tuple(name for name in SCALES if name in self.scales))

    @property
    def skeleton(self) -> SkeletonLayout:
        """The layout itself."""
        return LAYOUTS[self.layout]

    @property
    def embedding_size(self) -> int:
        """Numbers in one prefix embedding F_k: every scale's LSTM state, one after the other."""
        return len(self.scales) * self.hidden

    @property
    def scale_pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (a, b) where scale b is at least as coarse as scale a: who attends to whom, who rebuilds whom."""
        return tuple((a, b) for i, a in enumerate(self.scales) for b in self.scales[i:])


@dataclass(frozen=True)
class TrainConfig:
    """How an encoder is trained; `configs/train/` holds one file a dataset.

    data: the dataset's folder or archive; dataset: which reader (kgbd). out: the folder for checkpoints, the learning
    curve and the encoder.
    people: who is trained on, such as "1-132" or "1-50,60"; validation: those of them who are held out for the
    validation loss, over at most `validation_clips` of their clips, evenly spread. Nobody else is read.
    fps: skeletons a second. stride: frames from one clip to the next of a walk.
    steps: optimiser steps; batch: clips a step; learning_rate: of Adam, reached after `warmup` steps and then lowered
    along half a cosine to `final_rate` times itself. max_gradient: norm to which gradients are cut.
    subset_lengths: how many of the f subsequence lengths each step draws, None for all (section 4 of the paper).
    checkpoint_every: steps between checkpoints, each with a validation loss and a row of the learning curve.
    seed: of the weights and of every draw. device: auto, cpu or cuda; bf16: autocast to bfloat16, on cuda only.
    threads: CPU threads, None for PyTorch's choice; a resumed run is bit for bit the unbroken one for the same number.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    data: str
    out: str
    dataset: str = "kgbd"
    people: str = "1-132"
    validation: str = "121-132"
    validation_clips: int = 512
    fps: float = 15.0
    stride: int = 5
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    steps: int = 10000
    batch: int = 128
    learning_rate: float = 2.5e-3
    warmup: int = 200
    final_rate: float = 0.02
    max_gradient: float = 1.0
    subset_lengths: int | None = None
    checkpoint_every: int = 200
    seed: int = 1
    device: str = "auto"
    bf16: bool = True
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            raise ConfigError(f"dataset: {self.dataset!r} cannot be read, choose from {', '.join(DATASETS)}")
        if self.device not in DEVICES:
            raise ConfigError(f"device: {self.device!r} is not a device, choose from {', '.join(DEVICES)}")
        for key in ("validation_clips", "stride", "steps", "batch", "checkpoint_every"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key}: must be at least 1, got {getattr(self, key)}")
        for key in ("fps", "learning_rate", "max_gradient"):
            if not 0 < getattr(self, key) < float("inf"):
                raise ConfigError(f"{key}: must be a number above 0, got {getattr(self, key)}")
        if self.warmup < 0 or not 0 <= self.final_rate <= 1:
            raise ConfigError(f"warmup must be at least 0 and final_rate in 0..1, got {self.warmup}, {self.final_rate}")
        if self.subset_lengths is not None and not 1 <= self.subset_lengths <= self.encoder.frames:
            raise ConfigError(f"subset_lengths: must be in 1..{self.encoder.frames} or null, got {self.subset_lengths}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads: must be at least 1 or null, got {self.threads}")
        people, validation = parse_people(self.people, "people"), parse_people(self.validation, "validation")
        if not people - validation:
            raise ConfigError(f"validation: {self.validation!r} leaves nobody of people {self.people!r} to train on")
        if validation - people:
            raise ConfigError(f"validation: {self.validation!r} must be among people {self.people!r}")


def parse_people(text: str, key: str = "people") -> frozenset[int]:
    """ "1-3, 7" -> {1, 2, 3, 7}; an empty text is nobody. Raises ConfigError, naming `key`, for anything else."""
    numbers: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ConfigError(f"{key}: {part!r} is not a person's number or a range such as 1-132")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
