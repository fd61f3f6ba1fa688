"""Multi-scale graph relation network, MGRN (section 3 of the SM-SGE paper, arXiv 2107.01903).

Symbols: N frames, n nodes of a scale, P heads, d width. x nodes (N, n, 3); v structural states, g fused states, both
(N, n, d).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class StructuralRelation(nn.Module):
    r"""Attention of each node of one scale to its neighbours and itself, P heads at once.

    .. math::
        h_i = x_i W_h + b_h, \quad z_i = h_i W_p, \quad
        e_{ij} = \mathrm{LeakyReLU}_{0.2}(u_p \cdot z_i + c^1_p + w_p \cdot z_j + c^2_p)

        A_{ij} = \mathrm{softmax}_{j \in N(i) \cup \{i\}} e_{ij}, \quad
        v_i = \frac{1}{P} \sum_p \mathrm{ELU}\Big(\sum_j A_{ij} z_j + b_p\Big)

    The mean over heads comes after the ELU. Parameters, with the head first: lift (3, d), lift_bias (d), project
    (P, d, d) = W_p, query (P, d) = u, key (P, d) = w, query_bias (P), key_bias (P), bias (P, d).

    Args: adjacency (n, n) bool without self loops. Shapes: x (N, n, 3) -> v (N, n, d).

    Skeletons are nearly trees, so a node has at most D = 6 or so neighbours (itself among them) out of n = 27: there
    are D slots a node, a slot without a neighbour being masked. As the heads are linear,
    sum_j A_ij z_j = (sum_j A_ij h_j) W_p: a neighbour is d numbers to gather, not P * d. Within, frames come last, so
    that every small operation between two nodes is one long one over all frames.
    """

    slots: Tensor
    masked: Tensor

    def __init__(self, adjacency: Tensor, heads: int, width: int) -> None:
        super().__init__()
        near = adjacency.bool() | torch.eye(len(adjacency), dtype=torch.bool)
        # The first D of each row: its neighbours, then (masked) any others.
        slots = near.int().argsort(dim=1, descending=True, stable=True)[:, : int(near.sum(dim=1).max())]
        masked = torch.zeros(slots.shape).masked_fill(~near.gather(1, slots), -math.inf)
        self.register_buffer("slots", slots, persistent=False)
        self.register_buffer("masked", masked[..., None, None], persistent=False)
        self.lift = nn.Parameter(torch.empty(3, width))
        self.lift_bias = nn.Parameter(torch.empty(width))
        self.project = nn.Parameter(torch.empty(heads, width, width))
        self.query = nn.Parameter(torch.empty(heads, width))
        self.key = nn.Parameter(torch.empty(heads, width))
        self.query_bias = nn.Parameter(torch.empty(heads))
        self.key_bias = nn.Parameter(torch.empty(heads))
        self.bias = nn.Parameter(torch.empty(heads, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier for what multiplies, zeros for what is added."""
        width = self.lift.shape[1]
        nn.init.xavier_uniform_(self.lift)
        nn.init.uniform_(self.project, -math.sqrt(3 / width), math.sqrt(3 / width))
        for vector in (self.query, self.key):
            nn.init.uniform_(vector, -math.sqrt(6 / (width + 1)), math.sqrt(6 / (width + 1)))
        for bias in (self.lift_bias, self.query_bias, self.key_bias, self.bias):
            nn.init.zeros_(bias)

    def forward(self, x: Tensor) -> Tensor:
        (N, n), (P, d), D = x.shape[:2], self.query.shape, self.slots.shape[1]
        h = torch.baddbmm(self.lift_bias[:, None], self.lift.t().expand(n, d, 3), x.permute(1, 2, 0))  # (n, d, N)
        # u . z = h (W_p u): both halves of the scores of all heads in one product.
        directions = torch.einsum("pdk,spk->spd", self.project, torch.stack([self.query, self.key])).flatten(0, 1)
        offsets = torch.cat([self.query_bias, self.key_bias])[:, None]
        own, other = torch.baddbmm(offsets, directions.expand(n, 2 * P, d), h).chunk(2, dim=1)  # (n, P, N) each
        scores = (own[:, None] + other[self.slots]).add_(self.masked)  # (n, D, P, N)
        weights = torch.softmax(functional.leaky_relu(scores, 0.2, inplace=True), dim=1)
        near = h[self.slots]  # (n, D, d, N)
        gathered = weights[:, 0, :, None] * near[:, 0, None]  # (n, P, d, N)
        for slot in range(1, D):
            gathered.addcmul_(weights[:, slot, :, None], near[:, slot, None])
        heads = self.project.mT.expand(n, P, d, d).flatten(0, 1)
        z = torch.baddbmm(self.bias.expand(n, P, d).reshape(n * P, d, 1), heads, gathered.view(n * P, d, N))
        v = functional.elu(z.view(n, P, d, N), inplace=True).sum(dim=1) / P  # (n, d, N)
        return v.permute(2, 0, 1).contiguous()


class CollaborativeFusion(nn.Module):
    r"""Each node looks at the nodes of its own and every coarser scale, and adds what it finds.

    .. math::
        C_{ij} = \mathrm{softmax}_j (v^a_i \cdot v^b_j), \quad r^{ab}_i = \sum_j C_{ij} v^b_j, \quad
        g^a = v^a + \lambda \sum_{b} r^{ab} W^{ab}

    All r come from the unfused v; the scores are not scaled; W^ab (d, d) has no bias.

    Args: pairs, every (a, b) with b at least as coarse as a; width d; weight, the paper's lambda.
    Shapes: {scale: v (N, n, d)} -> {scale: g (N, n, d)}.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], width: int, weight: float) -> None:
        super().__init__()
        self.pairs = tuple(pairs)
        self.weight = weight
        self.mix = nn.ParameterDict({a + b: nn.Parameter(torch.empty(width, width)) for a, b in self.pairs})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for matrix in self.mix.values():
            nn.init.xavier_uniform_(matrix)

    def forward(self, v: Mapping[str, Tensor]) -> dict[str, Tensor]:
        g = dict(v)
        for a, b in self.pairs:
            found = v[b] @ self.mix[a + b]  # W^ab first: the weighted sum of it is then added to g as it is taken
            g[a] = torch.baddbmm(g[a], _softmax(v[a] @ v[b].mT), found, alpha=self.weight)
        return g


def _softmax(scores: Tensor) -> Tensor:
    """softmax over the last axis: PyTorch's own takes twice the time over so short an axis on a CPU."""
    weights = torch.exp(scores - scores.detach().amax(dim=-1, keepdim=True))
    return weights / weights.sum(dim=-1, keepdim=True)
