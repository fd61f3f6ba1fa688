"""What a camera makes of everybody whom it films, kept in a file: searches told of it take it off the people they ask
for, as a gallery's centre takes off what those enrolled have in common.

The file is JSON: by which encoder, from how many clips, tracks and people, how alike these are, and the mean of their
embeddings; nobody's own is in it.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from rich.table import Table

from pipeline.documents import check_new, save_json
from pipeline.errors import CameraError
from pipeline.in_common import Common, without_centre
from pipeline.names import printable
from pipeline.templates import Embedder
from smsge.centring import PRIOR, alike_of, centre_of

FEWEST = 8
"""Tracks that a camera is learned from at the least: the mean of fewer is too much of each of them."""

PLENTY = 20
"""Usable tracks of a search from which a camera is learned well, so that the user is told of it."""

MAX_BYTES = 1 << 18

_Share = Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True)
class Camera:
    """encoder, fingerprint: whose embeddings. clips, tracks: how many it was learned from; people: of how many these
    are, as far as can be told (`people_among`). alike: the cosine of two people's tracks, on average
    (`smsge.centring.alike_of`). mean: of the people's mean embeddings (D,), embeddings being of unit length."""

    encoder: Annotated[str, Field(max_length=200)]
    fingerprint: Annotated[str, Field(max_length=200)]
    clips: Annotated[int, Field(ge=1, le=10**9)]
    tracks: Annotated[int, Field(ge=FEWEST, le=10**9)]
    people: Annotated[int, Field(ge=1, le=10**9)]
    alike: _Share
    mean: Annotated[tuple[_Share, ...], Field(min_length=1, max_length=4096)]

    @classmethod
    def of(cls, vectors: NDArray[np.floating], clips: int, embedder: Embedder) -> "Camera":
        """From the embeddings (N, D) of N >= 2 tracks."""
        whose = people_among(vectors, embedder.threshold)
        people = int(whose.max()) + 1
        mean = centre_of(vectors, whose).astype(np.float64) * (people + PRIOR) / people
        alike = alike_of(vectors, whose)
        return cls(
            embedder.name, embedder.fingerprint, clips, len(vectors), people,
            1.0 if alike is None else round(alike, 4), tuple(float(value) for value in mean.round(6)),
        )  # fmt: skip

    @property
    def centre(self) -> NDArray[np.float32]:
        """(D,) what is taken off embeddings, as `smsge.centring.centre_of` has it of so many people."""
        return np.asarray(self.mean, np.float32) * np.float32(self.people / (self.people + PRIOR))

    @property
    def common(self) -> Common:
        """How well it is known."""
        return Common(self.people, self.alike)

    @property
    def digest(self) -> str:
        """Another one for another camera."""
        return sha256(repr(self).encode()).hexdigest()[:16]

    def table(self) -> Table:
        """What it rests on, for a terminal."""
        table = Table("people, about", "tracks", "clips", "alike", "encoder")
        table.add_row(str(self.people), str(self.tracks), str(self.clips), f"{self.alike:+.3f}", self.encoder)
        return table

    def json(self) -> dict[str, Any]:
        """The file's content, as docs/json.md describes it."""
        return {**vars(self), "mean": list(self.mean)}

    def save(self, path: str | Path) -> Path:
        """Write it to `path`, readable by its owner alone. Raises UserError where it cannot be written."""
        return save_json(path, self.json(), mode=0o600)


def people_among(vectors: NDArray[np.floating], threshold: float) -> NDArray[np.intp]:
    """(N, D) embeddings of unit length of N >= 2 tracks -> (N,) a number for whom each may be of.

    Whoever passes a camera often would else be most of its mean, and taken off as if the camera did it. Tracks go to
    one person (average linkage) as far as `reid verify` would say so of two that have in common what the median pair
    here has: a cosine of `threshold` besides.
    """
    from sklearn.cluster import AgglomerativeClustering  # here, because it takes a while and searches do not need it

    cosines = np.clip(vectors @ vectors.T, -1.0, 1.0)
    usual = max(0.0, float(np.median(cosines[np.triu_indices(len(vectors), 1)])))
    apart = max(1e-6, 1 - without_centre(threshold, usual))  # tracks that are all the same are one person's
    grouping = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=apart
    )
    return np.asarray(grouping.fit_predict(1 - cosines), dtype=np.intp)


def worth_learning(source: str, usable: int) -> str | None:
    """A line for the user of a search without a camera that found so many usable tracks in `source`; None of few."""
    if usable < PLENTY:
        return None
    return (
        f"{usable} usable tracks: if one camera filmed them, `reid camera {quote(source)} --out camera.json` learns"
        " what it makes of everybody, and people are told apart better with `--camera camera.json`"
    )


def check_out(path: str | Path, overwrite: bool = False) -> Path:
    """`path`, where a camera may be written to it; to be asked before any long work.

    Raises CameraError where it exists already (unless `overwrite`), is no .json, or its folder cannot be written.
    """
    return check_new(path, "a camera's file", ".json", overwrite, CameraError)


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
        theirs = printable(camera.encoder)
        raise CameraError(f"{path} was learned by the encoder {theirs}, not by {embedder.name}: {learn} anew")
    if len(camera.mean) != embedder.dim:
        raise CameraError(f"{path} has {len(camera.mean)} numbers, the encoder gives {embedder.dim}: {learn}")
    return camera
