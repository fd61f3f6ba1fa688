"""Templates as bytes."""

import numpy as np
import pytest
from gallery_people import DIM, ENCODER, template

from pipeline.rows import content_hash, decode, encode, moment, now, real, span, whole
from pipeline.templates import Template
from smsge.layouts import KINECT20
from smsge.sequence import SkeletonSequence


def test_a_template_comes_back_as_it_went() -> None:
    kept = template(1)
    quality, embedding, skeleton = decode(encode(kept, DIM), DIM)
    assert quality == kept.quality
    assert np.array_equal(embedding, kept.embedding)
    assert np.array_equal(skeleton.joints, kept.skeleton.joints)  # these joints float16 holds exactly
    assert np.array_equal(skeleton.segment, kept.skeleton.segment)
    assert (skeleton.layout, skeleton.fps) == (kept.skeleton.layout, kept.skeleton.fps)


def test_other_layouts_are_kept_too() -> None:
    walk = SkeletonSequence(np.ones((5, 20, 3), np.float32), KINECT20, 30.0)
    row = encode(Template(template(1).embedding, 1.0, walk, ENCODER.fingerprint), DIM)
    assert decode(row, DIM)[2].layout is KINECT20


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        (0, "high", "quality"),
        (0, float("nan"), "quality"),
        (0, 1.01, "quality"),
        (1, b"", "embedding"),
        (1, "text", "embedding"),
        (1, np.zeros(DIM, "<f4").tobytes(), "unit length"),
        (1, np.full(DIM, np.inf, "<f4").tobytes(), "finite"),
        (2, "casia15", "layout"),
        (2, None, "layout"),
        (3, 0.0, "frame rate"),
        (3, float("inf"), "frame rate"),
        (4, 31, "segments"),
        (4, 0, "frames"),
        (4, -1, "frames"),
        (4, 2**40, "frames"),
        (5, np.full(30 * 14 * 3, np.inf, "<f2").tobytes(), "finite"),
        (5, b"\0" * 7, "joints"),
        (6, np.arange(30, dtype="<i4")[::-1].tobytes(), "order"),
    ],
)
def test_rows_that_are_not_sound_are_refused(column: int, value: object, complaint: str) -> None:
    row = list(encode(template(1), DIM))
    row[column] = value
    with pytest.raises(ValueError, match=complaint):
        decode(tuple(row), DIM)


def test_joints_beyond_float16_are_refused() -> None:
    walk = SkeletonSequence(np.full((3, 14, 3), 1e6, np.float32), template(1).skeleton.layout, 15.0)
    with pytest.raises(ValueError, match="finite"):
        encode(Template(template(1).embedding, 1.0, walk, ENCODER.fingerprint), DIM)


def test_single_values_are_checked() -> None:
    assert (real(0.5, "x"), whole(3, "x"), span(0.0, 0.0)) == (0.5, 3, (0.0, 0.0))
    assert moment(now()).endswith("+00:00")
    assert moment("2026-01-02T03:04:05+02:00") == "2026-01-02T01:04:05+00:00"
    assert content_hash("a" * 64) == "a" * 64
    for check, bad in [
        (content_hash, "A" * 64),
        (content_hash, "a" * 63),
        (content_hash, 5),
        (moment, "now"),
        (moment, 5),
    ]:
        with pytest.raises(ValueError):
            check(bad)
    for first, last in [(2.0, 1.0), (-1.0, 1.0), (0.0, float("inf")), (0, 1)]:
        with pytest.raises(ValueError):
            span(first, last)
    for number in (True, -1, 2**31, 1.0):
        with pytest.raises(ValueError):
            whole(number, "track")
