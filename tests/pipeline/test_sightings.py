"""What is kept of one person's sightings, and how little memory it takes."""

import tracemalloc

import numpy as np
from test_people import standing

from pipeline.sightings import Sightings
from pipeline.values import Person


def somebody(seed: int) -> Person:
    generator = np.random.default_rng(seed)
    box, image, world = generator.random(4), generator.random((33, 2)), generator.random((33, 3))
    parts = (part.astype(np.float32) for part in (box, image, world, generator.random(33)))
    return Person(*parts)


def test_a_track_is_what_was_seen() -> None:
    people, sightings = [somebody(k) for k in range(5)], Sightings()
    for k, person in enumerate(people):
        sightings.add(0.1 * k, 3 * k, person, None)
    track = sightings.track(7, (640, 360), "a.mp4")
    assert (track.id, track.frame_size, track.source, len(sightings)) == (7, (640, 360), "a.mp4", 5)
    np.testing.assert_array_equal(track.times, [0.1 * k for k in range(5)])
    np.testing.assert_array_equal(track.frames, [0, 3, 6, 9, 12])
    assert (track.times.dtype, track.frames.dtype) == (np.float64, np.int64)
    for theirs, ours in (("box", "boxes"), ("image", "image"), ("world", "world"), ("visibility", "visibility")):
        expected = np.stack([getattr(person, theirs) for person in people])
        np.testing.assert_array_equal(getattr(track, ours), expected)
        assert getattr(track, ours).dtype == np.float32


def test_usual_colours_are_of_frames_that_show_all_of_the_clothes_alone() -> None:
    sightings = Sightings()
    partly = np.full((4, 3), 0.9)
    partly[2] = np.nan
    for k, colours in enumerate((None, partly, None)):
        sightings.add(0.1 * k, k, somebody(k), colours)
    assert sightings.usual_colours is None
    sightings = Sightings()
    for k, colours in enumerate((np.full((4, 3), 0.2), None, partly, np.full((4, 3), 0.4), np.full((4, 3), 0.25))):
        sightings.add(0.1 * k, k, somebody(k), colours)
    np.testing.assert_allclose(sightings.usual_colours, np.full((4, 3), 0.25))  # type: ignore[arg-type]


def test_hours_of_somebody_take_less_than_a_kilobyte_a_sighting_and_no_copy_in_the_end() -> None:
    count = 5000
    tracemalloc.start()
    try:
        sightings = Sightings()
        for k in range(count):
            sightings.add(0.04 * k, k, standing(100.0, 50.0, 100.0), np.full((4, 3), 0.5))
        track = sightings.track(1, (640, 360), "a.mp4")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(track) == count
    assert most / count < 1100  # bytes; 872 of figures, and room for the arrays to grow
