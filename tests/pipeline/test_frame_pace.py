"""Which frames are used: enough of them at any rate, by their times, and no more than that."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.pace import LONGEST, paced


def used(times: list[float], stride: int | None = None) -> list[int]:
    given = list(paced([(f"frame {number}", time) for number, time in enumerate(times)], stride))
    assert all(frame == f"frame {number}" and time == times[number] for frame, time, number in given)
    return [number for _, _, number in given]


@pytest.mark.parametrize("unit", [1e-6, 1e-3])  # times are exact, or whole milliseconds as in .mkv
@pytest.mark.parametrize(
    ("fps", "every"),
    [(1, 1), (10, 1), (15, 1), (24, 1), (25, 1), (29.4, 2), (29.97, 2), (30, 2), (48, 3), (50, 3), (59.94, 4), (60, 4),
     (120, 8)],
)  # fmt: skip
def test_a_steady_rate_is_divided_as_far_as_enough_frames_are_left(fps: float, every: int, unit: float) -> None:
    times = [round(number / fps / unit) * unit for number in range(241)]
    assert used(times) == list(range(0, 241, every))


def test_where_the_rate_changes_enough_frames_are_left_throughout() -> None:
    times = np.cumsum(np.repeat([1 / 60, 1 / 25, 1 / 120, 1 / 10], 100)).tolist()
    numbers = used(times)
    assert all(b == a + 1 or times[b] - times[a] <= LONGEST for a, b in pairwise(numbers))
    counts = np.histogram(numbers, [0, 100, 200, 300, 400])[0]
    np.testing.assert_allclose(counts, [25, 100, 12.5, 100], atol=2)


def test_no_time_is_left_out_however_unevenly_frames_come() -> None:
    for seed in range(20):
        times = np.cumsum(np.random.default_rng(seed).exponential(0.03, 300)).tolist()
        numbers = used(times)
        assert (numbers[0], numbers[-1]) == (0, 299)
        assert all(b == a + 1 or times[b] - times[a] <= LONGEST for a, b in pairwise(numbers))
        assert all(times[b] - times[a] > LONGEST for a, b in zip(numbers, numbers[2:], strict=False) if b < 299)


def test_a_stride_counts_whatever_the_times() -> None:
    times = np.cumsum(np.random.default_rng(2).uniform(0.001, 0.2, 50)).tolist()
    assert used(times, 7) == list(range(0, 50, 7))
    assert used(times, 1) == list(range(50))
    assert used([], 7) == used([]) == []
    assert used([0.0]) == [0]
