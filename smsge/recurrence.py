"""The LSTM over graph states: many subsequences of the same clips in one call, nothing computed twice, no padding.

Section 4 of the SM-SGE paper (arXiv 2107.01903). Symbols: B clips, f frames, F numbers a frame, D_h hidden width; a
plan says which frame each of its E entries reads, and from which entry it goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

LAYERS = 2

sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


@dataclass(frozen=True)
class Plan:
    """Subsets of a clip's frames laid out step by step, longest first, as PyTorch packs sequences.

    On the CPU the plan is a tree: subsets that begin with the same frames share the entries of these, as their states
    are the same. Of the 210 entries that one random subset of each length 1..20 has, some 160 are left. cuDNN runs
    sequences, not trees: on CUDA every subset has entries of its own.

    order: (E,) long, the frame of each entry. parent: (E,) long, the number of the entry that it follows among the
    entries of the step before, 0 in the first step. running: for each step, how many entries it has; their sum is E.
    weight: (E,) float32, the sum of 1 / (number of subsets * length) over the subsets that have the entry: with it,
    a sum over entries is the mean over a subset's steps, then over the subsets.
    """

    order: Tensor
    parent: Tensor
    running: tuple[int, ...]
    weight: Tensor

    @staticmethod
    def of(subsets: Sequence[Tensor], device: torch.device | None = None) -> "Plan":
        """subsets: long tensors (k,), k >= 1, frame numbers in time order. Tensors of the plan go to `device`."""
        return Plan.laid_out(subsets, device, share=device is None or device.type != "cuda")

    @staticmethod
    def laid_out(subsets: Sequence[Tensor], device: torch.device | None, share: bool) -> "Plan":
        """The plan with shared beginnings or without: `of` knows which of the two the device wants."""
        rows = sorted((tuple(subset.tolist()) for subset in subsets), key=len, reverse=True)
        order: list[int] = []
        parent: list[int] = []
        weight: list[float] = []
        running: list[int] = []
        before: dict[tuple[int, ...], int] = {}
        for t in range(len(rows[0])):
            weights: dict[tuple[int, ...], float] = {}  # of the distinct beginnings of t + 1 frames
            for number, row in enumerate(rows):
                if len(row) > t:
                    beginning = (0 if share else number, *row[: t + 1])
                    weights[beginning] = weights.get(beginning, 0.0) + 1 / (len(rows) * len(row))
            order += [beginning[-1] for beginning in weights]
            parent += [before.get(beginning[:-1], 0) for beginning in weights]
            weight += weights.values()
            running.append(len(weights))
            before = {beginning: place for place, beginning in enumerate(weights)}
        entries, parents = (torch.tensor(numbers, device=device) for numbers in (order, parent))
        return Plan(entries, parents, tuple(running), torch.tensor(weight, device=device))


class SubsetLSTM(nn.LSTM):
    """A 2-layer LSTM with one trained bias a gate, run over the subsets of a plan.

    PyTorch has two biases a gate and TensorFlow, the paper's framework, one; only one can matter, so the second is a
    buffer of zeros that is neither trained, counted nor saved. On CUDA this is cuDNN's fused LSTM, and for one sequence
    on the CPU it is oneDNN's. For many subsets on the CPU, where PyTorch's own LSTM rebuilds every weight's gradient
    at every step and knows no trees, it is `_LSTMLayer` below, which takes a third of the time (benchmarks/encoder.py).

    Shapes: frames (f, B, F), time first; plan of E entries -> (E, B, D_h), the second layer's state after each entry.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, num_layers=LAYERS)
        for layer in range(LAYERS):
            delattr(self, f"bias_hh_l{layer}")
            self.register_buffer(f"bias_hh_l{layer}", torch.zeros(4 * hidden), persistent=False)

    def reset_parameters(self) -> None:
        """Xavier for what multiplies; zeros for what is added, but ones for the forget gates, which start open."""
        for name, parameter in self.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
                nn.init.ones_(parameter.data[self.hidden_size : 2 * self.hidden_size])

    def over(self, frames: Tensor, plan: Plan) -> Tensor:
        """Run every subset of the plan from a zero state; see the class for the shapes."""
        clips = frames.shape[1]
        if len(plan.running) == len(plan.order):  # one subset
            return self(frames[plan.order])[0]  # type: ignore[no-any-return]
        if frames.is_cuda:
            packed = PackedSequence(frames[plan.order].flatten(0, 1), torch.tensor(plan.running) * clips)
            states: PackedSequence = self(packed)[0]
            return states.data.view(len(plan.order), clips, -1)
        state: Tensor = frames
        for layer in range(LAYERS):
            weights = [getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih")]
            order = plan.order if layer == 0 else None  # the second layer reads the first's entries as they come
            state = _LSTMLayer.apply(state, *weights, order, plan)  # type: ignore[no-untyped-call]
        return state


class _LSTMLayer(torch.autograd.Function):
    r"""One LSTM layer over the entries of a plan, with the gradient written out.

    .. math::
        (i, f, g, o) = x W_{ih}^T + h_{t-1} W_{hh}^T + b, \quad
        c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(g), \quad h_t = \sigma(o) \tanh(c_t)

    Savings over the general implementation: an input is projected once however many entries read it; each step,
    forward and back, does all that it has to do with its block of entries while they are in the cache; and of the
    backward pass only the gradients of the weights and the inputs outlive their step. All in float32 under autocast.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, order: Tensor | None, plan: Plan
    ) -> Tensor:
        width, clips = w_hh.shape[1], x.shape[1]
        gates = x.new_empty(sum(plan.running), clips, 4 * width)  # activations, each written where its sum was
        h, c = (x.new_empty(len(gates), clips, width) for _ in range(2))
        projected = _affine(x, w_ih, bias) if order is not None else None
        for now, before in _steps(plan):
            i, f, g, o = gates[now].chunk(4, dim=2)
            if order is None or projected is None:
                _affine(x[now], w_ih, bias, out=gates[now])
            else:
                torch.index_select(projected, 0, order[now], out=gates[now])
            if before is not None:
                gates[now].flatten(0, 1).addmm_(h[before].index_select(0, plan.parent[now]).flatten(0, 1), w_hh.t())
            for gate in (i, f, o):
                gate.sigmoid_()
            torch.mul(i, _tanh_(g), out=c[now])
            if before is not None:
                c[now].addcmul_(f, c[before].index_select(0, plan.parent[now]))
            torch.mul(o, _tanh_(c[now].clone()), out=h[now])
        ctx.save_for_backward(x, w_ih, w_hh, order, gates, h, c)
        ctx.plan = plan
        return h

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w_ih, w_hh, order, gates, h, c = ctx.saved_tensors
        plan: Plan = ctx.plan
        grad_x, grad_ih, grad_hh = torch.empty_like(x), torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        grad_bias = w_ih.new_zeros(len(w_ih))
        grad_projected = x.new_zeros(*x.shape[:2], len(w_ih)) if order is not None else None
        d_h, d_c = (torch.zeros_like(h[-plan.running[-1] :]) for _ in range(2))  # nothing comes after the last step
        for now, before in reversed(_steps(plan)):
            i, f, g, o = gates[now].chunk(4, dim=2)
            d_gates = torch.empty_like(gates[now])
            d_i, d_f, d_g, d_o = d_gates.chunk(4, dim=2)
            d_h += grad[now]
            tanh_c = _tanh_(c[now].clone())
            sigmoid_backward(d_h * tanh_c, o, grad_input=d_o)
            d_c += tanh_backward(d_h.mul_(o), tanh_c)
            sigmoid_backward(d_c * g, i, grad_input=d_i)
            tanh_backward(d_c * i, g, grad_input=d_g)
            d_sums = d_gates.flatten(0, 1)
            if before is None:
                d_f.zero_()
            else:
                parent, rows = plan.parent[now], before.stop - before.start
                sigmoid_backward(d_c * c[before].index_select(0, parent), f, grad_input=d_f)
                grad_hh.addmm_(d_sums.t(), h[before].index_select(0, parent).flatten(0, 1))
                later_h, later_c = (d_sums @ w_hh).view_as(d_h), d_c.mul_(f)
                d_h, d_c = (h.new_zeros(rows, *h.shape[1:]) for _ in range(2))
                d_h.index_add_(0, parent, later_h)
                d_c.index_add_(0, parent, later_c)
            if grad_projected is not None:
                grad_projected.index_add_(0, order[now], d_gates)
            else:
                torch.mm(d_sums, w_ih, out=grad_x[now].flatten(0, 1))
                grad_ih.addmm_(d_sums.t(), x[now].flatten(0, 1))
                grad_bias += d_sums.sum(dim=0)
        if grad_projected is not None:
            d_sums = grad_projected.flatten(0, 1)
            torch.mm(d_sums, w_ih, out=grad_x.flatten(0, 1))
            grad_ih, grad_bias = d_sums.t() @ x.flatten(0, 1), d_sums.sum(dim=0)
        return grad_x, grad_ih, grad_hh, grad_bias, None, None


def _affine(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor | None = None) -> Tensor:
    """x W^T + b, into `out` where one is given: (n, B, F) -> (n, B, 4 D_h)."""
    rows = out.flatten(0, 1) if out is not None else None
    return torch.addmm(bias, x.flatten(0, 1), weight.t(), out=rows).view(*x.shape[:2], -1)


def _tanh_(x: Tensor) -> Tensor:
    """tanh x = 2 sigmoid(2 x) - 1, in place: PyTorch's own tanh takes six times as long on a CPU."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def _steps(plan: Plan) -> list[tuple[slice, slice | None]]:
    """For each step: its entries, and those of the step before (None at the first)."""
    ends = list(accumulate(plan.running))
    blocks = [slice(end - entries, end) for end, entries in zip(ends, plan.running, strict=True)]
    return list(zip(blocks, [None, *blocks], strict=False))
