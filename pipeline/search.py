"""Clips against a gallery: who is in each of them, told as soon as it has been read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.answers import SearchResult
from pipeline.errors import SkeletonFileError, UserError, VideoError
from pipeline.gallery import Gallery
from pipeline.identify import Identification, with_search
from pipeline.probes import Reader
from pipeline.settings import Settings
from pipeline.sources import expand
from pipeline.templates import Embedder
from pipeline.values import Progress, silent
from pipeline.video import shown

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator


def search(
    sources: str | Path | Sequence[str | Path],
    *,
    gallery: Gallery,
    settings: Settings | None = None,
    top: int | None = None,
    threshold: float | None = None,
    far: float | None = None,
    rerank: bool | None = None,
    camera: str | Path | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> list[SearchResult]:
    """Look for everybody in `sources` in `gallery`; one result a clip, in order. Arguments as for `search_each`."""
    return list(
        search_each(
            sources, gallery=gallery, settings=settings, top=top, threshold=threshold, far=far, rerank=rerank,
            camera=camera, progress=progress, pose=pose, embedder=embedder,
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
    camera: str | Path | None = None,
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
    camera: the file of the camera that filmed all of them (`learn_camera`); default `settings`, else it is not known.

    A clip in which nobody is usable is an answer: its tracks are refused and `note` says so. With one clip, whatever is
    wrong with it is raised; with several it is told in `SearchResult.error` and the others go on.

    Raises GalleryError where nobody is enrolled yet, ConfigError for a rate that no calibration tells, CameraError,
    VideoError, SkeletonFileError, UserError.
    """
    settings = with_search(settings or Settings(), top, threshold, far, rerank, camera)
    clips = expand([sources] if isinstance(sources, str | Path) else sources)
    if not clips:
        raise UserError("nothing to search: give a clip, a folder of clips or a file of skeletons (.npz)")
    with Reader(settings, pose, embedder) as reader:
        identification = Identification.begin(gallery, reader.embedder, settings)
        for number, clip in enumerate(clips):
            progress("searching", number, len(clips))
            try:
                yield identification.answer(reader.read(clip.source, progress), progress)
            except (VideoError, SkeletonFileError) as error:
                if len(clips) == 1:
                    raise
                yield identification.failed(shown(clip.source), str(error))
        progress("searching", len(clips), len(clips))
