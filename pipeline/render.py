"""Footage with its people drawn on it: annotated clips, single pictures, and sheets of who is who."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.bridging import Placed, placed_by_frame
from pipeline.drawing import UNKNOWN, Colour, Drawn, colour_of, draw, enlargement, label
from pipeline.errors import VideoError
from pipeline.settings import VideoSettings
from pipeline.skeletons import Extraction
from pipeline.sources import is_skeletons
from pipeline.values import PoseTrack, Progress, silent
from pipeline.video import is_stream, open_video, shown
from pipeline.video_writer import VideoWriter

if TYPE_CHECKING:
    from pipeline.answers import SearchResult

Labels = Mapping[int, tuple[str, Colour]]
"""What to write beside each track, and in which colour; tracks left out get their number alone."""

CELL = (240, 360)
"""Pixels, width and height, of one person on a sheet."""


def annotate(
    source: str,
    extraction: Extraction,
    labels: Labels,
    out: Path,
    *,
    overwrite: bool = False,
    settings: VideoSettings | None = None,
    picture: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Write `source` again as H.264 with skeleton, box, track number and label on every person.

    Streamed, with the times of the source and all of its frames, also those that were not posed: there, people are
    drawn between where they were seen before and after. Footage under 480 pixels is enlarged. extraction: what
    `pipeline.extract.extract` found in this very source with the same `settings`. picture: also save, as PNG, the
    annotated frame in which most people are seen best. Returns `out`.

    Raises VideoError when the source cannot be read again (a stream, a file of skeletons), when `out` is the source,
    exists already and `overwrite` is False, or cannot be written.
    """
    check_out(source, out, overwrite)
    placed = placed_by_frame(extraction.tracks)
    showpiece = _showpiece(extraction.tracks) if picture is not None else -1
    every = replace(settings or VideoSettings(), stride=1)
    with open_video(source, every) as video, ExitStack() as stack:
        writer: VideoWriter | None = None
        for frame in video:
            scale = enlargement(frame.rgb.shape[1], frame.rgb.shape[0])
            drawn = draw(frame.rgb, _people(placed.get(frame.index, ()), labels), scale)
            if writer is None:
                height, width = drawn.shape[:2]
                writer = stack.enter_context(VideoWriter(out, width, height, extraction.fps or 25.0))
            writer.write(drawn, frame.time)
            if frame.index == showpiece and picture is not None:
                save_picture(drawn, picture)
            progress("drawing", frame.time, extraction.duration or None)
        if writer is None:
            raise VideoError(f"no frame to draw on in {source}: the file may be damaged")
    return out


def annotate_search(
    result: "SearchResult",
    out: Path,
    *,
    overwrite: bool = False,
    settings: VideoSettings | None = None,
    picture: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """`annotate` for the answer of a search: name and similarity beside who is a match, grey for everybody else."""
    if result.extraction is None:
        raise VideoError(f"cannot draw on {result.clip}: {result.error}")
    labels: dict[int, tuple[str, Colour]] = {}
    for match in result.tracks:
        if match.name is not None and match.similarity is not None:
            labels[match.track] = (f"{match.name} {match.similarity:.2f}", colour_of(match.track))
        else:
            labels[match.track] = (match.decision, UNKNOWN)
    return annotate(
        result.clip,
        result.extraction,
        labels,
        out,
        overwrite=overwrite,
        settings=settings,
        picture=picture,
        progress=progress,
    )


def check_out(source: str, out: Path, overwrite: bool = False) -> None:
    """Refuse what cannot be drawn on, or an `out` that cannot be written or would destroy something; this is checked
    again later, but is to be called before any long work. Raises VideoError."""
    _readable(source)
    if out.suffix.lower() != ".mp4":
        raise VideoError(f"cannot write {out}: the name of an annotated video must end in .mp4")
    if Path(source).exists() and out.exists() and os.path.samefile(source, out):
        raise VideoError(f"{out} is the clip itself and is never overwritten: give the annotated video another name")
    if out.exists() and not overwrite:
        raise VideoError(f"{out} exists already: give another name, or delete it first")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise VideoError(f"cannot write {out}: {folder} is not a folder you may write to")


def who_is_who(
    source: str,
    tracks: Sequence[PoseTrack],
    names: Mapping[int, str],
    out: Path,
    *,
    settings: VideoSettings | None = None,
) -> Path:
    """Save, as PNG, a sheet with one picture a person: the frame in which each track is seen best, box and name.

    names: text under each track's picture, by track number; missing ones are called by their number. Reads the
    footage once and keeps one crop a person. Returns `out`.

    Raises VideoError when the source cannot be read again or `out` cannot be written.
    """
    if not tracks:
        raise VideoError(f"nobody to show from {source}: no track was given")
    wanted: dict[int, list[Placed]] = {}
    for track in tracks:
        at = int(np.argmax(_showing(track)))
        wanted.setdefault(int(track.frames[at]), []).append(Placed(track, at))
    cells: dict[int, np.ndarray] = {}
    with open_video(_readable(source), settings or VideoSettings()) as video:
        for frame in video:
            for row in wanted.get(frame.index, ()):
                name = names.get(row.track.id, f"track {row.track.id}")
                cells[row.track.id] = _cell(frame.rgb, row, name)
            if len(cells) == len(tracks):
                break
    if len(cells) < len(tracks):
        raise VideoError(f"{source} ends before all of its people are seen: it is not the clip they were found in")
    save_picture(_sheet([cells[track.id] for track in tracks]), out)
    return out


def save_picture(rgb: np.ndarray, out: Path) -> None:
    """Write (H, W, 3) uint8 as PNG. Raises VideoError when that cannot be."""
    good, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not good:
        raise VideoError(
            f"cannot write {out}: the picture of {rgb.shape[1]}x{rgb.shape[0]} pixels could not be encoded"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data.tobytes())
    except OSError as error:
        raise VideoError(f"cannot write {out}: {error.strerror}") from error


def _readable(source: str) -> str:
    if is_stream(source):
        raise VideoError(
            f"cannot draw on {shown(source)}: a live stream cannot be read twice; record it to a file first"
        )
    if is_skeletons(source):
        raise VideoError(f"cannot draw on {source}: a file of skeletons has no pictures; give the clip itself")
    return source


def _showing(track: PoseTrack) -> np.ndarray:
    """(T,) how well the person is seen in each frame: visibility times height, nothing cut off by the edge."""
    inside = np.clip(track.boxes, 0, np.array([*track.frame_size, *track.frame_size], np.float32))
    area = np.prod(np.maximum(track.boxes[:, 2:] - track.boxes[:, :2], 1e-3), axis=1)
    kept = np.prod(np.maximum(inside[:, 2:] - inside[:, :2], 0), axis=1) / area
    tall = inside[:, 3] - inside[:, 1]
    showing: np.ndarray = track.visibility.mean(axis=1) * tall * kept**2
    return showing


def _showpiece(tracks: Sequence[PoseTrack]) -> int:
    """The number of the frame in which most people are seen best."""
    totals: Counter[int] = Counter()
    for track in tracks:
        for index, score in zip(track.frames.tolist(), _showing(track).tolist(), strict=True):
            totals[index] += score
    return max(totals, key=lambda index: totals[index], default=-1)


def _people(rows: Sequence[Placed], labels: Labels) -> list[Drawn]:
    people = []
    for row in rows:
        number = row.track.id
        text, colour = labels.get(number, ("", UNKNOWN))
        text = f"{number}  {text}" if text else str(number)
        people.append(Drawn(row.value("boxes"), row.value("image"), row.value("visibility"), text, colour))
    return people


def _cell(rgb: np.ndarray, row: Placed, name: str) -> np.ndarray:
    """One person, cut out with some surroundings and fitted into a cell."""
    width, height = CELL
    x0, y0, x1, y1 = (float(v) for v in row.track.boxes[row.at])
    tall = max(1.25 * (y1 - y0), 1.25 * (x1 - x0) * height / width, 16.0)
    scale = height / tall
    # The crop keeps the cell's shape and is filled with grey where it passes the edge of the picture.
    shift = np.array([width / 2 - scale * (x0 + x1) / 2, height / 2 - scale * (y0 + y1) / 2])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cell = cv2.warpAffine(rgb, matrix, (width, height), flags=how, borderValue=(70, 70, 70))
    box = (row.track.boxes[row.at].reshape(2, 2) * scale + shift).reshape(4)
    image = row.track.image[row.at] * scale + shift
    cell = draw(cell, [Drawn(box, image, row.track.visibility[row.at], "", colour_of(row.track.id))])
    label(cell, name, (0, height), colour_of(row.track.id), 18)
    return cell


def _sheet(cells: Sequence[np.ndarray]) -> np.ndarray:
    columns = min(len(cells), 5)
    lines = -(-len(cells) // columns)
    gap, (width, height) = 8, CELL
    sheet = np.full((lines * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for at, cell in enumerate(cells):
        top, left = gap + at // columns * (height + gap), gap + at % columns * (width + gap)
        sheet[top : top + height, left : left + width] = cell
    return sheet
