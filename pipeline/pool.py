"""A few worker processes, each given one task at a time, so that one that dies or hangs takes only its task with it.

`concurrent.futures` breaks the whole pool when a process dies and cannot say whose task did it; here each worker has
its own pipe, the parent knows what it is at and hears whether it gets on, and puts a new one in its place.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.errors import UserError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

Alive = Callable[[], None]
"""What a task calls, as often as it likes, to say that it gets on."""

Make = Callable[[], Callable[[Any, Alive], Any]]
"""Called once in every worker; gives the function that does the tasks. Picklable: a module's function, or a partial."""

TRIES = 2
"""How often a task is begun that its workers do not survive; and how many workers in a row may be lost at the start."""

_START = 120.0  # seconds that a worker may take to get ready, at least
_BEAT = 0.25  # seconds between two words of a worker that gets on, and between two looks at who is silent


class WorkerDiedError(UserError):
    """The worker process was lost in the middle of its task, or killed because it got no further."""


@dataclass(frozen=True)
class Done(Generic[Task, Answer]):
    """A task's end: `answer`, or the `error` that it raised."""

    task: Task
    answer: Answer | None
    error: Exception | None


@dataclass
class _Job(Generic[Task]):
    task: Task
    lost: int = 0  # workers, so far


@dataclass(eq=False)
class _Worker(Generic[Task]):
    process: SpawnProcess
    pipe: "Connection[Any, Any]"
    ready: bool = False
    job: _Job[Task] | None = None
    silent: float = 0.0  # seconds
    overdue: bool = False


def run_tasks(tasks: Iterable[Task], make: Make, workers: int, patience: float) -> Iterator[Done[Task, Any]]:
    """Do every task in one of `workers` processes; their ends as they come, in no fixed order.

    patience: seconds without a call of `Alive` after which a worker is killed. A task whose worker is lost is begun
    once more, by another worker and after all other tasks; lost again, that is its `error`, as is an exception in it.
    Raises what `make` raises, and UserError where workers cannot start. Leaving the iteration early ends the processes.
    """
    waiting = [_Job(task) for task in tasks][::-1]
    threads = max(1, usable_cores() // workers)
    pool: list[_Worker[Task]] = []
    stillborn = 0
    try:
        while waiting or any(worker.job is not None for worker in pool):
            busy = sum(worker.job is not None for worker in pool)
            while len(pool) < min(workers, busy + len(waiting)):
                pool.append(_start(make, threads))
            for worker in pool:
                if worker.ready and worker.job is None and waiting:
                    worker.job = waiting.pop()
                    _send(worker, worker.job.task)
            for worker in _speaking(pool, patience):
                kind, value = _receive(worker, patience)
                if kind == "lost":
                    pool.remove(worker)
                    worker.pipe.close()
                    stillborn = 0 if worker.ready else stillborn + 1
                    _refuse_stillborn(worker, stillborn, value)
                if worker.job is None or kind not in ("answer", "error", "lost"):
                    continue
                job, worker.job = worker.job, None
                job.lost += kind == "lost"
                if kind == "lost" and job.lost < TRIES:
                    waiting.insert(0, job)
                else:
                    yield _end(job.task, kind, value)
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


def _speaking(pool: "list[_Worker[Any]]", patience: float) -> "list[_Worker[Any]]":
    """The workers that have something to say; kills those that have been silent for too long over their work.

    No round counts for more than `_BEAT`, so that nobody is blamed for the time for which this process itself was
    stopped, or busy elsewhere.
    """
    began = time.monotonic()
    pipes = {worker.pipe: worker for worker in pool}
    speaking = [pipes[pipe] for pipe in wait(list(pipes), _BEAT)]  # type: ignore[index]
    passed = min(time.monotonic() - began, _BEAT)
    for worker in pool:
        idle = worker.ready and worker.job is None
        worker.silent = 0.0 if idle or worker in speaking else worker.silent + passed
        if worker.silent > (patience if worker.ready else max(patience, _START)):
            worker.overdue = True
            worker.process.kill()  # its pipe ends, which the next round meets
    return speaking


def _receive(worker: "_Worker[Any]", patience: float) -> tuple[str, Any]:
    """What a worker says: "ready" or "alive"; its task's "answer" or "error"; at its end "lost", and how.

    Raises what keeps it from getting ready.
    """
    try:
        kind, value = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return "lost", f"no progress for {patience:g} s" if worker.overdue else _how(worker.process.exitcode)
    if kind == "unable":
        raise value
    worker.ready = True
    return kind, value


def _refuse_stillborn(worker: "_Worker[Any]", count: int, how: str) -> None:
    """One worker killed at its start is bad luck; one that ends of itself, or one after another, would never end."""
    if count == TRIES or (count and (worker.process.exitcode or 0) >= 0):
        raise UserError(
            f"a worker process could not start ({how}): in a script, call this under `if __name__ == '__main__':`"
        )


def _end(task: Any, kind: str, value: Any) -> Done[Any, Any]:
    if kind == "answer":
        return Done(task, value, None)
    return Done(
        task, None, WorkerDiedError(f"its worker process was lost twice ({value})") if kind == "lost" else value
    )


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"{names.get(-code, -code)}; too little memory, or a fault in a video library"
    return f"exit code {code}"


def _stop(worker: "_Worker[Any]") -> None:
    worker.pipe.close()
    worker.process.kill()  # which also ends one that is stopped; it has nothing to tidy up
    worker.process.join()


def _work(pipe: "Connection[Any, Any]", make: Make, threads: int) -> None:
    """The worker's life. It ends with the parent's, at whose end of the pipe there is nobody then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with suppress(OSError):  # where memory runs out, a worker is to go, not the parent, which can replace it
        Path("/proc/self/oom_score_adj").write_text("500")
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
            answer = ("answer", do(task, _alive(pipe)))
        except Exception as error:  # handed to the parent, which reports it beside the task
            answer = ("error", _sendable(error))
        pipe.send(answer)


def _alive(pipe: "Connection[Any, Any]") -> Alive:
    """Tells the parent that the task gets on, now and then; where nobody listens any more, it ends the task."""
    said = time.monotonic()

    def alive() -> None:
        nonlocal said
        if time.monotonic() - said >= _BEAT:
            said = time.monotonic()
            pipe.send(("alive", None))

    return alive


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
