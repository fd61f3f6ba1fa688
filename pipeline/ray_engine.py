"""The crew of a run on a Ray cluster: workers on any of its machines, and an encoder on each of its GPUs.

Only this file knows Ray, and it is imported only where `--engine ray` asks for it. A worker is an actor that holds one
CPU of the cluster; what it says comes back as a stream, word by word, so that the same rules as for processes of this
machine settle who hangs and what is tried again (`crew`). docs/cluster.md says what must hold on the machines.
"""

import itertools
import logging
import os
import queue
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.crew import BEAT, Alive, Done, Kind, Loss, Make, Worker, sendable, work_through
from pipeline.errors import UserError
from pipeline.probes import own_embedder
from pipeline.settings import Settings
from pipeline.templates import Embedder
from pipeline.thresholds import Thresholds
from smsge.sequence import SkeletonSequence

try:
    import ray
    from ray.exceptions import (
        ActorUnavailableError,
        ActorUnschedulableError,
        RayError,
        RayTaskError,
        RuntimeEnvSetupError,
    )
except ImportError as error:
    raise UserError("--engine ray needs Ray: pip install -c constraints.txt '.[ray]'") from error

MODULES = ("pipeline", "smsge", "configs")
"""What every worker gets of this project, from here; what it needs besides must be installed on its machine."""

_NO_CPU = 120.0  # seconds that a run waits for a cluster that has lost every CPU
_VERDICT = 60.0  # seconds that Ray may take to find out that a machine is gone, whose workers cannot be reached

Word = tuple[str, Any]


@dataclass(frozen=True)
class RayEngine:
    """Does the tasks of a run, paths of clips, on a cluster; an `Engine`.

    address: HOST:PORT of the cluster that this machine is part of; None for what RAY_ADDRESS names, the cluster that
    runs here, or else one of this machine alone that ends with the run.
    workers: by default one for every CPU of the cluster; more than these start as machines join it.
    """

    settings: Settings
    address: str | None = None

    def __call__(
        self, tasks: Sequence[str], make: Make, workers: int | None, patience: float
    ) -> Generator[Done[str, Any], None, None]:
        """See `work_through`. Raises UserError too where the cluster cannot be reached, has no CPU, or one of its
        machines does not see the clips."""
        if not tasks:
            return
        with _cluster(self.address):
            room = ray.cluster_resources()
            if room.get("CPU", 0) < 1:
                raise UserError("the Ray cluster has no CPU: start a machine with `ray start --address=…`")
            encoders = self._encoders(int(room.get("GPU", 0)))
            crew = _Actors(make, _Sample.of(tasks[0]), itertools.cycle(encoders) if encoders else None)
            yield from work_through(tasks, crew, min(workers or int(room["CPU"]), len(tasks)), patience)

    def _encoders(self, gpus: int) -> "list[_FarEmbedder]":
        """One on every GPU; none where there is none, or the settings say cpu: then a worker encodes what it posed."""
        if self.settings.encoder.device == "cpu":
            return []
        # Ray shows an actor its own GPU alone, whatever the number it has on its machine.
        settings = replace(self.settings, encoder=replace(self.settings.encoder, device="auto"))
        actor = ray.remote(num_cpus=0, num_gpus=1, max_restarts=-1, max_task_retries=1)(_Encoder)
        actors = [actor.remote(settings) for _ in range(gpus)]  # all of them load at once
        return [_FarEmbedder.on(each) for each in actors]


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Connected to the cluster; at the end every actor of this run is gone, and so is a cluster started for it."""
    if (address or os.environ.get("RAY_ADDRESS", "")).startswith("ray://"):
        raise UserError("--address ray://…: run this on a machine of the cluster, and give HOST:PORT or nothing")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is to be told about anybody's footage
    here = Path(__file__).resolve().parents[1]
    try:
        ray.init(
            address=address,
            runtime_env={"py_modules": [str(here / module) for module in MODULES]},
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise UserError(f"cannot use Ray at {where}: {_line(error)}; see `ray status` there") from error
    try:
        yield
    except RayError as error:
        raise UserError(f"the Ray cluster was lost ({_line(error)}): run this again to go on") from error
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class _Sample:
    """One of the clips, by which a machine shows that it sees the same files as this one."""

    path: str
    size: int
    folder: str

    @classmethod
    def of(cls, path: str) -> "_Sample":
        size = os.path.getsize(path) if os.path.exists(path) else -1
        return cls(path, size, os.getcwd())

    def enter(self) -> None:
        """Go where paths mean what they mean to the run. Raises UserError where the clip is not there, or another."""
        with suppress(OSError):
            os.chdir(self.folder)
        if self.size >= 0 and (not os.path.exists(self.path) or os.path.getsize(self.path) != self.size):
            where = os.path.join(self.folder, self.path)
            raise UserError(
                f"the machine {os.uname().nodename} does not see {where}:"
                " put the clips in a folder that all machines of the cluster share, under the same path"
            )


class _Hands:
    """The actor that reads clips. Its methods give words (kind, value), the last of which ends them; the work itself
    is done in one thread of its own, so that words can leave meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._do: Callable[[Any, Alive], Any]

    def begin(self, make: Make, sample: _Sample) -> Iterator[Word]:
        """Get ready; the first word says on which machine."""
        yield "alive", ray.get_runtime_context().get_node_id()

        def prepare(alive: Alive) -> None:
            sample.enter()
            self._do = make()

        for kind, value in self._words(prepare):
            yield {"answer": "ready", "error": "unable"}.get(kind, kind), value

    def work(self, task: str) -> Iterator[Word]:
        yield from self._words(lambda alive: self._do(task, alive))

    def _words(self, act: Callable[[Alive], Any]) -> Iterator[Word]:
        words: queue.SimpleQueue[Word] = queue.SimpleQueue()
        said = time.monotonic()

        def alive() -> None:
            nonlocal said
            if time.monotonic() - said >= 4 * BEAT:  # each is a message to another machine
                said = time.monotonic()
                words.put(("alive", None))

        def run() -> None:
            try:
                words.put(("answer", act(alive)))
            except Exception as error:  # handed to the parent, which tells or raises it
                words.put(("error", sendable(error)))

        self._thread.submit(run)
        word = ("alive", None)
        while word[0] == "alive":
            word = words.get()
            yield word


@dataclass(eq=False, kw_only=True)
class _Actor(Worker):
    actor: Any
    words: Any  # of what it is at, a stream; None where it is at nothing, or missing
    node: str | None = None
    missing: float | None = None  # since when it cannot be reached


@dataclass
class _Actors:
    """make: a `Make` that takes an `embedder` where there are encoders, which are given out in turn."""

    make: Callable[..., Any]
    sample: _Sample
    encoders: "Iterator[_FarEmbedder] | None"
    advice: str = "install on all machines what reid needs, see docs/cluster.md"
    without_cpu: float | None = field(default=None, init=False)  # since when

    def start(self) -> _Actor:
        make = self.make if self.encoders is None else partial(self.make, embedder=next(self.encoders))
        options = {"num_cpus": 1, "num_gpus": 0, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        actor = ray.remote(**options)(_Hands).remote()
        return _Actor(away=True, actor=actor, words=_stream(actor.begin, make, self.sample))

    def send(self, worker: _Actor, task: Any) -> None:
        worker.words = _stream(worker.actor.work, task)

    def hear(self, pool: list[_Actor], seconds: float) -> Iterator[tuple[_Actor, Kind, Any]]:
        self._refuse_without_cpu(pool)
        for worker in pool:
            if worker.missing is not None and (loss := self._verdict(worker, worker.missing)) is not None:
                yield worker, "lost", loss
        streams = {worker.words: worker for worker in pool if worker.words is not None}
        if not streams:
            time.sleep(seconds)
            return
        first, _ = ray.wait(list(streams), num_returns=1, timeout=seconds)
        spoken, _ = ray.wait(list(streams), num_returns=len(streams), timeout=0) if first else ([], [])
        for stream in spoken:
            worker = streams[stream]
            try:
                kind, value = self._word(worker)
            except ActorUnavailableError:
                worker.words, worker.missing, worker.away = None, time.monotonic(), True
                continue
            if kind != "alive":
                worker.words = None
            elif worker.node is None:
                worker.node, worker.away = value, False
            yield worker, kind, value

    def kill(self, worker: _Actor) -> None:
        ray.kill(worker.actor)

    def dismiss(self, worker: _Actor) -> None:
        with suppress(RayError, ValueError):
            ray.kill(worker.actor)

    def _word(self, worker: _Actor) -> tuple[Kind, Any]:
        try:
            kind, value = ray.get(next(worker.words))
            return kind, value
        except ActorUnavailableError:
            raise
        except RayTaskError as error:  # what it was given could not be unpacked there
            cause = UserError(f"on a machine of the cluster: {_line(error.cause)}")
            return ("error" if worker.ready else "unable"), cause
        except (RuntimeEnvSetupError, ActorUnschedulableError) as error:
            return "unable", UserError(f"the Ray cluster cannot start a worker: {_line(error)}")
        except RayError as error:  # it died, or its answer went with the machine before it was fetched
            return "lost", Loss(_line(error), machine=worker.node is not None and not _alive(worker.node))

    def _verdict(self, worker: _Actor, since: float) -> Loss | None:
        """What became of a worker that cannot be reached: Ray knows of a dead process at once, of a machine later."""
        gone = worker.node is not None and not _alive(worker.node)
        if gone or time.monotonic() - since > _VERDICT:
            return Loss("it could not be reached any more", machine=gone)
        return None

    def _refuse_without_cpu(self, pool: list[_Actor]) -> None:
        """Wait for a place as long as there is somebody or something to wait for, but not for ever."""
        if any(worker.node is not None for worker in pool) or ray.cluster_resources().get("CPU", 0) >= 1:
            self.without_cpu = None
            return
        self.without_cpu = self.without_cpu or time.monotonic()
        if time.monotonic() - self.without_cpu > _NO_CPU:
            raise UserError("the Ray cluster has lost every CPU: start a machine, and run this again to go on")


class _Encoder:
    """The actor that holds a GPU and encodes for the workers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedder: Embedder | None = None

    def facts(self) -> dict[str, Any]:
        """What a `_FarEmbedder` says of the encoder; loads it, here, so that what is wrong with it can be told."""
        embedder = self._load()
        return {
            key: getattr(embedder, key) for key in ("fingerprint", "name", "dim", "frames", "threshold", "thresholds")
        }

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        return self._load().embed(sequences)

    def _load(self) -> Embedder:
        if self._embedder is None:
            self._embedder = own_embedder(self._settings)
        return self._embedder


@dataclass(frozen=True)
class _FarEmbedder:
    """An `Embedder` whose encoder is an actor's."""

    actor: Any
    fingerprint: str
    name: str
    dim: int
    frames: int
    threshold: float
    thresholds: Thresholds

    @classmethod
    def on(cls, actor: Any) -> "_FarEmbedder":
        try:
            return cls(actor, **ray.get(actor.facts.remote()))
        except RayTaskError as error:
            raise sendable(error.cause) from error
        except RayError as error:
            raise UserError(f"the encoder on a GPU of the cluster could not start: {_line(error)}") from error

    def embed(self, sequences: list[SkeletonSequence]) -> np.ndarray:
        embedded: np.ndarray = ray.get(self.actor.embed.remote(sequences))
        return embedded


def _stream(method: Any, *given: Any) -> Any:
    return method.options(num_returns="streaming").remote(*given)


def _alive(node: str) -> bool:
    return any(known["NodeID"] == node and known["Alive"] for known in ray.nodes())


def _line(error: object) -> str:
    """The last thing that an error of Ray's says, which is what happened; what comes before says to whom."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
