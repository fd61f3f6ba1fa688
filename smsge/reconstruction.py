"""Multi-scale skeleton reconstruction, MSR: the self-supervised objective (section 4, arXiv 2107.01903).

Symbols: B clips, f frames, k length of a subsequence, n_b nodes of scale b, D_h width of the LSTMs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from smsge.config import EncoderConfig, ReconstructionConfig
from smsge.encoder import SMSGE
from smsge.graphs import scale_graphs
from smsge.recurrence import Plan
from smsge.training import Batch, Objective

CPU_BLOCK = 32  # clips that are encoded and rebuilt together on a CPU: more, and they push each other out of its cache


def draw_subsets(frames: int, generator: torch.Generator, subset_lengths: int | None = None) -> list[Tensor]:
    """A random subset of k of the f frames, in time order, for each length k.

    subset_lengths: None for every k = 1..f, or m to draw m of the f lengths uniformly without replacement: the mean
    of a loss over them is then an unbiased estimate of its mean over all lengths, at a fraction of the work.
    Returns long tensors (k,), on the CPU. Raises ValueError unless 1 <= subset_lengths <= f.
    """
    if subset_lengths is not None and not 1 <= subset_lengths <= frames:
        raise ValueError(f"subset_lengths must be between 1 and the {frames} frames of a clip, got {subset_lengths}")
    lengths = torch.arange(1, frames + 1)
    if subset_lengths is not None:
        lengths = torch.randperm(frames, generator=generator)[:subset_lengths].sort().values + 1
    return [torch.randperm(frames, generator=generator)[:k].sort().values for k in lengths.tolist()]


class Reconstruction(nn.Module):
    """The decoders, and the loss of rebuilding every frame's nodes at its own and every coarser scale.

    4 + 3 + 2 + 1 = 10 decoders `W2 ReLU(W1 h + b1) + b2` of sizes (D_h, D_h, 3 n_b). targets: "coarser" for these,
    "own" for each scale's own decoder alone, without targets across scales.
    """

    def __init__(self, config: EncoderConfig, targets: str = "coarser") -> None:
        super().__init__()
        self.config = config
        self.pairs = [(a, b) for a, b in config.scale_pairs if targets == "coarser" or a == b]
        size = {graph.name: 3 * graph.n_nodes for graph in scale_graphs(config.skeleton)}
        self.decoders = nn.ModuleDict({a + b: _decoder(config.hidden, size[b]) for a, b in self.pairs})

    def losses(
        self, encoder: SMSGE, x: Tensor, subsets: Sequence[Tensor], truth: Tensor | None = None
    ) -> dict[str, Tensor]:
        """{scale: L_a} with L_a = mean over subsets of sum over b of mean |x_hat^b - x^b|.

        truth: like x, what is rebuilt, x itself if None. Where x is what a pose estimator made of a walker who is
        known, the encoder then learns to see through the estimator.

        The graph states are computed once for all frames, every subset is a gather of them, and all subsets go through
        each LSTM together. Shapes: x (B, f, J, 3); subsets: frame numbers in time order, at most f each.
        """
        plan = Plan.of(subsets, x.device)
        totals = {name: x.new_zeros(()) for name in self.config.scales}
        block = len(x) if x.is_cuda else CPU_BLOCK
        for clips, known in zip(torch.split(x, block), torch.split(x if truth is None else truth, block), strict=True):
            nodes = encoder.nodes(clips.transpose(0, 1))  # time first: a gather of frames then copies whole blocks
            encoded = encoder.encode(encoder.graph_states(nodes), plan)
            wanted = nodes if truth is None else encoder.nodes(known.transpose(0, 1))
            targets = {name: value.flatten(2)[plan.order] for name, value in wanted.items()}  # (E, B, 3 n)
            for a, b in self.pairs:
                error = (self.decoders[a + b](encoded[a]) - targets[b]).abs().sum(dim=(1, 2))
                totals[a] = totals[a] + (error * plan.weight).sum() / (len(x) * targets[b].shape[2])
        return totals


class SelfSupervision(Objective):
    """The objective without labels: the sum over scales of L_a, over subsets drawn afresh for every batch.

    One subset a length is drawn for the batch and shared by its clips.
    """

    def __init__(self, encoder: SMSGE, config: ReconstructionConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.reconstruction = Reconstruction(encoder.config, config.targets)
        self.config = config

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """See `Objective.loss`."""
        frames = batch.clips.shape[1]
        if self.config.subsequences == "full":
            subsets = [torch.arange(frames)]
        else:
            subsets = draw_subsets(frames, generator, self.config.subset_lengths)
        losses = self.reconstruction.losses(self.encoder, batch.clips, subsets, batch.truth)
        return torch.stack(list(losses.values())).sum()


def _decoder(hidden: int, outputs: int) -> nn.Sequential:
    layers = nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    for layer in (layers[0], layers[2]):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)
