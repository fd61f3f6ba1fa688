"""Clips against a gallery: for every track the ranked names, and whether the best of them is a match."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
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
from pipeline.thresholds import FEW, Thresholds
from pipeline.values import Progress, silent
from pipeline.video import shown

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator


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

    note: one line for the user where no track was usable, or where a match is missed because few are enrolled.
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


def search(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    settings: Settings | None = None,
    top: int | None = None,
    threshold: float | None = None,
    far: float | None = None,
    rerank: bool | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> list[SearchResult]:
    """Look for everybody in `sources` in `gallery`; one result a clip, in order. Arguments as for `search_each`."""
    return list(
        search_each(
            sources, gallery=gallery, settings=settings, top=top, threshold=threshold, far=far, rerank=rerank,
            progress=progress, pose=pose, embedder=embedder,
        )
    )  # fmt: skip


def search_each(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    settings: Settings | None = None,
    top: int | None = None,
    threshold: float | None = None,
    far: float | None = None,
    rerank: bool | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> Iterator[SearchResult]:
    """Look for everybody in `sources` in `gallery`, giving each clip's result as soon as it is there.

    sources: clips, files of skeletons (.npz) or folders of either. top: candidates a track; default `settings`.
    threshold: similarity from which the best candidate is a match; default `settings`, else what the calibration of the
    gallery, or of the encoder where the gallery has none, says of the false accept rate `far` and of how many templates
    the candidate has. far: default `settings`. rerank: order candidates by k-reciprocal re-ranking among the clip's
    tracks and the templates near them; the best is then the first, and its cosine decides. Default `settings`.

    A clip in which nobody is usable is an answer: its tracks are refused and `note` says so. With one clip, whatever is
    wrong with it is raised; with several it is told in `SearchResult.error` and the others go on.

    Raises GalleryError where nobody is enrolled yet, ConfigError for a rate that no calibration tells, VideoError,
    SkeletonFileError, UserError.
    """
    settings = settings or Settings()
    settings = with_search(settings, top, threshold, far, rerank)
    clips = expand([sources] if isinstance(sources, str | Path) else sources)
    if not clips:
        raise UserError("nothing to search: give a clip, a folder of clips or a file of skeletons (.npz)")
    refuse_empty(gallery)
    with Reader(settings, pose, embedder) as reader:
        threshold_for(settings, thresholds_in_use(gallery, reader.embedder))  # a wrong rate is told before the work
        for number, clip in enumerate(clips):
            progress("searching", number, len(clips))
            try:
                reading = reader.read(clip.source, progress)
                yield search_reading(reading, gallery, reader.embedder, settings, progress)
            except (VideoError, SkeletonFileError) as error:
                if len(clips) == 1:
                    raise
                yield search_failed(shown(clip.source), gallery, reader.embedder, settings, str(error))
        progress("searching", len(clips), len(clips))


def with_search(
    settings: Settings,
    top: int | None = None,
    threshold: float | None = None,
    far: float | None = None,
    rerank: bool | None = None,
) -> Settings:
    """`settings` with what the call says instead; a rate that it gives stands above a threshold of the settings.

    Raises ConfigError where something is out of range.
    """
    try:
        told = settings.search
        told = told if top is None else replace(told, top=top)
        told = told if far is None else replace(told, far=far, threshold=None)
        told = told if threshold is None else replace(told, threshold=threshold)
        told = told if rerank is None else replace(told, rerank=rerank)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return replace(settings, search=told)


def refuse_empty(gallery: Gallery) -> None:
    """Raise GalleryError where nobody is enrolled: every answer would be `unknown` for the wrong reason."""
    if gallery.empty:
        raise GalleryError(f"nobody is enrolled in {gallery.path}: enrol first, as in `reid enroll VIDEO --name NAME`")


def search_reading(
    reading: Reading, gallery: Gallery, embedder: Embedder, settings: Settings, progress: Progress = silent
) -> SearchResult:
    """The answer for one clip that has been read; what `search_each` does once for every clip.

    progress: of reading or building the index of a large gallery, where that is needed.
    """
    thresholds = thresholds_in_use(gallery, embedder)
    usable = reading.usable
    ranked: dict[int, tuple[Ranked, ...]] = {}
    if usable:
        vectors = np.stack([probe.template.embedding for probe in usable if probe.template is not None])
        answers = gallery.search(vectors, settings.search.top, settings.search.rerank, progress)
        for probe, found in zip(usable, answers, strict=True):
            ranked[probe.track.id] = tuple(
                Ranked(rank, candidate.name, round(float(candidate.similarity), 4), candidate.templates)
                for rank, candidate in enumerate(found, 1)
            )
    needed = partial(threshold_in, gallery, settings, thresholds)
    tracks = tuple(_match(probe, ranked.get(probe.track.id, ()), needed) for probe in reading.probes)
    among = partial(threshold_for, settings, thresholds, gallery.count)
    gallery.record("searched", {match.name for match in tracks if match.name is not None}, reading.source)
    extraction = reading.extraction
    return SearchResult(
        reading.source,
        embedder.name,
        needed(1),
        tracks=tracks,
        note=_too_few(tracks, among) if usable else f"no usable track: {reading.nobody()}",
        warnings=extraction.warnings,
        extraction=extraction,
    )


def search_failed(
    clip: str, gallery: Gallery, embedder: Embedder, settings: Settings, error: str | None
) -> SearchResult:
    """The result of a clip that could not be read."""
    threshold = threshold_in(gallery, settings, thresholds_in_use(gallery, embedder))
    return SearchResult(clip, embedder.name, threshold, error=error)


def thresholds_in_use(gallery: Gallery, embedder: Embedder) -> Thresholds:
    """The gallery's own where it was calibrated, else the encoder's."""
    return gallery.thresholds or embedder.thresholds


def threshold_for(settings: Settings, thresholds: Thresholds, people: int = 1, templates: int = 1) -> float:
    """The similarity from which somebody with so many templates is a match where so many people are enrolled, to the
    four digits that are shown.

    Raises ConfigError where the thresholds do not tell it for `search.far`.
    """
    told = settings.search.threshold
    return round(thresholds.among(settings.search.far, people, templates) if told is None else float(told), 4)


def threshold_in(gallery: Gallery, settings: Settings, thresholds: Thresholds, templates: int = 1) -> float:
    """The same in a gallery, which asks for more while few people say what its cameras make of everybody."""
    if settings.search.threshold is not None:
        return threshold_for(settings, thresholds)
    people = gallery.count
    alike = gallery.alike if people <= FEW else None
    return round(thresholds.asked(settings.search.far, people, alike, templates), 4)


def _too_few(tracks: Sequence[Match], among: Callable[[int], float]) -> str | None:
    """A line on who is unknown only because few people are enrolled. among: the threshold of somebody with so many
    templates, if it were known what those enrolled have in common."""
    for match in tracks:
        best = match.candidates[0] if match.decision == "unknown" and match.candidates else None
        if best is not None and best.similarity >= among(best.templates):
            return (
                f"track {match.track}: {best.similarity:+.3f} would do for {best.name} if more people were enrolled:"
                " of so few nobody can tell what is theirs and what the camera makes of everybody"
            )
    return None


def _match(probe: Probe, candidates: tuple[Ranked, ...], needed: Callable[[int], float]) -> Match:
    """needed: the threshold of somebody with so many templates."""
    track = probe.track
    x0, y0, x1, y1 = (round(float(side), 1) for side in track.boxes[len(track) // 2])
    best = candidates[0] if candidates else None
    threshold = None if best is None else needed(best.templates)
    is_match = best is not None and threshold is not None and best.similarity >= threshold
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
        threshold=threshold,
    )
