"""A few worker processes, each given one task at a time, so that one that dies takes only its own task with it.

`concurrent.futures` breaks the whole pool when a process dies and cannot say whose task did it; here each worker has
its own pipe, the parent knows what it is at, and puts a new one in its place.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from pipeline.errors import UserError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

Make = Callable[[], Callable[[Any], Any]]
"""Called once in every worker; gives the function that does the tasks. Picklable: a module's function, or a partial."""


class WorkerDiedError(UserError):
    """The worker process ended in the middle of its task."""


@dataclass(frozen=True)
class Done(Generic[Task, Answer]):
    """A task's end: `answer`, or the `error` that it raised."""

    task: Task
    answer: Answer | None
    error: Exception | None


@dataclass
class _Worker(Generic[Task]):
    process: SpawnProcess
    pipe: "Connection[Any, Any]"
    ready: bool = False
    task: Task | None = None


def run_tasks(tasks: Iterable[Task], make: Make, workers: int) -> Iterator[Done[Task, Any]]:
    """Do every task in one of `workers` processes; their ends as they come, in no fixed order.

    An exception in a task, and the death of its worker, are that task's `error`. Raises what `make` raises, and
    UserError where a worker cannot start at all. Leaving the iteration early ends the processes.
    """
    waiting = list(tasks)[::-1]
    threads = max(1, usable_cores() // workers)
    pool: list[_Worker[Task]] = []
    try:
        while waiting or any(worker.task is not None for worker in pool):
            busy = sum(worker.task is not None for worker in pool)
            while len(pool) < min(workers, busy + len(waiting)):
                pool.append(_start(make, threads))
            for worker in pool:
                if worker.ready and worker.task is None and waiting:
                    worker.task = waiting.pop()
                    _send(worker, worker.task)
            pipes = {worker.pipe: worker for worker in pool}
            for pipe in wait(list(pipes)):
                worker = pipes[pipe]  # type: ignore[index]
                done = _receive(worker)
                if worker.process.exitcode is not None:
                    pool.remove(worker)
                    worker.pipe.close()
                if done is not None:
                    yield done
    finally:
        for worker in pool:
            _stop(worker)


def usable_cores() -> int:
    """How many cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(make: Make, threads: int) -> "_Worker[Any]":
    # Spawned, not forked: a fork would copy threads' locks and a GPU context that cannot be shared.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, make, threads), name="reid worker", daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends when the worker does
    return _Worker(process, ours)


def _send(worker: "_Worker[Any]", task: Any) -> None:
    # One that has just died cannot take it: `_receive` meets the end of its pipe and says so.
    with suppress(BrokenPipeError, ConnectionResetError):
        worker.pipe.send(task)


def _receive(worker: "_Worker[Any]") -> Done[Any, Any] | None:
    try:
        kind, value = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        how = _how(worker.process.exitcode)
        if not worker.ready:
            raise UserError(
                f"a worker process could not start ({how}): in a script, call this under `if __name__ == '__main__':`"
            ) from None
        task, worker.task = worker.task, None
        return None if task is None else Done(task, None, WorkerDiedError(f"the worker process was lost ({how})"))
    if kind == "ready":
        worker.ready = True
        return None
    if kind == "unable":
        raise value
    task, worker.task = worker.task, None
    return Done(task, value, None) if kind == "answer" else Done(task, None, value)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"{names.get(-code, -code)}; too little memory, or a fault in a video library"
    return f"exit code {code}"


def _stop(worker: "_Worker[Any]") -> None:
    worker.pipe.close()
    worker.process.terminate()
    worker.process.join()


def _work(pipe: "Connection[Any, Any]", make: Make, threads: int) -> None:
    """The worker's life. It ends with the parent's, at whose end of the pipe there is nobody then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    with suppress(EOFError, OSError):
        _serve(pipe, make, threads)


def _serve(pipe: "Connection[Any, Any]", make: Make, threads: int) -> None:
    """Get ready, then a task, an answer, a task …"""
    try:
        do = make()
        _share_cores(threads)
    except Exception as error:  # handed to the parent, which raises it
        pipe.send(("unable", _sendable(error)))
        return
    pipe.send(("ready", None))
    while True:
        task = pipe.recv()
        try:
            answer = ("answer", do(task))
        except Exception as error:  # handed to the parent, which reports it beside the task
            answer = ("error", _sendable(error))
        pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    return (
        error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {' '.join(str(error).split())}")
    )


def _share_cores(threads: int) -> None:
    """Keep what has been loaded by now to its share; libraries loaded later read the environment."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        torch.set_num_threads(threads)
    if cv2 is not None:
        cv2.setNumThreads(threads)
