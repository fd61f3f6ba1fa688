"""Settings of the method. Light on purpose: no numpy, no torch, so that a command line can check them first."""

from dataclasses import dataclass, field

from smsge.datasets import PROTOCOLS
from smsge.errors import ConfigError
from smsge.layouts import LAYOUTS, SkeletonLayout
from smsge.schedule import Schedule

SCALES = {"I": "hyper-joint", "J": "joint", "P": "part", "B": "body"}
"""The scales of section 2 of the paper, finest first: this order decides which scale may attend to and rebuild which,
and the order of the blocks in an embedding."""

DATASETS = tuple(PROTOCOLS)
DEVICES = ("auto", "cpu", "cuda")
FORMS = ("recorded", "metric", "canonical")
"""How a reader hands skeletons on. recorded: as the sensor saw them, in metres. metric: upright and facing +z, in
metres, for sensors that measure them. canonical: that at unit stature, which is all that one camera can tell."""

MOST_FRAMES, MOST_PEOPLE = 10_000, 1_000_000
"""Of a clip and of a dataset: more is a mistake, or a file that was made to use up the memory."""

OBJECTIVES = ("reconstruction", "prototypes")
SUBSEQUENCES = ("sampled", "full")
TARGETS = ("coarser", "own")


@dataclass(frozen=True)
class EncoderConfig:
    """What the encoder is; the defaults are the paper's.

    layout: which skeletons it reads (casia14, kinect20, kinect25).
    frames: f, the length of the clips it is trained on (any length can be encoded).
    hidden: D_h, width of the LSTMs; the embedding has `len(scales) * hidden` numbers.
    heads, width: P heads of d numbers in the structural relation.
    scales: any of I, J, P, B; kept in that order whatever order they are given in.
    fusion: lambda, how much of the collaborative relation is added to a node's own state.
    standardised: every coordinate by its mean and deviation over the training clips, kept with the weights.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    layout: str = "casia14"
    frames: int = 20
    hidden: int = 256
    heads: int = 8
    width: int = 8
    scales: tuple[str, ...] = tuple(SCALES)
    fusion: float = 1.0
    standardised: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"layout: {self.layout!r} is not a skeleton layout, choose from {', '.join(LAYOUTS)}")
        for key in ("frames", "hidden", "heads", "width"):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{key}: must be a whole number of at least 1, got {value!r}")
        if self.frames > MOST_FRAMES:
            raise ConfigError(f"frames: must be at most {MOST_FRAMES}, got {self.frames}")
        unknown = [name for name in self.scales if name not in SCALES]
        if unknown or not self.scales or len(set(self.scales)) != len(self.scales):
            raise ConfigError(
                f"scales: must be one or more of {', '.join(SCALES)}, each once, got {list(self.scales)!r}"
            )
        if not isinstance(self.fusion, int | float) or not 0 <= self.fusion <= 1000:
            raise ConfigError(f"fusion: must be a number from 0 to 1000, got {self.fusion!r}")
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
class ReconstructionConfig:
    """The self-supervised objective, section 4 of the paper; the defaults are the paper's, the others its ablations.

    subsequences: sampled (a random subset of k frames for every length k) or full (all frames, in order).
    subset_lengths: how many of the f lengths k each step draws, None for all.
    targets: what each scale rebuilds, coarser (itself and every coarser scale) or own (itself alone).
    """

    subsequences: str = "sampled"
    subset_lengths: int | None = None
    targets: str = "coarser"

    def __post_init__(self) -> None:
        for key, choices in (("subsequences", SUBSEQUENCES), ("targets", TARGETS)):
            if getattr(self, key) not in choices:
                raise ConfigError(f"{key}: {getattr(self, key)!r} is none of {', '.join(choices)}")


@dataclass(frozen=True)
class PrototypeConfig:
    """The head on the encoder's embeddings and how it learns (SimMC, arXiv 2204.09826, and its supervised form).

    start: an encoder's file to begin with, None for fresh weights. fine_tune: train the encoder too, or freeze it.
    width: numbers in the head's output. tau: temperature of the softmax over cosines to the prototypes.
    noise: by how much each joint of a clip is moved, and half as much in each frame, as a share of what its coordinates
    vary over the training clips; scale: relative deviation of a clip's size; both normally distributed, drawn afresh
    for every clip and step.
    supervised: prototypes are learned centres of the people, begun at their means; else centroids of clusters.
    Supervised only: margin, taken off the cosine to a clip's own prototype while training (CosFace).
    Unsupervised only: weight, lambda, the share of the loss that compares two masked views; k1, k2 of the k-reciprocal
    Jaccard distance; eps, min_samples of DBSCAN over it.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    start: str | None = None
    fine_tune: bool = True
    width: int = 256
    tau: float = 0.07
    noise: float = 0.0
    scale: float = 0.0
    supervised: bool = True
    margin: float = 0.0
    weight: float = 0.5
    k1: int = 20
    k2: int = 6
    eps: float = 0.6
    min_samples: int = 2

    def __post_init__(self) -> None:
        for key in ("width", "k1", "k2", "min_samples"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key}: must be at least 1, got {getattr(self, key)}")
        for key in ("noise", "scale", "margin"):
            if not 0 <= getattr(self, key) < float("inf"):
                raise ConfigError(f"{key}: must be a number of at least 0, got {getattr(self, key)}")
        if not 0 < self.tau < float("inf"):
            raise ConfigError(f"tau: must be a number above 0, got {self.tau}")
        if not 0 <= self.weight <= 1:
            raise ConfigError(f"weight: must be in 0..1, got {self.weight}")
        if not 0 < self.eps < 1:
            raise ConfigError(f"eps: must be between 0 and 1, the range of Jaccard distances, got {self.eps}")


@dataclass(frozen=True)
class TrainConfig:
    """How an encoder is trained; `configs/train/` holds one file a dataset.

    data: the dataset's folder or archive; dataset: which it is. out: the folder for checkpoints, the learning curve
    and the encoder.
    protocol: train on the training part of that protocol's split, such as "disjoint" or "cross-view/3"; None for all
    walks of KGBD, where people says who is trained on, such as "1-132" or "1-50,60" ("" for everybody), and nobody
    else is read.
    validation: those of `people` who are held out for the validation loss; where it is "", the share
    `validation_walks` of the training walks is held out, as far as people have more than one. At most
    `validation_clips` clips of them, evenly spread.
    fps: skeletons a second, None for the dataset's own; form: of the skeletons, see `FORMS`. stride: frames
    from one clip to the next of a walk.
    objective: reconstruction (without labels) or prototypes, each with its own section.
    schedule: its seed is that of the weights too.
    device: auto, cpu or cuda. threads: CPU threads, None for PyTorch's choice; a resumed run is bit for bit the
    unbroken one for the same number.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    data: str
    out: str
    dataset: str = "kgbd"
    protocol: str | None = None
    people: str = ""
    validation: str = ""
    validation_walks: float = 0.1
    validation_clips: int = 512
    fps: float | None = 15.0
    form: str = "canonical"
    stride: int = 5
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    objective: str = "reconstruction"
    reconstruction: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    prototypes: PrototypeConfig = field(default_factory=PrototypeConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(steps=10000))
    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        for key, choices in (("dataset", DATASETS), ("device", DEVICES), ("objective", OBJECTIVES), ("form", FORMS)):
            if getattr(self, key) not in choices:
                raise ConfigError(f"{key}: {getattr(self, key)!r} is none of {', '.join(choices)}")
        for key in ("validation_clips", "stride"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key}: must be at least 1, got {getattr(self, key)}")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"fps: must be a number above 0 or null, got {self.fps}")
        if not 0 <= self.validation_walks < 1:
            raise ConfigError(f"validation_walks: must be at least 0 and below 1, got {self.validation_walks}")
        lengths = self.reconstruction.subset_lengths
        if lengths is not None and not 1 <= lengths <= self.encoder.frames:
            raise ConfigError(f"subset_lengths: must be in 1..{self.encoder.frames} or null, got {lengths}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads: must be at least 1 or null, got {self.threads}")
        self._check_people()

    def _check_people(self) -> None:
        people, validation = parse_people(self.people, "people"), parse_people(self.validation, "validation")
        if self.protocol is not None and (people or validation):
            raise ConfigError("people: a protocol says who is trained on; leave people and validation empty")
        known = PROTOCOLS[self.dataset]
        if self.protocol is None and self.dataset != "kgbd":
            raise ConfigError(f"protocol: must be given for {self.dataset}, choose from {', '.join(known)}")
        if self.protocol is not None and self.protocol.partition("/")[0] not in known:
            raise ConfigError(f"protocol: {self.dataset} has no {self.protocol!r}, choose from {', '.join(known)}")
        if people and not people - validation:
            raise ConfigError(f"validation: {self.validation!r} leaves nobody of people {self.people!r} to train on")
        if people and validation - people:
            raise ConfigError(f"validation: {self.validation!r} must be among people {self.people!r}")


def parse_people(text: str, key: str = "people") -> frozenset[int]:
    """ "1-3, 7" -> {1, 2, 3, 7}; an empty text is nobody. Raises ConfigError, naming `key`, for anything else."""
    numbers: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ConfigError(f"{key}: {part!r} is not a person's number or a range such as 1-132")
        if int(last or first) > MOST_PEOPLE:
            raise ConfigError(f"{key}: people are numbered up to {MOST_PEOPLE}, not {last or first}")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
