"""A gallery's own thresholds, from clips of people of the place it is used in.

The encoder's thresholds come from people and cameras that may be unlike these. The encoder stays as it is: only the
similarities that are held to be enough are estimated anew, and kept in the gallery.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from pipeline.documents import exit_code, save_json
from pipeline.enroll import refuse_read_only
from pipeline.errors import ConfigError, DatasetError, SkeletonFileError, VideoError
from pipeline.gallery import Gallery
from pipeline.identify import thresholds_in_use, with_search
from pipeline.names import printable
from pipeline.persons import are_one_person
from pipeline.probes import Reader, Reading
from pipeline.settings import Settings
from pipeline.sources import Clip, expand
from pipeline.templates import Embedder
from pipeline.thresholds import Thresholds
from pipeline.values import Progress, silent
from smsge.centring import alike_of, as_in_a_gallery
from smsge.matching import pair_scores

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator

PEOPLE, CLIPS = 8, 2
"""The fewest people, and clips of each."""


@dataclass(frozen=True)
class Measured:
    """One threshold on the user's own people. threshold: a cosine, for one template. far: share of comparisons of
    different people that reach it; accepted: share of comparisons of one person that do."""

    threshold: float
    far: float
    accepted: float


@dataclass(frozen=True)
class Recalibration:
    """What a calibration of a gallery came to. people, clips, tracks: what it rests on. strangers, genuine: comparisons
    of different people, and of one person in two clips. far: the rate asked for. before: with the thresholds that held
    until now, None where they do not tell that rate; after: with the new ones. left_out: (clip, why)."""

    gallery: str
    encoder: str
    people: int
    clips: int
    tracks: int
    strangers: int
    genuine: int
    far: float
    before: Measured | None
    after: Measured
    thresholds: Thresholds
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all clips were used, 1 some were left out."""
        return exit_code(self.clips, len(self.left_out))

    def table(self) -> Table:
        """What it rests on, and the threshold before and after, for a terminal."""
        table = Table("", "before", "after", title=printable(self.gallery), title_justify="left")
        old, new = self.before, self.after
        table.add_row(f"{self.people} people, {self.clips} clips, {self.tracks} tracks", end_section=True)
        table.add_row(
            f"threshold for {self.far:.2%} of strangers",
            "-" if old is None else f"{old.threshold:+.3f}",
            f"{new.threshold:+.3f}",
        )
        table.add_row(
            f"strangers let pass, of {self.strangers} comparisons",
            "-" if old is None else f"{old.far:.2%}",
            f"{new.far:.2%}",
        )
        table.add_row(
            f"the same person accepted, of {self.genuine}",
            "-" if old is None else f"{old.accepted:.1%}",
            f"{new.accepted:.1%}",
        )
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes."""
        told = {key: value for key, value in vars(self).items() if key not in ("thresholds", "left_out")}
        return {
            **told,
            "before": None if self.before is None else vars(self.before),
            "after": vars(self.after),
            "smallest_far": self.thresholds.rates[-1],
            "left_out": [{"clip": clip, "reason": reason} for clip, reason in self.left_out],
        }

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`, whole or not at all. Raises UserError where it cannot be written."""
        return save_json(path, self.json())


def recalibrate(
    folder: str | Path,
    *,
    gallery: Gallery,
    far: float | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> Recalibration:
    """Estimate the gallery's thresholds from `folder`/NAME/clips (or skeletons, .npz), and keep them in it.

    far: the false accept rate that they must be able to tell; default `settings`. A clip that cannot be read, in which
    nobody is usable or several people are, is left out and told.

    Raises VideoError (no clip there), DatasetError (clips in nobody's folder, too few people or comparisons),
    GalleryError, ConfigError; then nothing is changed.
    """
    settings = with_search(settings or Settings(), far=far)
    rate = settings.search.far
    refuse_read_only(gallery)
    clips = expand([folder])
    loose = next((clip for clip in clips if not clip.grouped), None)
    if loose is not None:
        raise DatasetError(f"{loose.source} is in nobody's folder: calibration needs {folder}/NAME/clip.mp4")
    with Reader(settings, pose, embedder) as reader:
        embedder = reader.embedder
        walks, left_out = _read(reader, clips, progress)
    _refuse_few(folder, walks)
    people, content, vectors = (np.array(column) for column in zip(*_tracks(walks), strict=True))
    similarity = as_in_a_gallery(vectors, people)
    fitted = Thresholds.fit(similarity, people, content, np.random.default_rng(0), rate)
    alike = alike_of(vectors, people)
    thresholds = fitted if alike is None else replace(fitted, alike=min(1.0, round(alike, 4)))
    genuine, strangers = pair_scores(similarity, people, people, content, content)

    def measured(told: Thresholds) -> Measured:
        threshold = round(told.at(rate), 4)
        passed = [round(float((scores >= threshold).mean()), 4) for scores in (strangers, genuine)]
        return Measured(threshold, *passed)

    try:
        before = measured(thresholds_in_use(gallery, embedder))
    except ConfigError:  # the thresholds until now do not tell this rate
        before = None
    gallery.calibrate(thresholds)
    return Recalibration(
        str(gallery.path), embedder.name,
        people=len(np.unique(people)), clips=len(np.unique(content)), tracks=len(people),
        strangers=len(strangers), genuine=len(genuine), far=rate, before=before, after=measured(thresholds),
        thresholds=thresholds, left_out=left_out,
    )  # fmt: skip


Walks = dict[str, dict[str, list[np.ndarray]]]
"""{person: {content of a clip: embeddings (D,) of its tracks}}"""


def _read(reader: Reader, clips: list[Clip], progress: Progress) -> tuple[Walks, tuple[tuple[str, str], ...]]:
    """The embeddings of everybody, and which clips were left out for which reason."""
    walks: Walks = defaultdict(dict)
    left_out = []
    for number, clip in enumerate(clips):
        progress("reading clips", number, len(clips))
        try:
            reading = reader.read(clip.source, progress)
        except (VideoError, SkeletonFileError) as error:
            left_out.append((clip.source, str(error)))
            continue
        content = reading.extraction.content or clip.source  # skeletons of a stream do not say which one
        held = next((name for name, mine in walks.items() if content in mine), None)
        if reason := _unusable(reading, held):
            left_out.append((clip.source, reason))
        else:
            walks[clip.name][content] = reading.embeddings
    progress("reading clips", len(clips), len(clips))
    return walks, tuple(left_out)


def _unusable(reading: Reading, held: str | None) -> str | None:
    """Why a clip is left out, None where it is not; `held`: who has the same footage already."""
    if not reading.usable:
        return reading.nobody()
    if not are_one_person([probe.track for probe in reading.usable]):
        return f"{reading.source} shows several people: calibration needs clips of one person each"
    if held is not None:
        return f"{reading.source} is the same footage as another clip of {held}"
    return None


def _refuse_few(folder: str | Path, walks: Walks) -> None:
    enough = [name for name, mine in walks.items() if len(mine) >= CLIPS]
    if len(enough) < PEOPLE:
        there = ", ".join(f"{name} {len(mine)}" for name, mine in walks.items()) or "none"
        raise DatasetError(
            f"{folder} has {len(enough)} people with {CLIPS} usable clips or more (usable clips: {there}):"
            f" {PEOPLE} people are needed to calibrate"
        )


def _tracks(walks: Walks) -> list[tuple[str, str, np.ndarray]]:
    """(person, content of the clip, embedding) of every track; who has one clip only is a stranger to the others."""
    return [
        (name, content, vector) for name, mine in walks.items() for content, found in mine.items() for vector in found
    ]
