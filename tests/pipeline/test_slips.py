"""Sightings that lie beside their person are taken out, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest
from stick_people import Stick, walk

from pipeline.slips import LONGEST, without_slips
from pipeline.values import PoseTrack

TIMES = np.arange(0, 6, 1 / 15)


def across(speed: float = 90.0, turns: bool = False, seed: int = 0) -> PoseTrack:
    """A walker 100 pixels tall who crosses the picture, at `speed` pixels a second, and may turn back on the way."""
    track = walk(Stick(), TIMES, np.pi / 2)
    way = speed * np.where(turns & (TIMES > 3), 6 - TIMES, TIMES)
    image = track.image + np.random.default_rng(seed).normal(scale=1.5, size=track.image.shape)
    return placed(replace(track, image=image.astype(np.float32)), way)


def placed(track: PoseTrack, way: np.ndarray) -> PoseTrack:
    image = track.image - track.image.mean(axis=1, keepdims=True) + np.stack([way, np.full_like(way, 240)], 1)[:, None]
    boxes = np.concatenate([image.min(axis=1), image.max(axis=1)], axis=1)
    return replace(track, image=image.astype(np.float32), boxes=boxes.astype(np.float32))


def slipped(track: PoseTrack, rows: list[int], by: float) -> PoseTrack:
    """These sightings, `by` pixels aside."""
    image, boxes = track.image.copy(), track.boxes.copy()
    image[rows, :, 0] += by
    boxes[rows, ::2] += by
    return replace(track, image=image, boxes=boxes)


@pytest.mark.parametrize(("speed", "turns"), [(0.0, False), (60.0, False), (60.0, True), (180.0, False)])
def test_a_walker_slips_nowhere(speed: float, turns: bool) -> None:
    track = across(speed, turns)
    assert without_slips(track) is track


@pytest.mark.parametrize("by", [-60.0, 25.0, 60.0])
@pytest.mark.parametrize("rows", [[40], [40, 41], [40, 41, 42], [20, 60, 61], [40, 42]])
def test_exactly_what_slipped_is_taken_out(rows: list[int], by: float) -> None:
    track = across()
    left = without_slips(slipped(track, rows, by))
    expected = np.delete(np.arange(len(track)), rows)
    np.testing.assert_array_equal(left.frames, track.frames[expected])
    for name in ("times", "boxes", "image", "world", "visibility"):
        np.testing.assert_array_equal(getattr(left, name), getattr(track, name)[expected])
    assert (left.id, left.frame_size, left.source) == (track.id, track.frame_size, track.source)


def test_who_is_elsewhere_for_longer_went_there() -> None:
    track = slipped(across(), list(range(40, 41 + LONGEST)), 60.0)
    assert without_slips(track) is track


def test_over_a_long_gap_nothing_is_said_of_the_way_between() -> None:
    track = across()
    sparse = slipped(track, [40], 60.0).only(np.isin(np.arange(len(track)), [*range(34), 40, *range(46, 90)]))
    assert without_slips(sparse) is sparse


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_track_of_few_sightings(count: int) -> None:
    track = across().only(np.arange(len(TIMES)) < count)
    assert without_slips(track) is track
