"""A run on a Ray cluster of two machines, which are processes here, one of which goes in the middle of it."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib import import_module, util
from pathlib import Path
from typing import Any

import pytest
from scripted import NARROW, ScriptedRead, ShoulderEncoder, clip, gallery_at
from tiny_encoder import save_tiny

from pipeline.batch import BatchResult, batch
from pipeline.crew import Alive
from pipeline.errors import CheckpointError, UserError
from pipeline.gallery import Gallery
from pipeline.probes import Reading, own_embedder
from pipeline.settings import BatchSettings, EncoderSettings, Settings
from pipeline.templates import Embedder

needs_ray = pytest.mark.skipif(util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
HASTY = Settings(batch=BatchSettings(patience=3))
PATIENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "60000",
}
"""What a cluster on a busy machine needs: little to start, and time; a machine that is gone is noticed soon all the
same, since its port refuses at once."""


def small() -> dict[str, Any]:
    """A machine with one CPU, whose ports are given, so that it need not wait for its helpers before it is there."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        names = ("dashboard_agent_listen_port", "runtime_env_agent_port", "metrics_agent_port")
        ports = {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    return {
        "num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False, "include_log_monitor": False,
        **ports,
    }  # fmt: skip


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "pipeline.ray_engine", raising=False)
    with pytest.raises(UserError, match=r"pip install -c constraints.txt '\.\[ray\]'"):
        import_module("pipeline.ray_engine")


@needs_ray
def test_clips_that_a_machine_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ray_engine import _Sample

    (tmp_path / "a.mp4").write_bytes(b"1234")
    monkeypatch.chdir(tmp_path)
    sample = _Sample.of("a.mp4")
    monkeypatch.chdir("/")
    sample.enter()  # a relative path means there what it means here
    assert Path.cwd() == tmp_path
    (tmp_path / "a.mp4").write_bytes(b"another")
    with pytest.raises(UserError, match=f"does not see {tmp_path}/a.mp4: put the clips in a folder that all"):
        sample.enter()
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(UserError, match="does not see"):
        sample.enter()


@needs_ray
def test_addresses_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ray_engine import RayEngine

    def ends(address: str | None) -> list[Any]:
        return list(RayEngine(Settings(), address)(["a.npz"], partial(ScriptedRead, Settings()), 1, 60))

    with pytest.raises(UserError, match="run this on a machine of the cluster"):
        ends("ray://head:10001")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UserError, match="run this on a machine of the cluster"):
        ends(None)


class Telling(ScriptedRead):
    """Takes two seconds for a clip, and keeps beside it who began it: machine and process, a line each."""

    def __call__(self, source: str, alive: Alive) -> tuple[float, Reading]:
        import ray

        with Path(source).with_suffix(".tries").open("a") as file:
            file.write(f"{ray.get_runtime_context().get_node_id()} {os.getpid()}\n")
        for _ in range(20):
            time.sleep(0.1)
            alive()
        answer = super().__call__(source, alive)
        Path(source).with_suffix(".end").touch()
        return answer


def tries(path: Path) -> list[tuple[str, int]]:
    lines = [line.split() for line in path.with_suffix(".tries").read_text().splitlines()]
    return [(node, int(pid)) for node, pid in lines]


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()


@pytest.fixture(scope="module")
def head() -> Iterator[Any]:
    """A cluster of one machine, with one CPU."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: pip install '.[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # its workers unpack what the tests give them
        for variable, value in PATIENT.items():
            patch.setenv(variable, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=small())
        try:
            yield cluster
        finally:
            cluster.shutdown()


def run(folder: Path, cluster: Any, **options: Any) -> BatchResult:
    from pipeline.ray_engine import RayEngine

    settings = options.pop("settings", Settings())
    with gallery_at(folder / "people.db") as gallery:
        return batch(
            folder / "clips", folder / "out", gallery=gallery, mode="enroll", settings=settings,
            embedder=ShoulderEncoder(), engine=RayEngine(settings, cluster.address),
            **{"make_read": Telling, **options},
        )  # fmt: skip


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


@needs_ray
@pytest.mark.long
def test_a_machine_killed_in_mid_run_and_ctrl_c_lose_nothing_and_do_nothing_twice(head: Any, tmp_path: Path) -> None:
    import ray

    clips = [clip(tmp_path / "clips" / f"p{number}.npz", (NARROW, 0, 3)) for number in range(8)]
    second = head.add_node(**small())

    def stop(what: str, done: float, total: float | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, head, progress=stop)
    assert not ray.is_initialized()
    first = [row["clip"] for row in rows(tmp_path / "out")]
    assert len(first) == 2
    before = {path.stem: tries(path) for path in clips if path.with_suffix(".tries").exists()}
    assert {node for told in before.values() for node, _ in told} >= {second.node_id}  # both machines had a part
    assert within(20, lambda: all(gone(pid) for told in before.values() for _, pid in told))

    for path in clips:
        path.with_suffix(".end").unlink(missing_ok=True)
    killed: list[str] = []

    def in_hand() -> list[str]:
        begun = [path for path in clips if path.with_suffix(".tries").exists() and path.name not in first]
        mine = [path for path in begun if tries(path)[-1][0] == second.node_id and len(tries(path)) > was(path)]
        return [path.stem for path in mine if not path.with_suffix(".end").exists()]

    def was(path: Path) -> int:
        return len(before.get(path.stem, []))

    def kill() -> None:
        assert within(60, lambda: len(rows(tmp_path / "out")) >= 4 and bool(in_hand()))
        killed.extend(in_hand())
        head.remove_node(second, allow_graceful=False)

    with ThreadPoolExecutor(1) as thread:
        murder = thread.submit(kill)
        result = run(tmp_path, head)
        murder.result()
    assert (result.clips, result.resumed, result.done, result.failures) == (8, 2, 6, ())
    assert sorted(row["clip"] for row in rows(tmp_path / "out")) == [path.name for path in clips]
    for path in clips:
        again = len(tries(path)) - was(path)
        assert again == (0 if path.name in first else 2 if path.stem in killed else 1), path.stem
    assert len(killed) == 1
    assert tries(tmp_path / "clips" / f"{killed[0]}.npz")[-1][0] == head.head_node.node_id
    assert run(tmp_path, head).resumed == 8
    with gallery_at(tmp_path / "people.db") as gallery:
        assert {person.name: person.templates for person in gallery.people()} == {path.stem: 1 for path in clips}


@needs_ray
@pytest.mark.long
def test_clips_that_workers_do_not_survive_end_as_they_do_on_one_machine(head: Any, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for name in ("anna", "bad", "bug", "dies", "falters", "slow"):
        clip(folder / f"{name}.npz", (NARROW, 0, 3))
    result = run(tmp_path, head, settings=HASTY, make_read=ScriptedRead)
    told = dict(result.failures)
    assert (result.done, sorted(told)) == (2, ["bad.npz", "bug.npz", "dies.npz", "slow.npz"])
    assert told["bug.npz"] == "ZeroDivisionError: what nobody foresaw"
    assert told["bad.npz"].endswith("cannot be opened: give a video file")
    assert told["slow.npz"] == "its worker process was lost twice (no progress for 3 s)"
    assert told["dies.npz"].startswith("its worker process was lost twice (")
    assert [row["status"] for row in rows(tmp_path / "out") if row["clip"] == "falters.npz"] == ["ok"]


@needs_ray
@pytest.mark.long
def test_with_a_gpu_one_actor_encodes_for_all(head: Any, tmp_path: Path) -> None:
    """The resource is made up: nothing here runs on a GPU, but everything that leads to one does."""
    from pipeline.ray_engine import RayEngine, _FarEmbedder

    clip(tmp_path / "clips" / "anna.npz", (NARROW, 0, 3))
    settings = Settings(encoder=EncoderSettings(weights=str(save_tiny(tmp_path / "tiny.safetensors"))))
    embedder = own_embedder(settings)
    card = head.add_node(**small(), num_gpus=1)
    try:
        who = {"fingerprint": embedder.fingerprint, "encoder_name": embedder.name, "dim": embedder.dim}
        with Gallery.open(tmp_path / "people.db", **who) as gallery:
            result = batch(
                tmp_path / "clips", tmp_path / "out", gallery=gallery, mode="enroll", settings=settings,
                embedder=embedder, engine=RayEngine(settings, head.address), make_read=Sharing,
            )  # fmt: skip
        assert (result.done, result.failures) == (1, ())
        assert (tmp_path / "clips" / "anna.kind").read_text() == _FarEmbedder.__name__
        nowhere = Settings(encoder=EncoderSettings(weights="nowhere"))
        with pytest.raises(CheckpointError, match="nowhere is neither a file nor an encoder here"):
            list(RayEngine(nowhere, head.address)(["a"], partial(ScriptedRead, nowhere), 1, 60))
    finally:
        head.remove_node(card)


class Sharing(ScriptedRead):
    """Keeps beside a clip which kind of encoder it had."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        super().__init__(settings, embedder)
        self._kind = type(embedder).__name__

    def __call__(self, source: str, alive: Alive) -> tuple[float, Reading]:
        Path(source).with_suffix(".kind").write_text(self._kind)
        return super().__call__(source, alive)
