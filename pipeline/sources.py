"""What the user names on a command line -> the clips meant by it, each with the name its person would take.

A source is a clip, a file of skeletons (.npz), a folder, a webcam's index or a URL. In a folder, clips that lie in
a sub-folder belong to the person the sub-folder is named after; clips that lie in it directly are called by their stem.
"""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import VideoError
from pipeline.skeletons import load_skeletons
from pipeline.video import content_id, find_clips, is_stream

SKELETONS = ".npz"


@dataclass(frozen=True)
class Clip:
    """One clip to be worked on. source: a path, an index or a URL. name: what its person is called unless the user
    says otherwise, empty for a stream. grouped: the name is that of a folder of clips of one person."""

    source: str
    name: str
    grouped: bool = False


def expand(sources: Iterable[str | Path]) -> list[Clip]:
    """The clips that `sources` mean, in order; a clip named twice is there once.

    Raises VideoError where a folder holds no clip, or a path is empty, which would be the folder one is in. A missing
    file is not looked for here: opening it says so.
    """
    clips: dict[str, Clip] = {}
    for source in sources:
        if not str(source).strip():
            raise VideoError("a clip's path is empty: give a clip or a folder of clips (. is the one you are in)")
        path = Path(source)
        if is_stream(str(source)):
            found = [Clip(str(source), "")]
        elif path.is_dir():
            below, links = clips_below(path)
            if not below:
                raise no_clip(path, links)
            found = [placed(path, clip) for clip in below]
        else:
            found = [Clip(str(source), path.stem)]
        for clip in found:
            clips.setdefault(clip.source, clip)
    return list(clips.values())


def placed(folder: Path, clip: Path) -> Clip:
    """A clip below `folder`, with the name it has by where it lies."""
    inside = clip.relative_to(folder).parts
    return Clip(str(clip), inside[0] if len(inside) > 1 else clip.stem, grouped=len(inside) > 1)


def clips_below(folder: Path, without: Sequence[Path] = ()) -> tuple[list[Path], list[Path]]:
    """Every clip and file of skeletons below `folder`, sorted, and the links left aside; nothing below a folder of
    `without`.

    A link that leads out of `folder` is left aside, so that a run over a folder reads that folder only. A file of
    skeletons is left aside, and not told, where a clip of the same name lies beside it: they are the same footage.
    """
    root, apart = folder.resolve(), [path.resolve() for path in without]
    clips: list[Path] = []
    links: list[Path] = []
    for clip in find_clips(folder):
        real = clip.resolve()
        if not any(real.is_relative_to(path) for path in apart):
            (clips if real.is_relative_to(root) else links).append(clip)
    beside = {clip.with_suffix("") for clip in clips if not is_skeletons(str(clip))}
    wanted = [
        clip for clip in clips
        if not is_skeletons(str(clip)) or (clip.with_suffix("") not in beside and _holds_skeletons(clip))
    ]  # fmt: skip
    return wanted, links


def no_clip(folder: Path, links: Sequence[Path]) -> VideoError:
    """That there is none in `folder`, and what to give instead."""
    aside = ", links that lead out of it aside, which are not followed" if links else ""
    return VideoError(f"no clip below {folder}{aside}: give a folder that holds videos or skeletons (.npz)")


def _holds_skeletons(path: Path) -> bool:
    """Whether an .npz found in a folder is meant for us; other arrays may well lie beside the clips.

    One that is damaged may be, and reading it tells what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {"track.npy", "world.npy", "meta.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return True


def is_skeletons(source: str) -> bool:
    """Whether `source` is to be read as a file of skeletons."""
    return source.lower().endswith(SKELETONS) and not is_stream(source)


def clip_content(source: str) -> str:
    """The sha256 by which a clip is known again, the same for a clip and its skeletons; empty for a stream.

    Raises VideoError or SkeletonFileError where the file cannot be read.
    """
    if is_stream(source):
        return ""
    return load_skeletons(source).content if is_skeletons(source) else content_id(source)
