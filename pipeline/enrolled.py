"""What an enrolment comes to: who was added from which clip, what was refused, and how it is shown and saved."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.documents import exit_code, save_json
from pipeline.names import printable


@dataclass(frozen=True)
class Enrolled:
    """One person added from one clip. tracks: one template was made of each. kept: templates that the gallery then had
    of the person, from all clips. seconds: in view. quality: the best."""

    name: str
    tracks: tuple[int, ...]
    kept: int
    seconds: float
    quality: float

    def json(self) -> dict[str, Any]:
        """The entry of `people` in docs/json.md."""
        return {
            "name": self.name,
            "tracks": list(self.tracks),
            "templates": len(self.tracks),
            "kept": self.kept,
            "seconds": self.seconds,
            "quality": self.quality,
        }


@dataclass(frozen=True)
class ClipEnrolment:
    """What one clip came to. refused: (track, reason). picture: path of the who-is-who sheet where people are several.
    error: why nothing was enrolled, None where somebody was."""

    clip: str
    people: tuple[Enrolled, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    picture: str | None = None
    error: str | None = None

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes, one a clip."""
        return {
            "clip": self.clip,
            "people": [person.json() for person in self.people],
            "refused": [{"track": track, "reason": reason} for track, reason in self.refused],
            "notes": list(self.notes),
            "picture": self.picture,
            "error": self.error,
        }


@dataclass(frozen=True)
class EnrollResult:
    """What an enrolment came to, clip by clip, in the order they were given."""

    gallery: str
    encoder: str
    clips: tuple[ClipEnrolment, ...]

    @property
    def exit_code(self) -> int:
        """0 all clips enrolled, 1 some not, 2 none."""
        failed = sum(clip.error is not None for clip in self.clips)
        return exit_code(len(self.clips) - failed, failed)

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who was added to, each once, in order."""
        return tuple(dict.fromkeys(person.name for clip in self.clips for person in clip.people))

    def table(self) -> Table:
        """A row a person and clip, for a terminal."""
        table = Table("name", "clip", "tracks", "seconds", "quality", title="enrolled", title_justify="left")
        for clip in self.clips:
            for person in clip.people:
                tracks = ", ".join(map(str, person.tracks))
                table.add_row(
                    person.name, printable(clip.clip), tracks, f"{person.seconds:.1f}", f"{person.quality:.2f}"
                )
            if clip.error is not None:
                table.add_row("-", printable(clip.clip), "-", "-", "-")
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes."""
        return {"gallery": self.gallery, "encoder": self.encoder, "clips": [clip.json() for clip in self.clips]}

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`, whole or not at all. Raises UserError where it cannot be written."""
        return save_json(path, self.json())
