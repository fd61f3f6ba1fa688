"""A source -> its tracks, each refused with a reason or turned into a template: what enrolment and search both need."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, NoUsableTrackError
from pipeline.normalize import as_seen
from pipeline.quality import Refusal, assess
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, load_skeletons
from pipeline.sources import is_skeletons
from pipeline.templates import Embedder, Template
from pipeline.values import PoseTrack, Progress, silent
from pipeline.video import is_stream, open_video, shown
from smsge.sequence import SkeletonSequence

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator

_BEST = {
    "too small": "the largest person is",
    "badly seen": "the person seen best is",
    "too short": "the longest track is",
    "too still": "the liveliest person is",
}
"""How the track that came nearest is spoken of; the later a reason stands here, the nearer it came."""

_TOGETHER = 10_000  # sightings, in tracks that are embedded at once

_Judged = tuple[float, Refusal | None, SkeletonSequence | None]
"""A track's quality, and either why it cannot be used or its skeleton."""


@dataclass(frozen=True)
class Probe:
    """One person seen in a clip.

    quality: in [0, 1], from the track's length, size, motion and visibility. refusal: why it cannot be used, None
    where it can; template: None where it cannot.
    """

    track: PoseTrack = field(repr=False)
    quality: float
    refusal: Refusal | None
    template: Template | None = field(repr=False)

    @property
    def reason(self) -> str | None:
        """The refusal in words, with the figure and the figure needed."""
        return None if self.refusal is None else str(self.refusal)


@dataclass(frozen=True)
class Reading:
    """What one clip holds. source: what the user gave, a URL without its password. probes: one a track, in order of
    first appearance."""

    source: str
    extraction: Extraction = field(repr=False)
    probes: tuple[Probe, ...]

    @property
    def usable(self) -> tuple[Probe, ...]:
        """The probes that can be enrolled or searched."""
        return tuple(probe for probe in self.probes if probe.template is not None)

    @property
    def embeddings(self) -> list[np.ndarray]:
        """(D,) of each of `usable`."""
        return [probe.template.embedding for probe in self.probes if probe.template is not None]

    def chosen(self, track: int) -> Probe:
        """The probe of this track. Raises NoUsableTrackError where there is none, or it cannot be used."""
        for probe in self.probes:
            if probe.track.id == track:
                if probe.reason is not None:
                    raise NoUsableTrackError(f"track {track} of {self.source} is {probe.reason}")
                return probe
        there = ", ".join(str(probe.track.id) for probe in self.probes) or "none"
        raise NoUsableTrackError(f"{self.source} has no track {track}: there is {there}")

    def nobody(self) -> str:
        """Why no track is usable, as one line: how much was looked at, and what the best track lacks."""
        frames = self.extraction.frames
        where = f"no walking person found in {frames} frame{'' if frames == 1 else 's'} of {self.source}"
        refusals = [probe.refusal for probe in self.probes if probe.refusal is not None]
        if not refusals:
            return f"{where}: nobody was detected, give a clip in which a person walks in full view"
        order = list(_BEST)
        best = max(refusals, key=lambda refusal: (order.index(refusal.reason), refusal.figure / refusal.needed))
        figures = str(best).removeprefix(f"{best.reason}: ")
        return f"{where}: {_BEST[best.reason]} {figures if best.reason == 'too small' else best}"


class Reader:
    """Reads clips with one encoder and one pose model, which is loaded for the first clip that needs it; a context
    manager, which frees that model.

    pose, embedder: used instead of those that the settings name, and left open.
    """

    def __init__(
        self, settings: Settings, pose: "PoseEstimator | None" = None, embedder: Embedder | None = None
    ) -> None:
        self.settings = settings
        self.embedder = embedder or own_embedder(settings)
        self._pose = pose
        self._open = ExitStack()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the pose model that was loaded here; safe to call twice."""
        self._open.close()

    def check(self, source: str) -> None:
        """Raise at once what `read` would raise of a source that is not there or cannot be opened; streams wait."""
        if is_skeletons(source):
            load_skeletons(source)
        elif not is_stream(source):
            open_video(source, self.settings.video).close()

    def read(self, source: str, progress: Progress = silent) -> Reading:
        """Everybody in `source`, a clip or a file of skeletons, ready to be enrolled or searched.

        Raises VideoError, SkeletonFileError or PoseModelError. Nobody being there is no error: see `Reading.usable`.
        """
        extraction = load_skeletons(source) if is_skeletons(source) else self._extract(source, progress)
        tracks = extraction.tracks
        probes: list[Probe] = []
        for group in _groups(tracks):
            judged: list[_Judged] = []
            for track in group:
                progress("embedding", len(probes) + len(judged), len(tracks))
                judged.append(self._judge(track))
            probes += self._probes(group, judged)
        progress("embedding", len(probes), len(probes))
        return Reading(shown(source), extraction, tuple(probes))

    def _extract(self, source: str, progress: Progress) -> Extraction:
        # Here, because MediaPipe takes seconds to import and skeletons that are there already do not need it.
        from pipeline.extract import extract
        from pipeline.pose import MediaPipePose

        if self._pose is None:
            self.check(source)  # a bad file is told before a model is fetched
            self._pose = self._open.enter_context(MediaPipePose(self.settings.pose, progress=progress))
        return extract(source, self.settings, pose=self._pose, progress=progress)

    def _probes(self, tracks: Sequence[PoseTrack], judged: Sequence[_Judged]) -> list[Probe]:
        """What becomes of each track; those that can be used are embedded together."""
        skeletons = [skeleton for _, _, skeleton in judged if skeleton is not None]
        embeddings = iter(self.embedder.embed(skeletons) if skeletons else ())
        fingerprint, probes = self.embedder.fingerprint, []
        for track, (score, refusal, skeleton) in zip(tracks, judged, strict=True):
            template = None if skeleton is None else Template(next(embeddings), score, skeleton, fingerprint)
            probes.append(Probe(track, score, refusal, template))
        return probes

    def _judge(self, track: PoseTrack) -> _Judged:
        settings = self.settings
        quality = assess(track, settings.quality, settings.normalize.max_gap)
        if quality.refusal is not None:
            return quality.score, quality.refusal, None
        skeleton = as_seen(track, settings.normalize)
        longest = max(np.unique(skeleton.segment, return_counts=True)[1], default=0)
        if longest < self.embedder.frames:  # after all: the settings may ask for less than the encoder needs
            have, need = longest / skeleton.fps, self.embedder.frames / skeleton.fps
            return 0.0, Refusal("too short", have, need, "s", "without a break"), None
        return quality.score, None, skeleton


def _groups(tracks: Sequence[PoseTrack]) -> Iterator[list[PoseTrack]]:
    """The tracks in order, as many together as have `_TOGETHER` sightings, or one that has more."""
    group: list[PoseTrack] = []
    for track in tracks:
        if group and sum(len(one) for one in [*group, track]) > _TOGETHER:
            yield group
            group = []
        group.append(track)
    if group:
        yield group


def own_embedder(settings: Settings) -> Embedder:
    """The encoder that the settings name. Raises CheckpointError; ConfigError where it wants another frame rate."""
    from pipeline.embed import load_embedder  # here, because torch takes seconds to import and tests bring their own

    embedder = load_embedder(settings.encoder)
    wanted = embedder.metadata.get("fps", settings.normalize.fps)
    if wanted != settings.normalize.fps:
        raise ConfigError(
            f"normalize.fps is {settings.normalize.fps:g}, the encoder {embedder.name} was trained at {wanted:g}:"
            f" use --set normalize.fps={wanted:g}"
        )
    return embedder
