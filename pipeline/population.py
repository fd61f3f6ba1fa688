"""Clips of known people -> their normalised skeletons: what calibration and evaluation start from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.extract import extract
from pipeline.lift import Lift
from pipeline.normalize import as_seen
from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.quality import assess
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, load_skeletons, save_skeletons
from pipeline.sources import is_skeletons
from pipeline.values import PoseTrack, Progress, silent
from pipeline.video import content_id
from pipeline.walks import Walks


@dataclass(frozen=True)
class Take:
    """One clip of one person. tracks: which of the clip's tracks are theirs, None for all of them."""

    person: str
    clip: Path
    tracks: tuple[int, ...] | None = None


def read_takes(
    takes: Iterable[Take], settings: Settings, cache: Path | None = None, progress: Progress = silent
) -> list[tuple[Take, PoseTrack]]:
    """The tracks of all takes that a search would not refuse.

    cache: a folder that keeps each clip's extracted skeletons, so that a second run does not see the footage again;
    one folder for one set of settings. Raises VideoError, SkeletonFileError, PoseModelError.
    """
    takes = list(takes)
    found = []
    with MediaPipePose(settings.pose, progress=progress) as pose:
        for number, take in enumerate(takes):
            for track in _extraction(take.clip, settings, cache, pose).tracks:
                wanted = take.tracks is None or track.id in take.tracks
                if wanted and assess(track, settings.quality, settings.normalize.max_gap).refusal is None:
                    found.append((take, track))
            progress("reading clips", number + 1, len(takes))
    return found


def walks_of(tracks: Iterable[tuple[Take, PoseTrack]], settings: Settings, lift: Lift, frames: int = 20) -> Walks:
    """The skeletons of tracks, with identity (the person) and session (the clip); those without a window of `frames`
    are left out, as a search refuses them."""
    named = (
        replace(as_seen(track, settings.normalize), identity=take.person, session=str(take.clip))
        for take, track in tracks
    )
    return Walks.of([seen for seen in named if len(seen.windows(frames, frames))], lift)


def _extraction(clip: Path, settings: Settings, cache: Path | None, pose: PoseEstimator) -> Extraction:
    if is_skeletons(str(clip)):
        return load_skeletons(clip)
    if cache is None:
        return extract(clip, settings, pose=pose)
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / f"{content_id(clip)}.npz"
    if not kept.exists():
        save_skeletons(kept, extract(clip, settings, pose=pose))
    return load_skeletons(kept)
