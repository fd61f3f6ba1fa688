"""Who is tried again and who is blamed, with workers that are only a script."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.crew import MOVES, Done, Kind, Loss, Worker, work_through
from pipeline.errors import UserError


class Scripted:
    """A crew whose workers say what the script has for their task: the next of its words, the last one for ever."""

    advice = "look there"

    def __init__(self, script: dict[str, list[tuple[Kind, Any]]], ready: Kind = "ready") -> None:
        self.script = script
        self.begun: list[str] = []
        self.started = self.dismissed = 0
        self._ready = ready

    def start(self) -> Worker:
        self.started += 1
        return Worker()

    def send(self, worker: Worker, task: str) -> None:
        self.begun.append(task)

    def hear(self, pool: list[Worker], seconds: float) -> Iterator[tuple[Worker, Kind, Any]]:
        for worker in pool:
            if not worker.ready:
                yield worker, self._ready, Loss("at its start", machine=False) if self._ready == "lost" else None
            elif worker.job is not None:
                words = self.script.get(worker.job.task, [("answer", worker.job.task.upper())])
                kind, value = words.pop(0) if len(words) > 1 else words[0]
                yield worker, kind, value

    def kill(self, worker: Worker) -> None:
        raise AssertionError("nobody hangs here")

    def dismiss(self, worker: Worker) -> None:
        self.dismissed += 1


def ends(crew: Scripted, *tasks: str, workers: int = 2) -> dict[str, Done[str, str]]:
    told = list(work_through(tasks, crew, workers, patience=60))
    assert len(told) == len({end.task for end in told})
    assert crew.dismissed == crew.started
    return {end.task: end for end in told}


GONE: tuple[Kind, Any] = ("lost", Loss("the machine is gone", machine=True))
DIED: tuple[Kind, Any] = ("lost", Loss("SIGSEGV"))


def test_nobody_is_blamed_for_a_machine_until_it_happens_again_and_again() -> None:
    moves = [GONE] * (MOVES - 1)
    crew = Scripted({"moved": [*moves, ("answer", "done")], "harms": [GONE], "both": [GONE, DIED, ("answer", "done")]})
    told = ends(crew, "moved", "harms", "both", "plain")
    assert {task: end.answer for task, end in told.items()} == {
        "moved": "done", "harms": None, "both": "done", "plain": "PLAIN",
    }  # fmt: skip
    assert str(told["harms"].error) == "its machine was lost four times (the machine is gone)"
    assert crew.begun.count("moved") == crew.begun.count("harms") == MOVES
    assert crew.begun.count("plain") == 1


def test_a_death_that_is_not_the_machines_counts_against_the_task() -> None:
    crew = Scripted({"dies": [DIED], "mixed": [DIED, GONE, DIED, ("answer", "never")]})
    told = ends(crew, "dies", "mixed", "plain")
    for task in ("dies", "mixed"):
        assert str(told[task].error) == "its worker process was lost twice (SIGSEGV)"
    assert crew.begun[-1] != "plain"  # what was lost comes last of all


def test_workers_lost_one_after_another_at_their_start_end_the_run() -> None:
    crew = Scripted({}, ready="lost")
    with pytest.raises(UserError, match=r"could not start \(at its start\): look there"):
        list(work_through(["a"], crew, 1, patience=60))
    assert crew.started == crew.dismissed == 2


def test_a_worker_has_its_next_task_only_when_its_answer_was_taken() -> None:
    crew = Scripted({})
    told = work_through(["a", "b", "c", "d"], crew, 2, patience=60)
    for taken in range(1, 5):
        next(told)
        assert len(crew.begun) <= taken + 1
    assert list(told) == []
