"""What a gallery is given and what it answers: plain frozen values, `dataclasses.asdict` makes JSON of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderId:
    """Whose templates a gallery holds: the encoder's fingerprint, the name people know it by, its embedding size, and
    how the skeletons that it embeds are made (`pipeline.normalize.AS_SEEN`)."""

    fingerprint: str
    name: str
    dim: int
    skeletons: str


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
    """One person of a gallery, ranked against a probe. similarity: the greatest cosine, in [-1, 1], with one of
    the person's `templates` or with their mean."""

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


@dataclass(frozen=True)
class Forgotten:
    """Who was forgotten. person: the number that the audit log still has of them; templates: how many were deleted."""

    person: int
    templates: int


@dataclass(frozen=True)
class LogEntry:
    """One entry of the audit log. at: when, ISO 8601 in UTC. event: what was done. person: number of whom it was done
    to, None where it was nobody of the gallery; name: theirs, None once they are forgotten. file: the clip or file."""

    at: str
    event: str
    person: int | None
    name: str | None
    file: str | None


@dataclass(frozen=True)
class Checkup:
    """The state of a gallery's file. problems: what is wrong, each in a few words. format, people, clips, templates:
    None where the damage keeps them from being known. backups: those beside it, oldest first."""

    path: str
    problems: tuple[str, ...]
    encrypted: bool = False
    format: int | None = None
    people: int | None = None
    clips: int | None = None
    templates: int | None = None
    backups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repair:
    """What a repair came to. backup: the damaged file, as it was. people, clips, templates: that the gallery now has.
    lost: what could not be saved, each in a few words."""

    path: str
    backup: str
    people: int
    clips: int
    templates: int
    lost: tuple[str, ...]
