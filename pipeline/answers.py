"""What a search comes to: for every track of a clip the ranked names, and whether the best of them is a match."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.documents import save_json
from pipeline.names import printable
from pipeline.skeletons import Extraction


@dataclass(frozen=True)
class Ranked:
    """One candidate: rank 1, 2 …; similarity is the greatest cosine about the gallery's centre, in [-1, 1], with one
    of the person's `templates` or with their mean."""

    rank: int
    name: str
    similarity: float
    templates: int = 1


@dataclass(frozen=True)
class Match:
    """What one track of a clip came to.

    start, end: seconds. frames: in which the person was seen. quality: in [0, 1]. decision: match, unknown or refused.
    reason: why it is refused, else None. name: who it is, None unless it is a match. similarity: of the best candidate,
    None where it is refused. candidates: ranked, empty where it is refused. box: x0, y0, x1, y1 in pixels, halfway
    through the track. threshold: from which the best candidate is a match, which rises with that person's templates;
    None where there is no candidate.
    """

    track: int
    start: float
    end: float
    frames: int
    quality: float
    decision: str
    reason: str | None
    name: str | None
    similarity: float | None
    candidates: tuple[Ranked, ...]
    box: tuple[float, float, float, float]
    threshold: float | None = None

    def json(self) -> dict[str, Any]:
        """The entry of `tracks` in docs/json.md."""
        return {**vars(self), "candidates": [vars(ranked) for ranked in self.candidates], "box": list(self.box)}


@dataclass(frozen=True)
class SearchResult:
    """What one clip came to. encoder: its name. threshold: the similarity from which a person enrolled with one
    template is a match, among as many people as are enrolled; `Match.threshold` is the one applied.

    note: one line for the user where no track was usable, where a match is missed because few are enrolled, or where
    the camera could be learned from the clip.
    warnings: of the footage. error: why the clip could not be read (then `tracks` is empty). extraction: the landmarks,
    to draw on the clip; None where it could not be read.
    """

    clip: str
    encoder: str
    threshold: float
    tracks: tuple[Match, ...] = ()
    note: str | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    extraction: Extraction | None = field(default=None, repr=False, compare=False)

    def table(self) -> Table:
        """A row a candidate, for a terminal: rank, name, similarity, threshold, decision, track by track."""
        table = Table(
            "track", "seconds", "rank", "name", "similarity", "threshold", "decision", title=printable(self.clip)
        )
        table.title_justify = "left"
        for match in self.tracks:
            seconds = f"{match.start:.1f}-{match.end:.1f}"
            if match.decision == "refused":
                table.add_row(str(match.track), seconds, "-", "-", "-", "-", f"refused ({match.reason})")
            for ranked in match.candidates:
                first = ranked.rank == 1
                table.add_row(
                    str(match.track) if first else "",
                    seconds if first else "",
                    str(ranked.rank),
                    ranked.name,
                    f"{ranked.similarity:+.3f}",
                    f"{match.threshold:+.3f}" if first and match.threshold is not None else "",
                    match.decision if first else "",
                    style="bold" if first and match.decision == "match" else None,
                )
            table.add_section()
        if not self.tracks:
            table.add_row(*"------", "cannot be read" if self.error else "nobody was seen")
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes; `error` is there only where the clip could not be read."""
        document: dict[str, Any] = {
            "clip": self.clip,
            "encoder": self.encoder,
            "threshold": self.threshold,
            "tracks": [match.json() for match in self.tracks],
        }
        return document if self.error is None else {**document, "error": self.error}

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`, whole or not at all. Raises UserError where it cannot be written."""
        return save_json(path, self.json())
