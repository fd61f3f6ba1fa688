"""Workers that compute, fail and die; what is left is always told apart by task."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.cores import share_of_cores, usable_cores
from pipeline.crew import Alive, Done, WorkerDiedError
from pipeline.errors import PoseModelError, UserError
from pipeline.pool import run_tasks

PATIENCE = 60.0


def make(factor: int) -> Callable[[int, Alive], tuple[int, int]]:
    threads = share_of_cores()

    def do(task: int, alive: Alive) -> tuple[int, int]:
        if task == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if task == 14:
            raise ValueError("of no\nuse")
        if task == 99:
            time.sleep(60)
        return factor * task, threads

    return do


def unable() -> Callable[[int, Alive], int]:
    raise PoseModelError("the pose model cannot be reached")


def exits() -> Callable[[int, Alive], int]:
    os._exit(3)


def test_every_task_ends_and_a_death_is_one_tasks_own() -> None:
    tasks = [1, 13, 2, 14, 3, 13, 4]
    ends = list(run_tasks(tasks, partial(make, 10), 2, PATIENCE))
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


def note(folder: Path, task: str) -> int:
    """One more try of `task`, by this process; how many there are now."""
    with (folder / task).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(tries(folder, task))


def tries(folder: Path, task: str) -> list[str]:
    return (folder / task).read_text().split()


def troubled(folder: Path) -> Callable[[str, Alive], str]:
    """Fine at the second try, or never; what each task does is its name."""

    def do(task: str, alive: Alive) -> str:
        count = note(folder, task)
        kind, _, when = task.partition(" ")
        if count == 1 or when == "always":
            if kind == "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            if kind == "leaves":
                os._exit(7)
            if kind == "hangs":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
                time.sleep(1000)
        if kind == "slow":
            for _ in range(40):
                time.sleep(0.1)
                alive()
        return Path("/proc/self/oom_score_adj").read_text().strip()

    return do


def test_what_workers_do_not_survive_is_tried_once_more_and_then_told(tmp_path: Path) -> None:
    tasks = [f"{kind} {when}" for kind in ("segfault", "leaves", "hangs") for when in ("once", "always")]
    tasks += ["fine", "slow"]
    ends: dict[str, Done[str, str]] = {}
    for end in run_tasks(tasks, partial(troubled, tmp_path), 2, patience=2.0):
        assert end.task not in ends
        ends[end.task] = end
    assert sorted(ends) == sorted(tasks)
    told = {task: str(end.error) for task, end in ends.items() if end.error is not None}
    how = {
        "segfault always": "SIGSEGV; too little memory, or a fault in a video library",
        "leaves always": "exit code 7",
        "hangs always": "no progress for 2 s",
    }
    assert told == {task: f"its worker process was lost twice ({why})" for task, why in how.items()}
    assert all(isinstance(ends[task].error, WorkerDiedError) for task in told)
    for task in tasks:
        seen = tries(tmp_path, task)
        assert len(seen) == len(set(seen)) == (2 if " " in task else 1)  # each by a worker of its own
    assert ends["fine"].answer == "500"  # workers go before the parent where memory runs out


def dies_as_it_answers(folder: Path) -> Callable[[str, Alive], bytes]:
    """Killed at the first try of "large", while its answer, more than a pipe holds, waits to be taken."""

    def do(task: str, alive: Alive) -> bytes:
        if task == "large" and note(folder, task) == 1:
            while not (folder / "nobody listens").exists():
                time.sleep(0.05)
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return bytes(5_000_000)

    return do


def test_a_worker_killed_in_the_middle_of_its_answer_is_lost_like_any_other(tmp_path: Path) -> None:
    ends = run_tasks(["large", "fine"], partial(dies_as_it_answers, tmp_path), 2, PATIENCE)
    assert next(ends).task == "fine"
    (tmp_path / "nobody listens").touch()
    while len(multiprocessing.active_children()) == 2:
        time.sleep(0.05)
    assert next(ends) == Done("large", bytes(5_000_000), None)
    assert len(tries(tmp_path, "large")) == 2


def starts_badly(folder: Path, times: int) -> Callable[[int, Alive], int]:
    if note(folder, "start") <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return lambda task, alive: task


def test_a_worker_killed_at_its_start_is_replaced_but_not_for_ever(tmp_path: Path) -> None:
    (end,) = run_tasks([5], partial(starts_badly, tmp_path, 1), 1, PATIENCE)
    assert end.answer == 5
    with pytest.raises(UserError, match="could not start \\(SIGKILL"):
        list(run_tasks([5], partial(starts_badly, tmp_path, 9), 1, PATIENCE))
    assert len(tries(tmp_path, "start")) == 4


def test_nobody_is_blamed_for_the_time_that_the_parent_was_away(tmp_path: Path) -> None:
    ends = run_tasks(["fine", "slow"], partial(troubled, tmp_path), 1, patience=2.0)
    assert next(ends).task == "fine"
    time.sleep(3)
    assert next(ends).error is None


def test_no_tasks_no_workers() -> None:
    assert list(run_tasks([], exits, 2, PATIENCE)) == []


def test_a_worker_that_cannot_get_ready_ends_it_all() -> None:
    with pytest.raises(PoseModelError, match="cannot be reached"):
        list(run_tasks([1, 2], unable, 1, PATIENCE))
    with pytest.raises(UserError, match="could not start \\(exit code 3\\)"):
        list(run_tasks([1, 2], exits, 1, PATIENCE))


def test_leaving_early_ends_the_workers() -> None:
    began = time.monotonic()
    ends = run_tasks([1, 99, 99], partial(make, 1), 2, PATIENCE)
    assert next(ends).task == 1
    ends.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 20
