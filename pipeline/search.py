"""Clips against a gallery: for every track the ranked names, and whether the best of them is a match."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from pipeline.documents import save_json
from pipeline.errors import ConfigError, GalleryError, SkeletonFileError, UserError, VideoError
from pipeline.gallery import Gallery
from pipeline.names import printable
from pipeline.probes import Probe, Reader, Reading
from pipeline.settings import Settings
from pipeline.skeletons import Extraction
from pipeline.sources import expand
from pipeline.templates import Embedder
from pipeline.values import Progress, silent
from pipeline.video import shown

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator


@dataclass(frozen=True)
class Ranked:
    """One candidate: rank 1, 2 …; similarity is the cosine, in [-1, 1], of the person's most similar template."""

    rank: int
    name: str
    similarity: float


@dataclass(frozen=True)
class Match:
    """What one track of a clip came to.

    start, end: seconds. frames: in which the person was seen. quality: in [0, 1]. decision: match, unknown or refused.
    reason: why it is refused, else None. name: who it is, None unless it is a match. similarity: of the best candidate,
    None where it is refused. candidates: ranked, empty where it is refused. box: x0, y0, x1, y1 in pixels, halfway
    through the track.
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

    def json(self) -> dict[str, Any]:
        """The entry of `tracks` in docs/json.md."""
        ranked = [{"rank": c.rank, "name": c.name, "similarity": c.similarity} for c in self.candidates]
        return {**vars(self), "candidates": ranked, "box": list(self.box)}


@dataclass(frozen=True)
class SearchResult:
    """What one clip came to. encoder: its name. threshold: the similarity from which a track is a match.

    note: one line for the user where no track was usable. warnings: of the footage. error: why the clip could not be
    read (then `tracks` is empty). extraction: the landmarks, to draw on the clip; None where it could not be read.
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
                    f"{self.threshold:+.3f}" if first else "",
                    match.decision if first else "",
                    style="bold" if first and match.decision == "match" else None,
                )
            table.add_section()
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


def search(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    settings: Settings | None = None,
    top: int | None = None,
    threshold: float | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> list[SearchResult]:
    """Look for everybody in `sources` in `gallery`; one result a clip, in order. Arguments as for `search_each`."""
    return list(
        search_each(
            sources, gallery=gallery, settings=settings, top=top, threshold=threshold, progress=progress, pose=pose,
            embedder=embedder,
        )
    )  # fmt: skip


def search_each(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    settings: Settings | None = None,
    top: int | None = None,
    threshold: float | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> Iterator[SearchResult]:
    """Look for everybody in `sources` in `gallery`, giving each clip's result as soon as it is there.

    sources: clips, files of skeletons (.npz) or folders of either. top: candidates a track; default `settings`.
    threshold: similarity from which the best candidate is a match; default `settings`, else the encoder's calibration.

    A clip in which nobody is usable is an answer: its tracks are refused and `note` says so. With one clip, whatever is
    wrong with it is raised; with several it is told in `SearchResult.error` and the others go on.

    Raises GalleryError where nobody is enrolled yet, VideoError, SkeletonFileError, UserError.
    """
    settings = settings or Settings()
    settings = with_search(settings, top, threshold)
    clips = expand([sources] if isinstance(sources, str | Path) else sources)
    if not clips:
        raise UserError("nothing to search: give a clip, a folder of clips or a file of skeletons (.npz)")
    refuse_empty(gallery)
    with Reader(settings, pose, embedder) as reader:
        for number, clip in enumerate(clips):
            progress("searching", number, len(clips))
            try:
                reading = reader.read(clip.source, progress)
                yield search_reading(reading, gallery, reader.embedder, settings)
            except (VideoError, SkeletonFileError) as error:
                if len(clips) == 1:
                    raise
                yield search_failed(shown(clip.source), reader.embedder, settings, str(error))
        progress("searching", len(clips), len(clips))


def with_search(settings: Settings, top: int | None, threshold: float | None) -> Settings:
    """`settings` with what the call says instead. Raises ConfigError where that is out of range."""
    try:
        told = settings.search
        told = told if top is None else replace(told, top=top)
        told = told if threshold is None else replace(told, threshold=threshold)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return replace(settings, search=told)


def refuse_empty(gallery: Gallery) -> None:
    """Raise GalleryError where nobody is enrolled: every answer would be `unknown` for the wrong reason."""
    if not gallery.people():
        raise GalleryError(f"nobody is enrolled in {gallery.path}: enrol first, as in `reid enroll VIDEO --name NAME`")


def search_reading(reading: Reading, gallery: Gallery, embedder: Embedder, settings: Settings) -> SearchResult:
    """The answer for one clip that has been read; what `search_each` does once for every clip."""
    limit = _threshold(settings, embedder)
    usable = reading.usable
    ranked: dict[int, tuple[Ranked, ...]] = {}
    if usable:
        vectors = np.stack([probe.template.embedding for probe in usable if probe.template is not None])
        for probe, found in zip(usable, gallery.search(vectors, settings.search.top), strict=True):
            ranked[probe.track.id] = tuple(
                Ranked(rank, candidate.name, round(float(candidate.similarity), 4))
                for rank, candidate in enumerate(found, 1)
            )
    extraction = reading.extraction
    return SearchResult(
        reading.source,
        embedder.name,
        limit,
        tracks=tuple(_match(probe, ranked.get(probe.track.id, ()), limit) for probe in reading.probes),
        note=None if usable else f"no usable track: {reading.nobody()}",
        warnings=extraction.warnings,
        extraction=extraction,
    )


def search_failed(clip: str, embedder: Embedder, settings: Settings, error: str | None) -> SearchResult:
    """The result of a clip that could not be read."""
    return SearchResult(clip, embedder.name, _threshold(settings, embedder), error=error)


def _threshold(settings: Settings, embedder: Embedder) -> float:
    told = settings.search.threshold
    return round(float(embedder.threshold if told is None else told), 4)


def _match(probe: Probe, candidates: tuple[Ranked, ...], threshold: float) -> Match:
    track = probe.track
    x0, y0, x1, y1 = (round(float(side), 1) for side in track.boxes[len(track) // 2])
    best = candidates[0] if candidates else None
    is_match = best is not None and best.similarity >= threshold
    return Match(
        track=track.id,
        start=round(track.start, 3),
        end=round(track.end, 3),
        frames=len(track),
        quality=round(float(probe.quality), 4),
        decision="refused" if probe.template is None else "match" if is_match else "unknown",
        reason=probe.reason,
        name=best.name if best is not None and is_match else None,
        similarity=None if best is None else best.similarity,
        candidates=candidates,
        box=(x0, y0, x1, y1),
    )
