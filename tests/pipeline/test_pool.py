"""Workers that compute, fail and die; what is left is always told apart by task."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from pipeline.errors import PoseModelError, UserError
from pipeline.pool import WorkerDiedError, run_tasks, usable_cores


def make(factor: int) -> Callable[[int], tuple[int, int]]:
    threads = int(os.environ["OMP_NUM_THREADS"])

    def do(task: int) -> tuple[int, int]:
        if task == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if task == 14:
            raise ValueError("of no\nuse")
        if task == 99:
            time.sleep(60)
        return factor * task, threads

    return do


def unable() -> Callable[[int], int]:
    raise PoseModelError("the pose model cannot be reached")


def exits() -> Callable[[int], int]:
    os._exit(3)


def test_every_task_ends_and_a_death_is_one_tasks_own() -> None:
    tasks = [1, 13, 2, 14, 3, 13, 4]
    ends = list(run_tasks(tasks, partial(make, 10), 2))
    assert sorted(end.task for end in ends) == sorted(tasks)
    share = max(1, usable_cores() // 2)
    for end in ends:
        if end.task == 13:
            assert isinstance(end.error, WorkerDiedError)
            assert "SIGKILL" in str(end.error)
        elif end.task == 14:
            assert str(end.error) == "ValueError: of no use"
        else:
            assert end.answer == (10 * end.task, share)
            assert end.error is None


def test_no_tasks_no_workers() -> None:
    assert list(run_tasks([], exits, 2)) == []


def test_a_worker_that_cannot_get_ready_ends_it_all() -> None:
    with pytest.raises(PoseModelError, match="cannot be reached"):
        list(run_tasks([1, 2], unable, 1))
    with pytest.raises(UserError, match="could not start \\(exit code 3\\)"):
        list(run_tasks([1, 2], exits, 1))


def test_leaving_early_ends_the_workers() -> None:
    began = time.monotonic()
    ends = run_tasks([1, 99, 99], partial(make, 1), 2)
    assert next(ends).task == 1
    ends.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 20
