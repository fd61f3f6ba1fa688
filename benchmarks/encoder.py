"""How much faster the encoder is for computing nothing twice; every pair of ways is checked to give the same numbers.

    python -m benchmarks.encoder --clips 128 --frames 20 --hidden 128

1. Prefix embeddings: one pass over f frames against one pass a prefix, f(f+1)/2 frames, as in the public
   implementation.
2. Training step (loss and gradients, all f subset lengths): all lengths together over graph states computed once,
   against one length after the other, each with its own graphs and PyTorch's own LSTM.
3. The same step with a sample of the lengths (`subset_lengths`).
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from smsge.config import EncoderConfig
from smsge.encoder import SMSGE
from smsge.reconstruction import Reconstruction, draw_subsets


def prefix_by_prefix(encoder: SMSGE, x: Tensor) -> Tensor:
    """(B, f, S * hidden): F_k from a pass over the frames 1..k, for each k."""
    return torch.stack([encoder(x[:, :k])[:, -1] for k in range(1, x.shape[1] + 1)], dim=1)


def length_by_length(encoder: SMSGE, decoders: Reconstruction, x: Tensor, subsets: list[Tensor]) -> Tensor:
    """The reconstruction loss as section 4 is written: each subset through graphs, LSTMs and decoders by itself."""
    total = x.new_zeros(())
    for subset in subsets:
        nodes = encoder.nodes(x[:, subset])
        states = encoder.graph_states(nodes)
        hidden = {name: lstm(states[name].flatten(2).transpose(0, 1))[0] for name, lstm in encoder.recurrence.items()}
        for a, b in encoder.config.scale_pairs:
            rebuilt = decoders.decoders[a + b](hidden[a]).transpose(0, 1)
            total = total + (rebuilt - nodes[b].flatten(2)).abs().mean() / len(subsets)
    return total


def seconds(function: Callable[[], object], repeats: int) -> float:
    """The quickest of `repeats` runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def report(what: str, quick: float, slow: float) -> None:
    print(f"{what}: {1000 * quick:.0f} ms against {1000 * slow:.0f} ms, {slow / quick:.1f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"clips": 128, "frames": 20, "hidden": 128, "sample": 4, "repeats": 3, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = EncoderConfig(frames=options.frames, hidden=options.hidden)
    encoder, decoders = SMSGE(config), Reconstruction(config)
    weights = [*encoder.parameters(), *decoders.parameters()]
    x = torch.randn(options.clips, config.frames, config.skeleton.n_joints, 3)
    subsets = draw_subsets(config.frames, torch.Generator().manual_seed(0))
    print(f"{options.clips} clips of {config.frames} frames, hidden {config.hidden}, {options.threads} threads")

    with torch.inference_mode():
        torch.testing.assert_close(encoder(x), prefix_by_prefix(encoder, x), rtol=1e-4, atol=1e-5)
        one_pass = seconds(lambda: encoder(x), options.repeats)
        report("prefix embeddings", one_pass, seconds(lambda: prefix_by_prefix(encoder, x), options.repeats))

    def together(chosen: list[Tensor]) -> Tensor:
        return torch.stack(list(decoders.losses(encoder, x, chosen).values())).sum()

    def gradients(loss: Callable[[], Tensor]) -> list[Tensor]:
        return list(torch.autograd.grad(loss(), weights))

    quick, slow = (
        gradients(lambda: together(subsets)),
        gradients(lambda: length_by_length(encoder, decoders, x, subsets)),
    )
    for ours, theirs in zip(quick, slow, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    naive = seconds(lambda: gradients(lambda: length_by_length(encoder, decoders, x, subsets)), options.repeats)
    step = seconds(lambda: gradients(lambda: together(subsets)), options.repeats)
    report(f"training step, all {config.frames} lengths", step, naive)
    sample = subsets[:: -(config.frames // options.sample)][: options.sample]
    sampled = seconds(lambda: gradients(lambda: together(sample)), options.repeats)
    report(f"training step, {len(sample)} of the lengths", sampled, naive)


if __name__ == "__main__":
    main()
