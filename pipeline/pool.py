"""The crew that a run has unless told otherwise: a few processes on this machine.

`concurrent.futures` breaks the whole pool when a process dies and cannot say whose task did it; here each worker has
its own pipe, the parent knows what it is at and hears whether it gets on, and puts a new one in its place.
"""

import multiprocessing
import signal
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pipeline.cores import keep_to, usable_cores
from pipeline.crew import BEAT, Alive, Done, Kind, Loss, Make, Worker, sendable, work_through


def run_tasks(
    tasks: Sequence[Any], make: Make, workers: int | None, patience: float
) -> Generator[Done[Any, Any], None, None]:
    """Do every task in one of `workers` processes, by default one for every two cores; see `work_through`."""
    count = min(workers or max(1, usable_cores() // 2), max(1, len(tasks)))
    return work_through(tasks, _Processes(make, max(1, usable_cores() // count)), count, patience)


@dataclass(eq=False, kw_only=True)
class _Process(Worker):
    process: SpawnProcess
    pipe: "Connection[Any, Any]"


@dataclass(frozen=True)
class _Processes:
    """threads: for each of them."""

    make: Make
    threads: int
    advice: str = "in a script, call this under `if __name__ == '__main__':`"

    def start(self) -> _Process:
        # Spawned, not forked: a fork would copy threads' locks and a GPU context that cannot be shared.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.make, self.threads), name="reid worker", daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the worker does
        return _Process(process=process, pipe=ours)

    def send(self, worker: _Process, task: Any) -> None:
        # One that has just died cannot take it: `hear` meets the end of its pipe and says so.
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send(task)

    def hear(self, pool: list[_Process], seconds: float) -> Iterator[tuple[_Process, Kind, Any]]:
        pipes = {worker.pipe: worker for worker in pool}
        for pipe in wait(list(pipes), seconds):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                kind, value = worker.pipe.recv()
            except (EOFError, OSError):  # the latter where it ended in the middle of a word
                worker.process.join()
                code = worker.process.exitcode or 0
                kind, value = "lost", Loss(_how(code), hopeless=code >= 0)
            yield worker, kind, value

    def kill(self, worker: _Process) -> None:
        worker.process.kill()  # its pipe ends, which the next round meets

    def dismiss(self, worker: _Process) -> None:
        worker.pipe.close()
        worker.process.kill()  # which also ends one that is stopped; it has nothing to tidy up
        worker.process.join()


def _how(code: int) -> str:
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"{names.get(-code, -code)}; too little memory, or a fault in a video library"
    return f"exit code {code}"


def _work(pipe: "Connection[Any, Any]", make: Make, threads: int) -> None:
    """The worker's life. It ends with the parent's, at whose end of the pipe there is nobody then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with suppress(OSError):  # where memory runs out, a worker is to go, not the parent, which can replace it
        Path("/proc/self/oom_score_adj").write_text("500")
    keep_to(threads)
    with suppress(EOFError, OSError):
        _serve(pipe, make, threads)


def _serve(pipe: "Connection[Any, Any]", make: Make, threads: int) -> None:
    """Get ready, then a task, an answer, a task …"""
    try:
        do = make()
        keep_to(threads)  # what has been loaded by now as well
    except Exception as error:  # handed to the parent, which raises it
        pipe.send(("unable", sendable(error)))
        return
    pipe.send(("ready", None))
    while True:
        task = pipe.recv()
        try:
            answer = ("answer", do(task, _alive(pipe)))
        except Exception as error:  # handed to the parent, which reports it beside the task
            answer = ("error", sendable(error))
        pipe.send(answer)


def _alive(pipe: "Connection[Any, Any]") -> Alive:
    """Tells the parent that the task gets on, now and then; where nobody listens any more, it ends the task."""
    said = time.monotonic()

    def alive() -> None:
        nonlocal said
        if time.monotonic() - said >= BEAT:
            said = time.monotonic()
            pipe.send(("alive", None))

    return alive
