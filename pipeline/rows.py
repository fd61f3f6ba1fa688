"""Templates as rows of bytes and back. Every value is checked both ways: a gallery may come from elsewhere."""

import math
import string
from datetime import UTC, datetime

import numpy as np

from pipeline.database import Row
from pipeline.templates import Template
from smsge.layouts import LAYOUTS
from smsge.sequence import SkeletonSequence

MOST_FRAMES = 200_000
MOST_SECONDS = 1e9
_UNIT_SLACK = 1e-3

VECTORS = "quality, embedding, layout, fps, frames, joints, segments"
"""The columns of `templates` that make a `Template`, in the order of `encode` and `decode`."""


def encode(template: Template, dim: int) -> Row:
    """A template as the values of `VECTORS`: embedding float32, joints float16 (half a millimetre at a person's
    size), segments int32, all little-endian. Raises ValueError, saying what is wrong, for one that cannot be kept.
    """
    skeleton = template.skeleton
    with np.errstate(over="ignore"):  # what does not fit into float16 is found by `decode`
        joints = np.asarray(skeleton.joints).astype("<f2")
    row = (
        float(template.quality),
        np.asarray(template.embedding).astype("<f4").tobytes(),
        skeleton.layout.name,
        float(skeleton.fps),
        len(skeleton),
        joints.tobytes(),
        np.asarray(skeleton.segment).astype("<i4").tobytes(),
    )
    decode(row, dim)
    return row


def decode(row: Row, dim: int) -> tuple[float, np.ndarray, SkeletonSequence]:
    """(quality, embedding (D,), skeleton) from the values of `VECTORS`. Raises ValueError for what is not sound."""
    quality, embedding, layout_name, fps, frames, joints, segments = row
    if not 0 <= real(quality, "quality") <= 1:
        raise ValueError("a quality is not between 0 and 1")
    if not isinstance(layout_name, str) or layout_name not in LAYOUTS:
        raise ValueError("a skeleton's layout is not known")
    layout = LAYOUTS[layout_name]
    if not 0 < real(fps, "frame rate") <= 1000:
        raise ValueError("a frame rate is not between 0 and 1000")
    n = whole(frames, "number of frames")
    if not 0 < n <= MOST_FRAMES:
        raise ValueError(f"a skeleton has {n} frames, 1 to {MOST_FRAMES} can be kept")
    segment = _array(segments, "<i4", n, "segments").astype(np.int64)
    if (np.diff(segment) < 0).any():
        raise ValueError("a skeleton's segments are out of order")
    points = _array(joints, "<f2", n * layout.n_joints * 3, "joints").astype(np.float32)
    vector = _array(embedding, "<f4", dim, "embedding").astype(np.float32)
    if abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) > _UNIT_SLACK:
        raise ValueError("an embedding is not of unit length")
    skeleton = SkeletonSequence(points.reshape(n, layout.n_joints, 3), layout, fps, segment)
    return quality, vector, skeleton


def _array(blob: object, kind: str, count: int, what: str) -> np.ndarray:
    size = np.dtype(kind).itemsize * count
    if not isinstance(blob, bytes) or len(blob) != size:
        raise ValueError(f"{what}: not {size} bytes")
    values = np.frombuffer(blob, kind)
    if not np.isfinite(values).all():
        raise ValueError(f"{what}: not finite")
    return values


def real(value: object, what: str) -> float:
    """A finite float. Raises ValueError."""
    if not isinstance(value, float) or not math.isfinite(value):
        raise ValueError(f"a {what} is not a finite number")
    return value


def whole(value: object, what: str) -> int:
    """An int from 0 to 2^31 - 1. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ValueError(f"a {what} is not a whole number from 0")
    return value


def span(starts: object, ends: object) -> tuple[float, float]:
    """Seconds from and to. Raises ValueError unless 0 <= starts <= ends."""
    first, last = real(starts, "start"), real(ends, "end")
    if not 0 <= first <= last <= MOST_SECONDS:
        raise ValueError("a start does not come before its end")
    return first, last


def content_hash(value: object) -> str:
    """A sha256 in hexadecimal. Raises ValueError."""
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set(string.hexdigits.lower()):
        raise ValueError("a clip's content is not a sha256")
    return value


def moment(value: object) -> str:
    """A date and time in ISO 8601, as `now` writes it. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("a date is not text")
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise ValueError("a date is not in ISO 8601") from None


def now() -> str:
    """The time as the gallery keeps it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
