"""Learns a camera from its footage: whoever passes, unnamed, says together what it makes of everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from pipeline.cameras import FEWEST, Camera
from pipeline.documents import exit_code
from pipeline.errors import DatasetError, SkeletonFileError, UserError, VideoError
from pipeline.probes import Reader
from pipeline.settings import Settings
from pipeline.sources import expand
from pipeline.templates import Embedder
from pipeline.values import Progress, silent

if TYPE_CHECKING:
    from pipeline.pose import PoseEstimator

MOST = 2000
"""Tracks that a camera is learned from at the most: more tell nothing more, and each is compared with each."""

ONE_PERSON = 0.6
"""Tracks that are so alike on average may be of one person: those of one before one camera are 0.6 to 0.7 alike on
rendered footage and 0.3 to 0.9 on real one, tracks of many people 0.0 to 0.2 and 0.3 to 0.55."""


@dataclass(frozen=True)
class Learned:
    """What came of it. left_out: (clip, why) of clips that could not be read or in which nobody is usable."""

    camera: Camera
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def note(self) -> str | None:
        """One line for the user where few people seem to have passed, or the tracks are as alike as one person's."""
        people, alike = self.camera.people, self.camera.alike
        if people >= FEWEST and alike < ONE_PERSON:
            return None
        return (
            f"the {self.camera.tracks} tracks seem to be of {people} people and are {alike:.2f} alike: if few people"
            " are in them, this camera takes off what is theirs; learn it from more"
        )

    @property
    def exit_code(self) -> int:
        """0 all clips were used, 1 some were left out."""
        return exit_code(self.camera.clips, len(self.left_out))

    def table(self) -> Table:
        """What the camera rests on, for a terminal."""
        return self.camera.table()

    def json(self) -> dict[str, Any]:
        """The document docs/json.md describes."""
        camera = {key: value for key, value in self.camera.json().items() if key != "mean"}
        return {
            **camera,
            "note": self.note,
            "left_out": [{"clip": clip, "reason": reason} for clip, reason in self.left_out],
        }

    def save(self, path: str | Path) -> Path:
        """Write the camera's file, whole or not at all. Raises UserError where it cannot be written."""
        return self.camera.save(path)


def learn_camera(
    sources: str | Path | Sequence[str | Path],
    *,
    settings: Settings | None = None,
    progress: Progress = silent,
    pose: "PoseEstimator | None" = None,
    embedder: Embedder | None = None,
) -> Learned:
    """Learn a camera from `sources`: clips, files of skeletons (.npz) or folders of either, all filmed by it.

    Everybody counts once, however often they pass, as far as tracks of one person are known for that
    (`pipeline.cameras.people_among`). Footage that is given twice counts once. Of more than `MOST` tracks as many are
    taken, evenly.

    Raises VideoError (no clip there), DatasetError (too few tracks).
    """
    clips = expand([sources] if isinstance(sources, str | Path) else sources)
    if not clips:
        raise UserError("nothing to learn from: give clips of one camera, or a folder of them")
    vectors: list[np.ndarray] = []
    left_out: list[tuple[str, str]] = []
    known: set[str] = set()
    with Reader(settings or Settings(), pose, embedder) as reader:
        for number, clip in enumerate(clips):
            progress("learning", number, len(clips))
            try:
                reading = reader.read(clip.source, progress)
            except (VideoError, SkeletonFileError) as error:
                left_out.append((clip.source, str(error)))
                continue
            content = reading.extraction.content or clip.source  # skeletons of a stream do not say which one
            if content in known:
                left_out.append((clip.source, f"{reading.source} is the same footage as another clip"))
            elif not reading.usable:
                left_out.append((clip.source, reading.nobody()))
            else:
                known.add(content)
                vectors += reading.embeddings
        progress("learning", len(clips), len(clips))
        if len(vectors) < FEWEST:
            raise DatasetError(
                f"{len(vectors)} usable track{'' if len(vectors) == 1 else 's'} in {len(clips)}"
                f" clip{'' if len(clips) == 1 else 's'}: a camera is learned"
                f" from {FEWEST} or more, better fifty, of different people{_first(left_out)}"
            )
        taken = np.unique(np.linspace(0, len(vectors) - 1, MOST).round().astype(int))
        camera = Camera.of(np.stack(vectors)[taken], len(known), reader.embedder)
    return Learned(camera, tuple(left_out))


def _first(left_out: Sequence[tuple[str, str]]) -> str:
    """What is wrong with the first clip that was left out."""
    return f"; {left_out[0][1]}" if left_out else ""
