"""Decides who is in a clip that has been read: one gallery, one encoder, one set of rules, for every clip of a search.

Candidates come from the gallery, ranked; from which similarity the best of them is a match the calibration says, for
the rate of strangers that may pass, for how many people are enrolled, and for how well it is known what the cameras
make of everybody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.answers import Match, Ranked, SearchResult
from pipeline.cameras import Camera, load_camera, worth_learning
from pipeline.errors import ConfigError, GalleryError
from pipeline.gallery import Gallery
from pipeline.in_common import FEW, Common
from pipeline.probes import Probe, Reading
from pipeline.settings import Settings
from pipeline.templates import Embedder
from pipeline.thresholds import Thresholds
from pipeline.values import Progress, silent


def with_search(
    settings: Settings,
    top: int | None = None,
    threshold: float | None = None,
    far: float | None = None,
    rerank: bool | None = None,
    camera: str | Path | None = None,
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
        told = told if camera is None else replace(told, camera=str(camera))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return replace(settings, search=told)


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


@dataclass(frozen=True)
class Identification:
    """The searches of one call: where, with what and how. camera: what filmed the clips, None where nobody says."""

    gallery: Gallery
    embedder: Embedder
    settings: Settings
    camera: Camera | None = None

    @classmethod
    def begin(cls, gallery: Gallery, embedder: Embedder, settings: Settings) -> "Identification":
        """With the camera that the settings name; what would fail every clip is told now, before the work.

        Raises GalleryError where nobody is enrolled, ConfigError for a rate that no calibration tells, CameraError.
        """
        if gallery.empty:  # every answer would be `unknown` for the wrong reason
            raise GalleryError(
                f"nobody is enrolled in {gallery.path}: enrol first, as in `reid enroll VIDEO --name NAME`"
            )
        threshold_for(settings, thresholds_in_use(gallery, embedder))
        told = settings.search.camera
        return cls(gallery, embedder, settings, None if told is None else load_camera(told, embedder))

    @property
    def state(self) -> str:
        """Changes with everything, but clip and settings, that an answer depends on."""
        return self.gallery.state if self.camera is None else f"{self.gallery.state} {self.camera.digest}"

    def answer(self, reading: Reading, progress: Progress = silent) -> SearchResult:
        """Who is in one clip. progress: of reading or building the index of a large gallery, where that is needed."""
        usable = reading.usable
        ranked: dict[int, tuple[Ranked, ...]] = {}
        if usable:
            how, centre = self.settings.search, None if self.camera is None else self.camera.centre
            answers = self.gallery.search(np.stack(reading.embeddings), how.top, how.rerank, progress, centre)
            for probe, found in zip(usable, answers, strict=True):
                ranked[probe.track.id] = tuple(
                    Ranked(rank, candidate.name, round(float(candidate.similarity), 4), candidate.templates)
                    for rank, candidate in enumerate(found, 1)
                )
        thresholds = thresholds_in_use(self.gallery, self.embedder)
        needed = partial(self._threshold, thresholds)
        tracks = tuple(_match(probe, ranked.get(probe.track.id, ()), needed) for probe in reading.probes)
        self.gallery.record("searched", {match.name for match in tracks if match.name is not None}, reading.source)
        return SearchResult(
            reading.source,
            self.embedder.name,
            needed(1),
            tracks=tracks,
            note=self._note(reading, tracks, thresholds),
            warnings=reading.extraction.warnings,
            extraction=reading.extraction,
        )

    def failed(self, clip: str, error: str | None) -> SearchResult:
        """The result of a clip that could not be read."""
        threshold = self._threshold(thresholds_in_use(self.gallery, self.embedder), 1)
        return SearchResult(clip, self.embedder.name, threshold, error=error)

    def _threshold(self, thresholds: Thresholds, templates: int) -> float:
        """The similarity from which somebody with so many templates is a match: `threshold_for`, and more while few
        people say what the cameras make of everybody."""
        if self.settings.search.threshold is not None:
            return threshold_for(self.settings, thresholds)
        people = self.gallery.count
        known = Common(people, self.gallery.alike if people <= FEW else None)
        filmed = None if self.camera is None else self.camera.common
        return round(thresholds.asked(self.settings.search.far, known, templates, filmed), 4)

    def _note(self, reading: Reading, tracks: Sequence[Match], thresholds: Thresholds) -> str | None:
        """One line for the user: why nobody could be found, or what would find more."""
        usable = len(reading.usable)
        if not usable:
            return f"no usable track: {reading.nobody()}"
        hint = None if self.camera is not None else worth_learning(reading.source, usable)
        return hint or self._too_few(tracks, thresholds)

    def _too_few(self, tracks: Sequence[Match], thresholds: Thresholds) -> str | None:
        """A line on who is unknown only because few people are enrolled."""
        people = self.gallery.count
        for match in tracks:
            best = match.candidates[0] if match.decision == "unknown" and match.candidates else None
            if best is None or best.similarity < threshold_for(self.settings, thresholds, people, best.templates):
                continue
            more = "more people were enrolled"
            if self.camera is None:
                more += " or the camera were known (`reid camera`)"
            return (
                f"track {match.track}: {best.similarity:+.3f} would do for {best.name} if {more}:"
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
