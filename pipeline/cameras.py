"""What a camera makes of everybody whom it films, kept in a file: searches told of it take it off the people they ask
for, as a gallery's centre takes off what those enrolled have in common.

The file is JSON: by which encoder, from how many clips and tracks, how alike these are, and the mean of their
embeddings. None of them can be had back from a mean of many.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from rich.table import Table

from pipeline.documents import save_json
from pipeline.errors import CameraError
from pipeline.templates import Embedder
from pipeline.thresholds import Common
from smsge.centring import PRIOR, alike_of

FEWEST = 8
"""Tracks that a camera is learned from at the least: the mean of fewer is too much of each of them."""

MAX_BYTES = 1 << 18

_Count = Annotated[int, Field(ge=FEWEST, le=10**9)]
_Share = Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True)
class Camera:
    """encoder, fingerprint: whose embeddings. clips, tracks: how many it was learned from. alike: the cosine of two
    tracks, on average (`smsge.centring.alike_of`). mean: of the embeddings (D,), which are of unit length."""

    encoder: Annotated[str, Field(max_length=200)]
    fingerprint: Annotated[str, Field(max_length=200)]
    clips: Annotated[int, Field(ge=1, le=10**9)]
    tracks: _Count
    alike: _Share
    mean: Annotated[tuple[_Share, ...], Field(min_length=1, max_length=4096)]

    @classmethod
    def of(cls, vectors: NDArray[np.floating], clips: int, embedder: Embedder) -> "Camera":
        """From the embeddings (N, D) of N >= 2 tracks, taken for as many people."""
        alike = alike_of(vectors, np.arange(len(vectors)))
        if alike is None:
            raise ValueError("one track alone tells nothing of a camera")
        mean = np.asarray(vectors, np.float64).mean(axis=0)
        return cls(
            embedder.name, embedder.fingerprint, clips, len(vectors),
            round(alike, 4), tuple(float(value) for value in mean.round(6)),
        )  # fmt: skip

    @property
    def centre(self) -> NDArray[np.float32]:
        """(D,) what is taken off embeddings, as `smsge.centring.centre_of` has it of so many people."""
        return np.asarray(self.mean, np.float32) * np.float32(self.tracks / (self.tracks + PRIOR))

    @property
    def common(self) -> Common:
        """How well it is known."""
        return Common(self.tracks, self.alike)

    @property
    def digest(self) -> str:
        """Another one for another camera."""
        return sha256(repr(self).encode()).hexdigest()[:16]

    def table(self) -> Table:
        """What it rests on, for a terminal."""
        table = Table("tracks", "clips", "alike", "encoder")
        table.add_row(str(self.tracks), str(self.clips), f"{self.alike:+.3f}", self.encoder)
        return table

    def json(self) -> dict[str, Any]:
        """The file's content, as docs/json.md describes it."""
        return {**vars(self), "mean": list(self.mean)}

    def save(self, path: str | Path) -> Path:
        """Write it to `path`, readable by its owner alone. Raises UserError where it cannot be written."""
        return save_json(path, self.json(), mode=0o600)


def check_out(path: str | Path, overwrite: bool = False) -> Path:
    """`path`, where a camera may be written to it; to be asked before any long work.

    Raises CameraError where it exists already (unless `overwrite`), is no .json, or its folder cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        raise CameraError(f"cannot write {path}: the name of a camera's file must end in .json")
    if path.exists() and not overwrite:
        raise CameraError(f"{path} exists already: give another name, or --overwrite")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise CameraError(f"cannot write {path}: {path.parent} is not a folder you may write to")
    return path


_FORM = TypeAdapter(Camera)


def load_camera(path: str | Path, embedder: Embedder) -> Camera:
    """The camera that `Camera.save` wrote, to be used with `embedder`.

    Raises CameraError where the file is not one or cannot be read, or was learned by another encoder.
    """
    path = Path(path)
    learn = "learn the camera with `reid camera FOLDER --out FILE`"
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CameraError(f"{path} cannot be read ({error.strerror or error}): {learn}") from error
    try:
        if len(text) > MAX_BYTES:
            raise ValueError("it is too large")
        camera = _FORM.validate_json(text, strict=True)
        if np.linalg.norm(camera.mean) > 1.001:
            raise ValueError("its mean is longer than what it is the mean of")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CameraError(f"{path} is no camera's file ({where}: {first['msg']}): {learn}") from error
    except ValueError as error:
        raise CameraError(f"{path} is no camera's file ({error}): {learn}") from error
    if camera.fingerprint != embedder.fingerprint:
        raise CameraError(f"{path} was learned by the encoder {camera.encoder}, not by {embedder.name}: {learn} anew")
    if len(camera.mean) != embedder.dim:
        raise CameraError(f"{path} has {len(camera.mean)} numbers, the encoder gives {embedder.dim}: {learn}")
    return camera
