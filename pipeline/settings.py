"""Every setting of the pipeline, with its unit and default; `configs/default.yaml` shows the same.

Plain frozen dataclasses without heavy imports, so that the command line can read and check them before it loads a
model. `pipeline.config` fills them from YAML and `--set key=value` and refuses what it does not know.
"""

import re
from dataclasses import dataclass, field


def _within(section: object, **ranges: tuple[float, float]) -> None:
    """Raise ValueError, naming key and value, where a number is out of its range; None stands for no number."""
    for key, (low, high) in ranges.items():
        value = getattr(section, key)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{key} must be from {low:g} to {high:g}, not {value!r}")


@dataclass(frozen=True)
class VideoSettings:
    """How footage is decoded. max_side: longer pictures are scaled down to this many pixels; max_seconds: where to
    stop a stream or a long file, None for its end; stride: every so many frames are used, None for as few as are
    enough (`pipeline.pace`)."""

    max_side: int = 1920
    max_seconds: float | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        _within(self, max_side=(64, 16384), max_seconds=(0.04, 1e6), stride=(1, 100))


@dataclass(frozen=True)
class PoseSettings:
    """The pose estimator. model: lite, full, heavy, or a path to a .task file; max_people: how many are followed at
    once; min_confidence: below it a detected body is not believed; search_seconds: how often, at the most, the whole
    frame is searched for people who are not followed yet; both_sides_below: people smaller than so many pixels are
    posed in the mirror too, which takes twice the time; detector: the .onnx file of a YOLOX person detector that finds
    them instead, None for none."""

    model: str = "full"
    max_people: int = 12
    min_confidence: float = 0.5
    search_seconds: float = 1.0
    both_sides_below: float = 100.0
    detector: str | None = None

    def __post_init__(self) -> None:
        _within(self, max_people=(1, 64), min_confidence=(0, 1), search_seconds=(0, 3600),
                both_sides_below=(0, 16384))  # fmt: skip


@dataclass(frozen=True)
class TrackingSettings:
    """How people are followed. max_gap: seconds a person may be out of sight and keep the id."""

    max_gap: float = 1.0

    def __post_init__(self) -> None:
        _within(self, max_gap=(0, 60))


@dataclass(frozen=True)
class QualitySettings:
    """What a track must have to be used. min_seconds: without a long gap and with shoulders, hips and feet in view;
    min_height: median pixels, head to ankle; min_motion: how far the distance between the ankles swings, in statures
    (10th to 90th percentile; walkers were measured at 0.14 to 0.35);
    min_visibility: mean of shoulders, hips, knees and ankles, 0 outside the picture."""

    min_seconds: float = 1.3
    min_height: float = 45.0
    min_motion: float = 0.09
    min_visibility: float = 0.5

    def __post_init__(self) -> None:
        _within(self, min_seconds=(0, 3600), min_height=(0, 16384), min_motion=(0, 10), min_visibility=(0, 1))


@dataclass(frozen=True)
class NormalizeSettings:
    """From landmarks to skeletons. fps: the encoder's frame rate; max_gap: seconds of missing frames that are
    interpolated, longer ones split the track; smooth: seconds, the standard deviation of the smoothing kernel."""

    fps: float = 15.0
    max_gap: float = 0.4
    smooth: float = 0.07

    def __post_init__(self) -> None:
        _within(self, fps=(1, 240), max_gap=(0, 60), smooth=(0, 10))


@dataclass(frozen=True)
class EncoderSettings:
    """Which encoder. weights: a name in smsge/weights or a path; device: auto, cpu, cuda or cuda:N; batch:
    windows encoded at once."""

    weights: str = "default"
    device: str = "auto"
    batch: int = 64

    def __post_init__(self) -> None:
        _within(self, batch=(1, 65536))
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", self.device):
            raise ValueError(f"device must be auto, cpu, cuda or cuda:N, not {self.device!r}")


@dataclass(frozen=True)
class GallerySettings:
    """What is kept. max_templates: of a person; of more, an enrolment keeps the most diverse. log: whether what is done
    is entered in the gallery's audit log (`pipeline.audit`)."""

    max_templates: int = 16
    log: bool = True

    def __post_init__(self) -> None:
        _within(self, max_templates=(1, 10000))


@dataclass(frozen=True)
class SearchSettings:
    """How matches are decided. top: candidates shown; far: share of strangers that may pass, whoever they are taken
    for; threshold: similarity from which a track is a match, None for what the calibration says of `far`; rerank: order
    the candidates by k-reciprocal re-ranking; camera: the file of the camera that filmed the clips, as `reid camera`
    makes it, None where it is not known."""

    top: int = 5
    far: float = 0.01
    threshold: float | None = None
    rerank: bool = False
    camera: str | None = None

    def __post_init__(self) -> None:
        _within(self, top=(1, 10000), far=(1e-4, 1), threshold=(-1, 1))


@dataclass(frozen=True)
class BatchSettings:
    """How a folder is worked through. patience: seconds without progress (a few more frames, a person embedded), after
    which the process that reads a clip is killed; how long a clip takes as a whole is not limited."""

    patience: float = 300.0

    def __post_init__(self) -> None:
        _within(self, patience=(1, 86400))


@dataclass(frozen=True)
class Settings:
    """All of it; a section an idea."""

    video: VideoSettings = field(default_factory=VideoSettings)
    pose: PoseSettings = field(default_factory=PoseSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    normalize: NormalizeSettings = field(default_factory=NormalizeSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    gallery: GallerySettings = field(default_factory=GallerySettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
