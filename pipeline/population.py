"""Clips of known people -> their normalised skeletons: what calibration and evaluation start from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.extract import extract
from pipeline.lift import Lift
from pipeline.normalize import normalize
from pipeline.pose import MediaPipePose, PoseEstimator
from pipeline.quality import assess
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, load_skeletons, save_skeletons
from pipeline.sources import is_skeletons
from pipeline.values import Progress, silent
from pipeline.video import content_id
from smsge.sequence import SkeletonSequence


@dataclass(frozen=True)
class Take:
    """One clip of one person. tracks: which of the clip's tracks are theirs, None for all of them."""

    person: str
    clip: Path
    tracks: tuple[int, ...] | None = None


def read_takes(
    takes: Iterable[Take],
    settings: Settings,
    lift: Lift,
    cache: Path | None = None,
    frames: int = 20,
    progress: Progress = silent,
) -> list[SkeletonSequence]:
    """The usable tracks of all takes, with identity (the person) and session (the clip).

    cache: a folder that keeps each clip's extracted skeletons, so that a second run does not see the footage again;
    one folder for one set of settings. Tracks without a window of `frames` are left out, as a search refuses them.
    Raises VideoError, SkeletonFileError, PoseModelError.
    """
    takes = list(takes)
    sequences = []
    with MediaPipePose(settings.pose, progress=progress) as pose:
        for number, take in enumerate(takes):
            extraction = _extraction(take.clip, settings, cache, pose)
            for track in extraction.tracks:
                if take.tracks is not None and track.id not in take.tracks:
                    continue
                if assess(track, settings.quality, settings.normalize.max_gap).refusal is not None:
                    continue
                skeleton = normalize(track, settings.normalize, lift)
                if len(skeleton.windows(frames, frames)):
                    sequences.append(replace(skeleton, identity=take.person, session=str(take.clip)))
            progress("reading clips", number + 1, len(takes))
    return sequences


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
