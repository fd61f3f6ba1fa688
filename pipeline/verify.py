"""Two clips: the same person, different people, or no telling. Nobody need be enrolled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from pipeline.cameras import Camera, load_camera
from pipeline.documents import save_json
from pipeline.errors import ConfigError, NoUsableTrackError, UserError
from pipeline.gallery import Gallery
from pipeline.identify import threshold_for, thresholds_in_use, with_search
from pipeline.in_common import Common, about_centres
from pipeline.names import printable
from pipeline.persons import are_one_person
from pipeline.probes import Probe, Reader, Reading
from pipeline.settings import Settings
from pipeline.templates import Embedder
from pipeline.values import Progress, silent
from smsge.centring import centred

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator

FRR = 0.05
"""Share of pairs of clips of one person that may be called different, unless another is asked for."""

SAME, DIFFERENT, UNTOLD = "same", "different", "cannot say"


@dataclass(frozen=True)
class VerifyResult:
    """What comparing two clips came to.

    a, b: the clips. encoder: its name. tracks: whose tracks were compared, of each. quality: of the best of them, in
    [0, 1]. similarity: the cosine, in [-1, 1], of the two most similar templates, each about the centre of its camera
    where that is known. same_from: the similarity from which they are `same`, which is more where it is not
    (`about_centres`).
    different_below: below it they are `different`; None where the calibration cannot tell.
    decision: same, different or cannot say.
    """

    a: str
    b: str
    encoder: str
    tracks: tuple[tuple[int, ...], tuple[int, ...]]
    quality: tuple[float, float]
    similarity: float
    same_from: float
    different_below: float | None
    decision: str

    def table(self) -> Table:
        """A row a clip, then the similarity, what it is held against, and the decision, for a terminal."""
        table = Table("", "clip", "track", "quality")
        for side, clip, tracks, quality in zip("ab", (self.a, self.b), self.tracks, self.quality, strict=True):
            table.add_row(side, printable(clip), ", ".join(map(str, tracks)), f"{quality:.2f}", end_section=side == "b")
        below = "not known" if self.different_below is None else f"{self.different_below:+.3f}"
        table.add_row("", "similarity", "", f"{self.similarity:+.3f}")
        table.add_row("", "same from", "", f"{self.same_from:+.3f}")
        table.add_row("", "different below", "", below, end_section=True)
        table.add_row("", "decision", "", self.decision, style="bold")
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes."""
        return {**vars(self), "tracks": [list(tracks) for tracks in self.tracks], "quality": list(self.quality)}

    def save(self, path: str | Path) -> Path:
        """Write `json()` to `path`, whole or not at all. Raises UserError where it cannot be written."""
        return save_json(path, self.json())


def verify(
    a: str | Path,
    b: str | Path,
    *,
    track_a: int | None = None,
    track_b: int | None = None,
    far: float | None = None,
    frr: float = FRR,
    gallery: Gallery | None = None,
    camera_a: str | Path | None = None,
    camera_b: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> VerifyResult:
    """Whether the person of one clip is the person of another, both clips or files of skeletons (.npz).

    track_a, track_b: which person, where several are in view. far: share of pairs of different people that may be
    called `same`; default `settings`. frr: share of pairs of one person that may be called `different`. gallery: only
    its own thresholds are used, where it was calibrated. camera_a, camera_b: the file of the camera that filmed each
    (`learn_camera`), which may be the same.

    Raises NoUsableTrackError (nobody usable, or several people and none chosen), VideoError, SkeletonFileError,
    ConfigError (a rate that no calibration tells), CameraError, UserError (a clip against itself).
    """
    if not 0 < frr <= 1:
        raise ConfigError(f"frr must be above 0 and at most 1, not {frr!r}")
    settings = with_search(settings or Settings(), far=far)
    with Reader(settings, pose, embedder) as reader:
        embedder = reader.embedder
        thresholds = embedder.thresholds if gallery is None else thresholds_in_use(gallery, embedder)
        threshold_for(settings, thresholds)  # a wrong rate is told before the work
        cameras = [None if camera is None else load_camera(camera, embedder) for camera in (camera_a, camera_b)]
        reader.check(str(b))  # told before minutes are spent on the first
        sides = []
        for number, (clip, track, option) in enumerate(((a, track_a, "--track-a"), (b, track_b, "--track-b"))):
            progress("verifying", number, 2)
            reading = reader.read(str(clip), progress)
            sides.append((reading, _person(reading, track, option)))
        progress("verifying", 2, 2)
    (one, mine), (other, theirs) = sides
    _refuse_itself(one, mine, other, theirs)
    one_side, other_side = (_embeddings(*side) for side in zip((mine, theirs), cameras, strict=True))
    alike = one_side @ other_side.T
    similarity = round(min(1.0, max(-1.0, float(alike.max()))), 4)
    needed = threshold_for(settings, thresholds, templates=alike.size)
    here, there = (Common(0) if camera is None else camera.common for camera in cameras)
    same_from = round(about_centres(needed, here, there, thresholds.alike), 4)
    below = thresholds.below(frr)
    different_below = None if below is None else min(same_from, round(below, 4))
    if similarity >= same_from:
        decision = SAME
    elif different_below is not None and similarity < different_below:
        decision = DIFFERENT
    else:
        decision = UNTOLD
    return VerifyResult(
        one.source,
        other.source,
        embedder.name,
        (tuple(probe.track.id for probe in mine), tuple(probe.track.id for probe in theirs)),
        (round(max(probe.quality for probe in mine), 4), round(max(probe.quality for probe in theirs), 4)),
        similarity,
        same_from,
        different_below,
        decision,
    )


def _person(reading: Reading, track: int | None, option: str) -> tuple[Probe, ...]:
    """The usable tracks of the one person meant in a clip; `option` is how a user chooses among several."""
    if track is not None:
        return (reading.chosen(track),)
    usable = reading.usable
    if not usable:
        raise NoUsableTrackError(reading.nobody())
    if not are_one_person([probe.track for probe in usable]):
        tracks = ", ".join(str(probe.track.id) for probe in usable)
        raise NoUsableTrackError(
            f"{reading.source} shows several people, in {len(usable)} usable tracks ({tracks}):"
            f" choose one with {option}"
        )
    return usable


def _refuse_itself(one: Reading, mine: Sequence[Probe], other: Reading, theirs: Sequence[Probe]) -> None:
    content = one.extraction.content
    shared = {probe.track.id for probe in mine} & {probe.track.id for probe in theirs}
    if content and content == other.extraction.content and shared:
        raise UserError(f"{one.source} and {other.source} are the same footage of the same person: give two clips")


def _embeddings(probes: Sequence[Probe], camera: Camera | None) -> np.ndarray:
    """(n, D) of n probes with templates, about the centre of their camera."""
    vectors = np.stack([probe.template.embedding for probe in probes if probe.template is not None])
    return vectors if camera is None else centred(vectors, camera.centre)
