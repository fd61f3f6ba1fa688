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

CPU_BLOCK = 640  # frames whose graph states are computed together on a CPU: about what its cache has room for


class SMSGE(nn.Module):
    """Graphs at several scales -> relations within and between them -> one LSTM a scale.

    The graph states of a frame depend on that frame alone, so they are computed once for all B*f frames. The LSTMs are
    causal, so step k's output after one pass over f frames IS the embedding F_k of the prefix 1..k: f steps, where
    encoding prefix by prefix takes f(f+1)/2.

    The LSTMs have one bias a gate, as in the paper's TensorFlow (`SubsetLSTM` says how), so that `parameter_count` is
    the published 3,616,320 (casia14), 3,763,776 (kinect20) and 3,886,656 (kinect25) at hidden = 256.

    Shapes: x (B, f, J, 3), any unit and position (joint 0 of each frame is subtracted) -> (B, f, S * hidden), the
    scales in the order of the config.

    Where the config says `standardised`, every coordinate then has its usual value taken off and is divided by its
    usual deviation (`standardise_by`), which the paper does not do. People differ by centimetres and a walk moves by
    decimetres: the same steps of training take the encoder much further when it need not find the scale out itself.
    """

    usual: Tensor
    deviation: Tensor

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
        if config.standardised:
            self.register_buffer("usual", torch.zeros(config.skeleton.n_joints, 3))
            self.register_buffer("deviation", torch.ones(config.skeleton.n_joints, 3))

    def standardise_by(self, frames: Tensor) -> None:
        """Take mean and deviation of every coordinate from frames (N, J, 3), those of the training clips.

        A coordinate that hardly varies (joint 0, always) is divided by a hundredth of the skeletons' overall spread.
        """
        centred = frames - frames[:, :1]
        self.usual.copy_(centred.mean(dim=0))
        self.deviation.copy_(centred.std(dim=0).clamp(min=0.01 * float(centred.std())))

    def nodes(self, x: Tensor) -> dict[str, Tensor]:
        """(..., J, 3) -> {scale: (..., n, 3)}, the nodes of every scale, relative to joint 0 of their own frame.

        Under autocast too in full precision, as these are also what is rebuilt: bf16 rounds a metre to 4 mm.
        """
        with torch.autocast(x.device.type, enabled=False):
            centred = x - x[..., :1, :]
            if self.config.standardised:
                centred = (centred - self.usual) / self.deviation
            return {name: self.get_buffer(f"pooling_{name}") @ centred for name in self.config.scales}

    def graph_states(self, nodes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """{scale: nodes (..., n, 3)} -> {scale: g (..., n, d)}, the fused graph states of section 3."""
        leading, is_cuda = next((value.shape[:-2], value.is_cuda) for value in nodes.values())
        block = leading.numel() if is_cuda else CPU_BLOCK
        parts = []
        for part in zip(*(torch.split(nodes[name].flatten(0, -3), block) for name in self.structure), strict=True):
            v = {name: module(x) for (name, module), x in zip(self.structure.items(), part, strict=True)}
            parts.append(self.fusion(v))
        fused = {name: torch.cat([part[name] for part in parts]) for name in self.structure}
        return {name: g.view(*leading, *g.shape[1:]) for name, g in fused.items()}

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
