"""A folder of clips -> a folder of skeletons, laid out alike; what is there already is not made again."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipeline.documents import exit_code
from pipeline.errors import SkeletonFileError, UserError, VideoError
from pipeline.extract import extract
from pipeline.names import printable
from pipeline.settings import Settings
from pipeline.skeletons import Extraction, load_skeletons, save_skeletons
from pipeline.sources import clips_below, is_skeletons, no_clip
from pipeline.values import Progress, silent
from pipeline.video import content_id, open_video

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator


@dataclass(frozen=True)
class Extracted:
    """What came of one clip. out: its file of skeletons. kept: whether that was there before, of this very clip.
    frames, tracks: what is in it (`seen`). warnings: of the footage. error: why the clip could not be read."""

    clip: Path
    out: Path
    kept: bool = False
    frames: int = 0
    tracks: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None

    def json(self) -> dict[str, Any]:
        """Its entry in `Extractions.json`."""
        told = {key: value for key, value in vars(self).items() if key != "warnings"}
        return {**told, "clip": str(self.clip), "out": str(self.out), "tracks": list(self.tracks)}


@dataclass(frozen=True)
class Extractions:
    """What came of a folder. out: where the files of skeletons are."""

    out: Path
    clips: tuple[Extracted, ...]

    @property
    def exit_code(self) -> int:
        """0 all clips done, 1 some failed, 2 all failed."""
        failed = sum(one.error is not None for one in self.clips)
        return exit_code(len(self.clips) - failed, failed)

    def remarks(self) -> Iterator[str]:
        """Lines for the user: what is wrong with each clip that failed, and with the footage of others."""
        for one in self.clips:
            yield from one.warnings if one.error is None else (one.error,)

    def table(self) -> Table:
        """A row a clip, for a terminal."""
        table = Table("clip", "skeletons", "frames", "tracks", title=printable(str(self.out)), title_justify="left")
        for one in self.clips:
            state = "none" if one.error is not None else "kept" if one.kept else "made"
            table.add_row(printable(str(one.clip)), state, str(one.frames), str(len(one.tracks)))
        return table

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes."""
        return {"out": str(self.out), "clips": [one.json() for one in self.clips]}


def seen(extraction: Extraction) -> dict[str, Any]:
    """Frames and tracks, for a document."""
    tracks = ({"track": t.id, "start": t.start, "end": t.end, "frames": len(t)} for t in extraction.tracks)
    return {"frames": extraction.frames, "tracks": tuple(tracks)}


def extract_all(
    folder: str | Path,
    out: str | Path,
    *,
    settings: Settings | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
) -> Extractions:
    """The skeletons of every clip below `folder` to `out`, a file of the same name and place each.

    Each file is written when its clip is done, and a run that was stopped goes on there. overwrite: make those anew
    that are there. A clip that cannot be read is told, and the others go on.
    Raises VideoError where there is no clip, UserError where `out` cannot be written, PoseModelError.
    """
    folder, out, settings = Path(folder), Path(out), settings or Settings()
    below, links = clips_below(folder, without=[out])
    clips = [clip for clip in below if not is_skeletons(str(clip))]
    if not clips:
        raise no_clip(folder, links)
    _make(out)
    done: dict[Path, Extracted] = {}
    failed: list[Extracted] = []
    with ExitStack() as stack:
        for number, clip in enumerate(clips):
            progress("extracting", number, len(clips))
            target = out / clip.relative_to(folder).with_suffix(".npz")
            try:
                if target in done:
                    raise VideoError(f"{clip} would have the same file as {done[target].clip}: rename one of them")
                found = None if overwrite else _there(clip, target)
                kept = found is not None
                if found is None:
                    open_video(str(clip), settings.video).close()  # a bad file is told before a model is fetched
                    pose = pose or stack.enter_context(_estimator(settings, progress))
                    found = extract(clip, settings, pose=pose, progress=progress)
                    _make(target.parent)
                    save_skeletons(target, found, overwrite=True)
                done[target] = Extracted(clip, target, kept, warnings=found.warnings, **seen(found))
            except VideoError as error:
                failed.append(Extracted(clip, target, error=str(error)))
        progress("extracting", len(clips), len(clips))
    return Extractions(out, tuple(sorted([*done.values(), *failed], key=lambda one: one.clip)))


def _estimator(settings: Settings, progress: Progress) -> "PoseEstimator":
    from pipeline.pose import MediaPipePose  # here, because MediaPipe takes seconds to import

    return MediaPipePose(settings.pose, progress=progress)


def _there(clip: Path, target: Path) -> Extraction | None:
    """What is in `target`, if it is sound and of this very clip. Raises VideoError where the clip cannot be read."""
    if not target.exists():
        return None
    try:
        found = load_skeletons(target)
    except SkeletonFileError:
        return None
    return found if found.content == content_id(clip) else None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"cannot write {folder}: {why}; choose a folder that can be written") from error
