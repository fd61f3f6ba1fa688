"""Clips a second on a GPU, encoding and training, against what the card could do; and where the time goes.

    python -m benchmarks.gpu [--layout casia14] [--hidden 256] [--frames 20 40] [--batches 64 256 1024] [--json]
    python -m benchmarks.gpu --device cpu --hidden 16 --frames 4 --batches 4 --rounds 1 --peak 256 --modes eager

Every combination of frames a clip, batch, precision (fp32, bf16 autocast) and mode (eager, `torch.compile`) is timed
for `encode` (embeddings, no gradients) and `train` (loss over all subset lengths, and its gradients). The second
command is a dry run: that all parts work, on a machine without a GPU.

The limit of each is peak / FLOPs a clip, with the peak measured in the same run, by one large matrix product in the
same precision. FLOPs are those of matrix products, 2 a multiplication and addition: for graphs and decoders as
`torch.utils.flop_counter` counts them, for the LSTMs 2 * 4 D_h * (inputs + D_h) a layer and step, which that counter
does not know. A training step is counted as 3 forward passes. Exits 2 where there is no such device.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.reconstruction import Reconstruction, draw_subsets
from smsge.recurrence import LAYERS

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
MODES = ("eager", "compiled")
WARM_UP = 3


def flops(config: EncoderConfig) -> dict[str, float]:
    """FLOPs a clip of `encode` and `train`, as the docstring of this file counts them."""
    encoder, decoders, f = SMSGE(config), Reconstruction(config), config.frames
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder.graph_states(encoder.nodes(torch.zeros(1, f, config.skeleton.n_joints, 3)))
        graphs = counter.get_total_flops()
        for pair in decoders.decoders.values():
            pair(torch.zeros(1, config.hidden))
        one_entry = counter.get_total_flops() - graphs
    inputs = sum(n * config.width for n in encoder.n_nodes.values())
    scales, H = len(encoder.n_nodes), config.hidden
    one_step = 2 * 4 * H * (inputs + scales * H) + (LAYERS - 1) * scales * 2 * 4 * H * 2 * H
    entries = f * (f + 1) // 2
    return {"encode": graphs + f * one_step, "train": 3.0 * (graphs + entries * (one_step + one_entry))}


def peak(size: int, device: torch.device, dtype: torch.dtype) -> float:
    """FLOPs a second of the quickest of several (size, size) matrix products."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    return 2 * size**3 / min(timed(lambda: a @ a, device) for _ in range(10))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has done it."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def workloads(
    config: EncoderConfig, batch: int, precision: str, mode: str, device: torch.device
) -> Iterator[tuple[str, Callable[[], object]]]:
    """(name, what to time) for `encode` and `train`."""
    torch.manual_seed(0)
    encoder, decoders = SMSGE(config).to(device), Reconstruction(config).to(device)
    weights = [*encoder.parameters(), *decoders.parameters()]
    x = torch.randn(batch, config.frames, config.skeleton.n_joints, 3, device=device)
    generator = torch.Generator().manual_seed(0)

    def embed() -> torch.Tensor:
        return encoder.embed(x)

    def loss() -> torch.Tensor:
        subsets = draw_subsets(config.frames, generator)
        return torch.stack(list(decoders.losses(encoder, x, subsets).values())).sum()

    if mode == "compiled":
        embed, loss = torch.compile(embed), torch.compile(loss)
    autocast = torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")

    def encode() -> None:
        with torch.no_grad(), autocast:
            embed()

    def train() -> None:
        with autocast:
            value = loss()
        torch.autograd.grad(value, weights)

    yield "encode", encode
    yield "train", train


def measure(options: argparse.Namespace, device: torch.device) -> Iterator[dict[str, Any]]:
    """One row a combination, as it is measured; `clips_per_second` is None, with the reason, where it did not run."""
    peaks = {name: peak(options.peak, device, dtype) for name, dtype in PRECISIONS.items()}
    for frames, precision, mode in itertools.product(options.frames, PRECISIONS, options.modes):
        config = EncoderConfig(layout=options.layout, frames=frames, hidden=options.hidden)
        count = flops(config)
        for batch in options.batches:
            torch.compiler.reset()
            for name, work in workloads(config, batch, precision, mode, device):
                row = {"what": name, "frames": frames, "precision": precision, "mode": mode, "batch": batch}
                limit = peaks[precision] / count[name]
                row |= {"peak_tflops": peaks[precision] / 1e12, "mflop_per_clip": count[name] / 1e6, "limit": limit}
                try:
                    for _ in range(WARM_UP):
                        work()
                    speed = batch / min(timed(work, device) for _ in range(options.rounds))
                    yield row | {"clips_per_second": speed, "share_of_limit": speed / limit}
                except Exception as error:  # out of memory, or no compiler: the other rows still count
                    yield row | {"clips_per_second": None, "reason": f"{type(error).__name__}: {error}".split("\n")[0]}


def where_time_goes(options: argparse.Namespace, device: torch.device) -> str:
    """torch.profiler's table of one training step: largest batch, most frames, bf16, eager."""
    config = EncoderConfig(layout=options.layout, frames=max(options.frames), hidden=options.hidden)
    train = dict(workloads(config, max(options.batches), "bf16", "eager", device))["train"]
    train()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as recorded:
        timed(train, device)
    order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return str(recorded.key_averages().table(sort_by=order, row_limit=20, max_name_column_width=60))


def line(row: dict[str, Any]) -> str:
    start = f"{row['what']:6}  f={row['frames']:<3} {row['precision']} {row['mode']:8}  batch {row['batch']:<5}"
    if row["clips_per_second"] is None:
        return f"{start}  did not run ({row['reason'][:100]})"
    limit = f"{100 * row['share_of_limit']:.1f}% of the {row['limit']:.0f} that {row['peak_tflops']:.2f} TFLOP/s allow"
    return f"{start}  {row['clips_per_second']:.1f} clips a second, {limit}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--layout", default="casia14")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--rounds", type=int, default=10, help="the quickest of so many is kept (default 10)")
    parser.add_argument("--peak", type=int, default=8192, help="size of the matrices that measure the peak")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing to measure (--device cpu with small sizes is a dry run)", file=sys.stderr)
        return 2
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    rows = []
    for row in measure(options, device):
        rows.append(row)
        if not options.json:
            print(line(row), flush=True)
    table = where_time_goes(options, device)
    if options.json:
        print(json.dumps({"device": name, "torch": torch.__version__, "rows": rows, "profile": table}))
    else:
        print(f"\none training step on {name}:\n{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
