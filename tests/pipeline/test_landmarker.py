"""What one body leaves behind in a landmarker must not be taken for the next one's."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PoseError
from pipeline.landmarker import FreshVisibility, Landmarker
from pipeline.places import cache_dir
from pipeline.settings import VideoSettings
from pipeline.video import open_video

MODEL = cache_dir() / "models" / "pose_landmarker_full.task"
SAMPLE = Path(__file__).resolve().parents[2] / "sample_videos/people/Alva/loop.mp4"


def low_pass(raw: np.ndarray) -> np.ndarray:
    """(T, N) -> (T, N), each row a tenth of its own and nine tenths of the one before, as MediaPipe filters."""
    told = [raw[0]]
    for row in raw[1:]:
        told.append(0.1 * row + 0.9 * told[-1])
    return np.array(told, np.float32)


def test_within_one_body_visibilities_are_what_mediapipe_tells() -> None:
    told = low_pass(np.random.default_rng(1).uniform(0, 1, (40, 33)))
    fresh = FreshVisibility()
    np.testing.assert_allclose([fresh(row) for row in told], told, atol=1e-5)


def test_the_next_body_is_as_visible_as_if_it_were_the_first() -> None:
    generator = np.random.default_rng(2)
    hidden, clear = generator.uniform(0, 0.3, (30, 33)), generator.uniform(0.8, 1.0, (30, 33))
    told = low_pass(np.concatenate([hidden, clear]))
    assert told[30:35].max() < 0.7
    fresh = FreshVisibility()
    for row in told[:30]:
        fresh(row)
    fresh.begin()
    assert fresh.is_new
    np.testing.assert_allclose([fresh(row) for row in told[30:]], low_pass(clear), atol=1e-5)


@pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache")
def test_a_landmarker_finds_somebody_as_one_that_never_saw_anybody_else() -> None:
    with open_video(SAMPLE, VideoSettings()) as video:
        frame = next(frame for frame in video if frame.index == 30).rgb
    with Landmarker(MODEL, 0.5) as first, Landmarker(MODEL, 0.5) as second:
        whole = first(frame, 0.0)
        assert whole is not None
        half = frame.copy()
        half[int((whole.box[1] + whole.box[3]) / 2) :] = 90
        hidden = [second(half, k / 10) for k in range(20)][-1]
        assert hidden is not None
        assert hidden.visibility[27] < whole.visibility[27] - 0.2
        assert second(np.zeros((64, 64, 3), np.uint8), 2.0) is None
        again = second(frame, 2.1)
    assert again is not None
    np.testing.assert_allclose(again.visibility, whole.visibility, atol=1e-4)
    np.testing.assert_allclose(again.image, whole.image, atol=0.01)
    np.testing.assert_allclose(again.world, whole.world, atol=0.003)


@pytest.mark.skipif(not MODEL.exists(), reason="the pose model is not in the cache")
def test_what_mediapipe_fails_on_is_told_in_one_line_and_its_landmarker_can_be_closed() -> None:
    landmarker = Landmarker(MODEL, 0.5)
    with pytest.raises(PoseError, match=r"failed 2\.50 s into the clip \(.+\): convert the clip") as told:
        landmarker(np.zeros((0, 64, 3), np.uint8), 2.5)
    assert "\n" not in str(told.value)
    with pytest.raises(PoseError, match="Graph has errors"):
        landmarker(np.zeros((64, 64, 3), np.uint8), 3.0)
    landmarker.close()
    landmarker.close()
