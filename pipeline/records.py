"""What a gallery is given and what it answers: plain frozen values, `dataclasses.asdict` makes JSON of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderId:
    """Whose templates a gallery holds: the encoder's fingerprint, the name people know it by, its embedding size."""

    fingerprint: str
    name: str
    dim: int


@dataclass(frozen=True)
class ClipSource:
    """Where a template was seen.

    clip: the file or stream, for people to read. content: sha256 of the file's bytes (64 hexadecimal digits), empty
    for a stream. track: which person of the clip. start, end: seconds.
    """

    clip: str
    content: str
    track: int
    start: float
    end: float


@dataclass(frozen=True)
class Candidate:
    """One person of a gallery, ranked against a probe. similarity: cosine, in [-1, 1], of the most similar of the
    person's `templates`."""

    name: str
    similarity: float
    templates: int


@dataclass(frozen=True)
class Added:
    """What an enrolment did. templates: how many were added. kept, dropped: for everybody who was added to, how many
    templates the gallery now has, and how many it let go because they were too many."""

    templates: int
    kept: dict[str, int]
    dropped: dict[str, int]


@dataclass(frozen=True)
class PersonSummary:
    """One person of a gallery in a line. quality: mean over the templates; first, last: when templates were added."""

    name: str
    templates: int
    clips: int
    quality: float
    first: str
    last: str


@dataclass(frozen=True)
class TemplateInfo:
    """One template, without its vectors. start, end: seconds in the clip; frames: of skeletons at `fps`."""

    id: int
    clip: str
    content: str
    track: int
    start: float
    end: float
    quality: float
    frames: int
    fps: float
    layout: str
    added: str


@dataclass(frozen=True)
class PersonDetail:
    """One person of a gallery, with every template."""

    name: str
    templates: tuple[TemplateInfo, ...]


@dataclass(frozen=True)
class Stats:
    """A gallery in figures. size: bytes on disk, with write-ahead log and index; format: version of the file's layout;
    calibrated: on how many people its own thresholds were taken, 0 where it has none."""

    path: str
    format: int
    encoder: EncoderId
    people: int
    templates: int
    clips: int
    size: int
    calibrated: int
    per_person: tuple[PersonSummary, ...]


@dataclass(frozen=True)
class Imported:
    """What an import did. people: names that gained templates; skipped: clips that were held already."""

    people: tuple[str, ...]
    templates: int
    skipped: tuple[str, ...]
