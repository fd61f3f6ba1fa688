"""What is a sample: clips one after the other, or whole walks."""

import numpy as np
import pytest

from smsge.errors import DatasetError
from smsge.layouts import CASIA14
from smsge.samples import Samples
from smsge.sequence import SkeletonSequence


def numbered(frames: int, session: str, segment: list[int] | None = None, first: int = 0) -> SkeletonSequence:
    """A walk whose joints all hold the frame's number."""
    joints = np.zeros((frames, 14, 3), np.float32) + np.arange(first, first + frames)[:, None, None]
    return SkeletonSequence(
        joints.astype(np.float32), CASIA14, 15.0, np.array(segment or [0] * frames), session[0], session
    )


def first_frames(samples: Samples) -> list[float]:
    return [float(frame) for block in samples.blocks() for frame in block[:, 0, 0, 0]]


def test_clips_follow_one_another_within_stretches() -> None:
    walks = [numbered(10, "a_1"), numbered(3, "b_1", first=100), numbered(9, "b_2", [0] * 5 + [1] * 4, first=200)]
    samples = Samples.of(walks, "clip", 4, 99)
    assert first_frames(samples) == [0, 4, 200, 205]
    assert samples.walk.tolist() == [0, 0, 2, 2]
    assert samples.identities.tolist() == ["a", "a", "b", "b"]
    assert samples.sessions.tolist() == ["a_1", "a_1", "b_2", "b_2"]
    vectors = np.arange(8.0).reshape(4, 2)
    assert samples.mean_of_clips(vectors) is vectors
    with pytest.raises(DatasetError, match="one clip of 20 frames"):
        Samples.of(walks, "clip", 20, 1)


def test_a_track_is_one_sample_and_the_mean_of_its_overlapping_clips() -> None:
    samples = Samples.of([numbered(8, "a_1"), numbered(5, "b_1", first=100)], "track", 4, 2)
    assert [block.shape for block in samples.blocks()] == [(1, 8, 14, 3), (1, 5, 14, 3)]
    assert samples.owner.tolist() == [0, 0, 0, 1, 1]
    starts = samples.clips.take(np.arange(5))[:, 0, 0, :1].numpy()
    assert starts.ravel().tolist() == [0, 2, 4, 100, 101]
    assert samples.mean_of_clips(starts).ravel().tolist() == [2, 100.5]
    with pytest.raises(DatasetError, match="walk b_1: 5 frames, 6 are needed"):
        Samples.of([numbered(8, "a_1"), numbered(5, "b_1")], "track", 6, 2)


@pytest.mark.parametrize("level", ["clip", "track"])
def test_thinning_keeps_samples_whole_and_spread(level: str) -> None:
    walks = [numbered(8 + n, f"{n}_1", first=100 * n) for n in range(9)]
    samples = Samples.of(walks, level, 4, 2)  # type: ignore[arg-type]
    few = samples.thinned(5)
    assert len(few) == 5
    assert first_frames(few)[0] == first_frames(samples)[0]
    assert first_frames(few)[-1] == first_frames(samples)[-1]
    vectors = samples.clips.take(np.arange(len(samples.clips)))[:, 0, 0, :1].numpy()
    theirs = few.clips.take(np.arange(len(few.clips)))[:, 0, 0, :1].numpy()
    kept = [number for number, place in enumerate(first_frames(samples)) if place in first_frames(few)]
    assert few.mean_of_clips(theirs).tolist() == samples.mean_of_clips(vectors)[kept].tolist()
    assert samples.thinned(1000) is samples


def test_tracks_of_one_session_are_samples_of_their_own() -> None:
    samples = Samples.of([numbered(8, "a_1"), numbered(5, "a_1", first=100)], "track", 4, 2)
    assert samples.owner.tolist() == [0, 0, 0, 1, 1]
    assert samples.sessions.tolist() == ["a_1", "a_1"]


def test_clips_of_sequences_of_one_session_are_each_their_own_sequences() -> None:
    walks = [numbered(8, "a_1"), numbered(8, "a_1", first=100), numbered(4, "b_1", first=200), numbered(4, "c_1")]
    samples = Samples.of(walks, "clip", 4, 99)
    assert samples.walk.tolist() == [0, 0, 1, 1, 2, 3]
    assert samples.identities.tolist() == ["a", "a", "a", "a", "b", "c"]
    assert samples.sessions.tolist() == ["a_1"] * 4 + ["b_1", "c_1"]
