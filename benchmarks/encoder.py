"""How much faster the encoder is for computing nothing twice; every pair of ways is checked to give the same numbers.

    python -m benchmarks.encoder [--layout kinect20] [--clips 128] [--frames 20] [--hidden 128] [--threads 2] [--json]

1. Prefix embeddings: one pass over f frames against one pass a prefix, f(f+1)/2 frames, as in the public
   implementation. The aim is 9 times as fast.
2. Training step (loss and gradients, all f subset lengths): all lengths together over graph states computed once,
   against one length after the other with PyTorch's own LSTM, the graphs of each from the formulas as they are written:
   dense attention, all of it masked but a node's neighbours, again as in the public implementation. The aim is 3 times.
3. The same, but the slow way too has this encoder's graphs: what is left is the gain from lengths taken together.
4. The same step with a sample of the lengths (`subset_lengths`), against 3's slow way with all of them.

Both ways use the same weights and decoders. They take turns, so that what else the machine does falls on both;
a ratio is the median over the rounds. Gradients are compared in float64, on a few clips: in float32 the sign of an
error next to zero may differ between the two. Exits 1 where an aim is missed or two ways differ by more than 1e-5.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.graphs import scale_graphs
from smsge.reconstruction import Reconstruction, draw_subsets

PREFIX_AIM, STEP_AIM, TOLERANCE = 9.0, 3.0, 1e-5

Loss = Callable[[SMSGE, Reconstruction, Tensor, list[Tensor]], Tensor]
Result = dict[str, Any]


def prefix_by_prefix(encoder: SMSGE, x: Tensor) -> Tensor:
    """(B, f, S * hidden): F_k from a pass over the frames 1..k, for each k."""
    return torch.stack([encoder(x[:, :k])[:, -1] for k in range(1, x.shape[1] + 1)], dim=1)


def length_by_length(encoder: SMSGE, decoders: Reconstruction, x: Tensor, subsets: list[Tensor]) -> Tensor:
    """The reconstruction loss as section 4 is written: each subset through graphs, LSTMs and decoders by itself."""
    return _one_after_the_other(encoder.graph_states, encoder, decoders, x, subsets)


def as_written(encoder: SMSGE, decoders: Reconstruction, x: Tensor, subsets: list[Tensor]) -> Tensor:
    """`length_by_length` with the graph states from the formulas of section 3."""
    return _one_after_the_other(lambda nodes: dense_states(encoder, nodes), encoder, decoders, x, subsets)


def dense_states(encoder: SMSGE, nodes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """{scale: x (..., n, 3)} -> {scale: g (..., n, d)}: every head's attention as a masked (n, n) matrix."""
    v = {}
    for graph in scale_graphs(encoder.config.skeleton):
        m, x = encoder.structure[graph.name], nodes[graph.name]
        far = ~(torch.from_numpy(graph.adjacency) | torch.eye(graph.n_nodes, dtype=torch.bool))
        z = torch.einsum("...id,pde->...pie", x @ m.lift + m.lift_bias, m.project)
        own = torch.einsum("...pid,pd->...pi", z, m.query) + m.query_bias[:, None]
        other = torch.einsum("...pid,pd->...pi", z, m.key) + m.key_bias[:, None]
        scores = functional.leaky_relu(own[..., :, None] + other[..., None, :], 0.2).masked_fill(far, -math.inf)
        v[graph.name] = functional.elu(torch.softmax(scores, dim=-1) @ z + m.bias[:, None]).mean(dim=-3)
    g = dict(v)
    for a, b in encoder.config.scale_pairs:
        found = torch.softmax(v[a] @ v[b].mT, dim=-1) @ v[b]
        g[a] = g[a] + encoder.config.fusion * found @ encoder.fusion.mix[a + b]
    return g


def _one_after_the_other(
    graph_states: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    encoder: SMSGE,
    decoders: Reconstruction,
    x: Tensor,
    subsets: list[Tensor],
) -> Tensor:
    total = x.new_zeros(())
    for subset in subsets:
        nodes = encoder.nodes(x[:, subset])
        states = graph_states(nodes)
        hidden = {name: lstm(states[name].flatten(2).transpose(0, 1))[0] for name, lstm in encoder.recurrence.items()}
        for a, b in encoder.config.scale_pairs:
            rebuilt = decoders.decoders[a + b](hidden[a]).transpose(0, 1)
            total = total + (rebuilt - nodes[b].flatten(2)).abs().mean() / len(subsets)
    return total


def all_lengths_together(encoder: SMSGE, decoders: Reconstruction, x: Tensor, subsets: list[Tensor]) -> Tensor:
    """The same loss as it is trained with."""
    return torch.stack(list(decoders.losses(encoder, x, subsets).values())).sum()


def gradients(
    loss: Loss, encoder: SMSGE, decoders: Reconstruction, x: Tensor, subsets: list[Tensor]
) -> tuple[Tensor, ...]:
    weights = [*encoder.parameters(), *decoders.parameters()]
    return torch.autograd.grad(loss(encoder, decoders, x, subsets), weights)


def apart(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest difference, in units of the largest number of its tensor."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


def compare(
    quick: Callable[[], object], slow: Callable[[], object], rounds: int, clips: int, aim: float | None, apart: float
) -> Result:
    """Time both in turn, in alternating order, after one round to warm up."""
    seconds: dict[Callable[[], object], list[float]] = {quick: [], slow: []}
    for turn in range(-1, rounds):
        for way in (quick, slow) if turn % 2 else (slow, quick):
            start = time.perf_counter()
            way()
            if turn >= 0:
                seconds[way].append(time.perf_counter() - start)
    ratios = [long / short for short, long in zip(seconds[quick], seconds[slow], strict=True)]
    return {
        "clips_per_second": round(clips / min(seconds[quick]), 1),
        "clips_per_second_slow": round(clips / min(seconds[slow]), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_lowest": round(min(ratios), 2),
        "ratio_highest": round(max(ratios), 2),
        "aim": aim,
        "difference": apart,
    }


def measure(options: argparse.Namespace) -> dict[str, Result]:
    torch.manual_seed(0)
    config = EncoderConfig(layout=options.layout, frames=options.frames, hidden=options.hidden)
    encoder, decoders = SMSGE(config), Reconstruction(config)
    x = torch.randn(options.clips, config.frames, config.skeleton.n_joints, 3)
    subsets = draw_subsets(config.frames, torch.Generator().manual_seed(0))
    sample = subsets[:: -max(1, config.frames // options.sample)][: options.sample]

    def step(loss: Loss, chosen: list[Tensor]) -> Callable[[], object]:
        return lambda: gradients(loss, encoder, decoders, x, chosen)

    count = (options.rounds, options.clips)
    results = {}
    with torch.inference_mode():
        same = apart([encoder(x)], [prefix_by_prefix(encoder, x)])
        results["prefix embeddings"] = compare(
            lambda: encoder(x), lambda: prefix_by_prefix(encoder, x), *count, PREFIX_AIM, same
        )
    exact = deepcopy(encoder).double(), deepcopy(decoders).double(), x[:4].double()
    every, some = f"training step, all {config.frames} lengths", f"training step, {len(sample)} of the lengths"
    for what, chosen, slow, aim in (
        (f"{every}, against the formulas as written", subsets, as_written, STEP_AIM),
        (f"{every}, against the same graphs", subsets, length_by_length, None),
        (some, sample, length_by_length, None),
    ):
        same = apart(*(gradients(loss, *exact, chosen) for loss in (all_lengths_together, slow)))
        results[what] = compare(step(all_lengths_together, chosen), step(slow, subsets), *count, aim, same)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", default="kinect20")
    for name, default in {"clips": 128, "frames": 20, "hidden": 128, "sample": 4, "rounds": 5, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = measure(options)
    if options.json:
        print(json.dumps({"settings": vars(options), "results": results}))
    else:
        settings = f"{options.layout}, hidden {options.hidden}, {options.threads} threads"
        print(f"{options.clips} clips of {options.frames} frames, {settings}")
        for what, result in results.items():
            speeds = f"{result['clips_per_second']} clips a second against {result['clips_per_second_slow']}"
            spread = f"({result['ratio_lowest']} to {result['ratio_highest']})"
            aim = "" if result["aim"] is None else f", aim {result['aim']}"
            print(f"{what}: {speeds}, {result['ratio']} times as fast {spread}{aim}, apart {result['difference']:.0e}")
    good = [r["ratio"] >= (r["aim"] or 0) and r["difference"] <= TOLERANCE for r in results.values()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
