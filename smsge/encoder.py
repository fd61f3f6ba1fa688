"""The SM-SGE encoder: a clip of skeletons -> the embedding of every one of its prefixes, in one pass.

Rao et al., "SM-SGE: A Self-Supervised Multi-Scale Skeleton Graph Encoding Framework for Person Re-Identification",
ACM Multimedia 2021 (arXiv 2107.01903), sections 3 and 4.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from smsge.config import EncoderConfig
from smsge.graphs import scale_graphs
from smsge.recurrence import Plan, SubsetLSTM
from smsge.relation import CollaborativeFusion, StructuralRelation


class SMSGE(nn.Module):
    """Graphs at several scales -> relations within and between them -> one LSTM a scale.

    The graph states of a frame depend on that frame alone, so they are computed once for all B*f frames. The LSTMs are
    causal, so step k's output after one pass over f frames IS the embedding F_k of the prefix 1..k: f steps, where
    encoding prefix by prefix takes f(f+1)/2.

    The LSTMs have one bias a gate, as in the paper's TensorFlow (`SubsetLSTM` says how), so that `parameter_count` is
    the published 3,616,320 (casia14), 3,763,776 (kinect20) and 3,886,656 (kinect25) at hidden = 256.

    Shapes: x (B, f, J, 3), any unit and position (joint 0 of each frame is subtracted) -> (B, f, S * hidden), the
    scales in the order of the config.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        graphs = [graph for graph in scale_graphs(config.skeleton) if graph.name in config.scales]
        self.n_nodes = {graph.name: graph.n_nodes for graph in graphs}
        self.structure = nn.ModuleDict()
        self.recurrence = nn.ModuleDict()
        for graph in graphs:
            self.register_buffer(f"pooling_{graph.name}", torch.from_numpy(graph.pooling), persistent=False)
            self.structure[graph.name] = StructuralRelation(
                torch.from_numpy(graph.adjacency), config.heads, config.width
            )
            self.recurrence[graph.name] = SubsetLSTM(graph.n_nodes * config.width, config.hidden)
        self.fusion = CollaborativeFusion(config.scale_pairs, config.width, config.fusion)

    def nodes(self, x: Tensor) -> dict[str, Tensor]:
        """(..., J, 3) -> {scale: (..., n, 3)}, the nodes of every scale, relative to joint 0 of their own frame."""
        centred = x - x[..., :1, :]
        return {name: self.get_buffer(f"pooling_{name}") @ centred for name in self.config.scales}

    def graph_states(self, nodes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """{scale: nodes (..., n, 3)} -> {scale: g (..., n, d)}, the fused graph states of section 3."""
        leading = next(iter(nodes.values())).shape[:-2]
        v = {name: module(nodes[name].flatten(0, -3)) for name, module in self.structure.items()}
        return {name: g.unflatten(0, leading) for name, g in self.fusion(v).items()}

    def encode(self, states: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
        """{scale: g (f, B, n, d)}, time first -> {scale: (E, B, hidden)}, the state at each entry of the plan."""
        return {name: lstm.over(states[name].flatten(2), plan) for name, lstm in self._lstms()}

    def forward(self, x: Tensor) -> Tensor:
        """(B, f, J, 3) -> (B, f, S * hidden): every prefix embedding F_1..F_f."""
        states = self.graph_states(self.nodes(x.transpose(0, 1)))
        encoded = self.encode(states, Plan.of([torch.arange(x.shape[1])], x.device))
        return torch.cat(list(encoded.values()), dim=-1).transpose(0, 1)

    def embed(self, x: Tensor) -> Tensor:
        """(B, f, J, 3) -> (B, S * hidden): the mean over k of F_k, not normalised."""
        prefixes: Tensor = self(x)
        return prefixes.mean(dim=1)

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def _lstms(self) -> Iterator[tuple[str, SubsetLSTM]]:
        for name, module in self.recurrence.items():
            assert isinstance(module, SubsetLSTM)
            yield name, module
