"""Workers, each given one task at a time, so that one that dies or hangs takes only its task with it.

Who does what, who has been silent for too long and what is tried again is settled here, the same for every `Crew`,
which knows where its workers are: processes of this machine (`pool`) or of a cluster's (`ray_engine`).
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from pipeline.errors import UserError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

Alive = Callable[[], None]
"""What a task calls, as often as it likes, to say that it gets on."""

Make = Callable[[], Callable[[Any, Alive], Any]]
"""Called once in every worker; gives the function that does the tasks. Picklable: a module's function, or a partial."""

TRIES = 2
"""How often a task is begun that its workers do not survive; and how many workers in a row may be lost at the start."""

MOVES = 4
"""How often a task is begun whose machine is lost, for which no task is blamed unless it happens again and again."""

BEAT = 0.25
"""Seconds between two words of a worker that gets on, and between two looks at who is silent."""

_START = 120.0  # seconds that a worker may take to get ready, at least


class WorkerDiedError(UserError):
    """The worker process was lost in the middle of its task, or killed because it got no further."""


@dataclass(frozen=True)
class Done(Generic[Task, Answer]):
    """A task's end: `answer`, or the `error` that it raised."""

    task: Task
    answer: Answer | None
    error: Exception | None


class Engine(Protocol):
    """Does every task, somewhere; see `work_through` for what it gives and raises. workers: at most so many; None for
    what suits the place."""

    def __call__(
        self, tasks: Sequence[str], make: Make, workers: int | None, patience: float
    ) -> Generator[Done[str, Any], None, None]: ...


@dataclass(frozen=True)
class Loss:
    """How a worker was lost. hopeless: had it not been ready yet, another would not get ready either. machine: it went
    with the machine that it was on."""

    how: str
    hopeless: bool = False
    machine: bool = False


@dataclass
class _Job:
    task: Any
    lost: int = 0  # workers, so far
    moved: int = 0  # machines, so far

    @property
    def may_go_on(self) -> bool:
        return self.lost < TRIES and self.moved < MOVES


@dataclass(eq=False, kw_only=True)
class Worker:
    """What is known of a worker; a crew adds how to reach it. away: its silence means nothing, since it waits for a
    place, or it is not yet known what became of it."""

    away: bool = False
    ready: bool = False
    job: _Job | None = None
    silent: float = 0.0  # seconds
    overdue: bool = False


Hand = TypeVar("Hand", bound=Worker)
Kind = Literal["alive", "ready", "unable", "answer", "error", "lost"]


class Crew(Protocol[Hand]):
    """Where workers come from. advice: what to look at where none can start."""

    @property
    def advice(self) -> str: ...

    def start(self) -> Hand:
        """One more worker, which gets ready."""
        ...

    def send(self, worker: Hand, task: Any) -> None:
        """Give a task to a worker that is ready and has none; if it is lost, `hear` says so."""
        ...

    def hear(self, pool: list[Hand], seconds: float) -> Iterator[tuple[Hand, Kind, Any]]:
        """What workers say; waits until one speaks, or for `seconds`. One word of a worker at most: that it gets on
        ("alive") or is "ready"; the exception that keeps it from getting ready ("unable"); its task's "answer" or
        "error"; that it is "lost", with a `Loss`."""
        ...

    def kill(self, worker: Hand) -> None:
        """End a worker that hangs; `hear` says then that it is lost."""
        ...

    def dismiss(self, worker: Hand) -> None:
        """Let a worker go, lost, idle or at work; safe to call for one that is gone."""
        ...


def work_through(
    tasks: Iterable[Any], crew: Crew[Hand], workers: int, patience: float
) -> Generator[Done[Any, Any], None, None]:
    """Do every task with `workers` of a crew; their ends as they come, in no fixed order, one for every task.

    patience: seconds without a call of `Alive` after which a worker is killed. A task whose worker is lost is begun
    once more, by another worker and after all other tasks; lost again, that is its `error`, as is an exception in it.
    A worker has its next task only when this iteration goes on, so that no more than `workers` answers ever wait.
    Raises what `make` raises, and UserError where workers cannot start. Leaving the iteration early ends the workers.
    """
    waiting = [_Job(task) for task in tasks][::-1]
    pool: list[Hand] = []
    stillborn = 0
    try:
        while waiting or any(worker.job is not None for worker in pool):
            busy = sum(worker.job is not None for worker in pool)
            while len(pool) < min(workers, busy + len(waiting)):
                pool.append(crew.start())
            for worker in pool:
                if worker.ready and worker.job is None and waiting:
                    worker.job = waiting.pop()
                    crew.send(worker, worker.job.task)
            for worker, kind, value in _speaking(crew, pool, patience):
                if kind == "unable":
                    raise value
                worker.ready = worker.ready or kind in ("ready", "answer", "error")
                if kind == "lost":
                    pool.remove(worker)
                    crew.dismiss(worker)
                    value = Loss(f"no progress for {patience:g} s") if worker.overdue else value
                    stillborn = 0 if worker.ready or value.machine else stillborn + 1
                    _refuse_stillborn(crew, stillborn, value)
                if worker.job is None or kind not in ("answer", "error", "lost"):
                    continue
                job, worker.job = worker.job, None
                if kind == "lost":
                    job.moved += value.machine
                    job.lost += not value.machine
                    if job.may_go_on:
                        waiting.insert(0, job)
                        continue
                yield _end(job, kind, value)
    finally:
        for worker in pool:
            crew.dismiss(worker)


def sendable(error: Exception) -> Exception:
    """An error as a worker hands it to its parent: one that a user can meet as it is, any other as one line."""
    return (
        error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {' '.join(str(error).split())}")
    )


def _speaking(crew: Crew[Hand], pool: list[Hand], patience: float) -> list[tuple[Hand, Kind, Any]]:
    """The words of this round; kills those that have been silent for too long over their work.

    No round counts for more than `BEAT`, so that nobody is blamed for the time for which this process itself was
    stopped, or busy elsewhere.
    """
    began = time.monotonic()
    words = list(crew.hear(pool, BEAT))
    passed = min(time.monotonic() - began, BEAT)
    speaking = [worker for worker, _, _ in words]
    for worker in pool:
        idle = worker.away or (worker.ready and worker.job is None)
        worker.silent = 0.0 if idle or worker in speaking else worker.silent + passed
        if worker.silent > (patience if worker.ready else max(patience, _START)) and not worker.overdue:
            worker.overdue = True
            crew.kill(worker)
    return words


def _refuse_stillborn(crew: Crew[Any], count: int, loss: Loss) -> None:
    """One worker killed at its start is bad luck; one that ends of itself, or one after another, would never end."""
    if count == TRIES or (count and loss.hopeless):
        raise UserError(f"a worker process could not start ({loss.how}): {crew.advice}")


def _end(job: _Job, kind: Kind, value: Any) -> Done[Any, Any]:
    if kind == "answer":
        return Done(job.task, value, None)
    if kind == "lost":
        whose = "its machine was lost four times" if job.moved == MOVES else "its worker process was lost twice"
        value = WorkerDiedError(f"{whose} ({value.how})")
    return Done(job.task, None, value)
