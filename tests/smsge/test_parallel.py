"""Two processes make the steps of one, each with its share of the clips."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import parallel_runs
import pytest
import torch

KINDS = ("reconstruction", "supervised", "unsupervised")
SCRIPT = Path(parallel_runs.__file__)


class KilledError(Exception):
    """Stands for the end of the process between two steps."""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch cannot talk to other processes")
def test_two_processes_train_as_one_and_resume_what_one_began(tmp_path: Path) -> None:
    def progress(what: str, done: float, total: float | None) -> None:
        if done == 4:
            raise KilledError

    two = tmp_path / "two"
    with pytest.raises(KilledError):
        parallel_runs.run("supervised", two, progress=progress)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = SCRIPT.parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(two), *KINDS],
            env=os.environ
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank)}
            | {"LOCAL_RANK": str(rank), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    for kind in KINDS:
        one = parallel_runs.run(kind, tmp_path / "one")
        for rank in (0, 1):
            state = torch.load(two / f"{kind}.{rank}.pt", weights_only=True)
            assert state.keys() == one.keys()
            for name, value in one.items():
                torch.testing.assert_close(state[name], value, rtol=0, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")
        curves = [(tmp_path / place / kind / "curve.csv").read_text().split("\n")[1:-1] for place in ("one", "two")]
        numbers = [[float(cell) for line in curve for cell in line.split(",")] for curve in curves]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-5)
        assert len(curves[0]) == 3
