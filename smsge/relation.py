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

    Skeletons are nearly trees, so a node has at most D = 6 or so neighbours (itself among them) out of n = 27: scores
    are computed for D slots a node, a slot without a neighbour being masked, and only the weights are laid out densely
    for the product with h. As the heads are linear, sum_j A_ij z_j = (sum_j A_ij h_j) W_p: the sum is taken over
    d numbers a neighbour, not P * d.
    """

    slots: Tensor
    masked: Tensor
    places: Tensor
    mean_of_heads: Tensor

    def __init__(self, adjacency: Tensor, heads: int, width: int) -> None:
        super().__init__()
        nodes = len(adjacency)
        near = adjacency.bool() | torch.eye(nodes, dtype=torch.bool)
        # The first D of each row: its neighbours, then (weight zero) any others, so that no two slots share a place.
        slots = near.int().argsort(dim=1, descending=True, stable=True)[:, : int(near.sum(dim=1).max())]
        masked = torch.zeros(slots.shape).masked_fill(~near.gather(1, slots), -math.inf)
        own, head = torch.arange(nodes)[:, None, None], torch.arange(heads)
        constants = {
            "slots": slots,
            "masked": masked[..., None],
            "places": ((own * heads + head) * nodes + slots[..., None]).flatten(),  # in a (n, P, n) block
            "mean_of_heads": torch.eye(width).repeat(heads, 1) / heads,
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)
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
        N, n = x.shape[:2]
        P = len(self.project)
        h = x @ self.lift + self.lift_bias  # (N, n, d)
        # u . z = h (W_p u): both halves of the scores of all heads in one product.
        directions = torch.einsum("pdk,spk->dsp", self.project, torch.stack([self.query, self.key])).flatten(1)
        own, other = (h @ directions + torch.cat([self.query_bias, self.key_bias])).chunk(2, dim=-1)  # (N, n, P) each
        near = other.index_select(1, self.slots.flatten()).view(N, n, -1, P)  # (N, n, D, P)
        scores = functional.leaky_relu(own[:, :, None] + near + self.masked, 0.2)
        weights = torch.softmax(scores, dim=2).flatten(1)
        dense = weights.new_zeros(N, n * P * n).index_copy(1, self.places, weights).view(N, n * P, n)
        gathered = (dense @ h).view(N * n, -1)  # (N * n, P * d)
        out = torch.addmm(self.bias.flatten(), gathered, torch.block_diag(*self.project))  # type: ignore[no-untyped-call]
        return (functional.elu(out) @ self.mean_of_heads).view(N, n, -1)


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
            g[a] = g[a] + self.weight * (_attend(v[a], v[b]) @ self.mix[a + b])
        return g


def _attend(a: Tensor, b: Tensor) -> Tensor:
    """softmax(a b^T) b: (N, n_a, d), (N, n_b, d) -> (N, n_a, d).

    Written as a ratio of two sums taken by one product, the sum of weights being that of an extra column of ones:
    PyTorch's softmax over an axis as short as n_b takes twice the time on a CPU.
    """
    scores = a @ b.transpose(1, 2)
    weights = torch.exp(scores - scores.detach().amax(dim=-1, keepdim=True))
    sums = weights @ functional.pad(b, (0, 1), value=1.0)
    return sums[..., :-1] / sums[..., -1:]
