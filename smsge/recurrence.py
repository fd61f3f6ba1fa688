"""The LSTM over graph states: many subsequences of the same clips in one call, nothing computed twice, no padding.

Section 4 of the SM-SGE paper (arXiv 2107.01903). Symbols: B clips, f frames, F numbers a frame, D_h hidden width; a
plan says which frame each of its E entries (subset, step) reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

LAYERS = 2


@dataclass(frozen=True)
class Plan:
    """Subsets of a clip's frames laid out step by step, longest first, as PyTorch packs sequences.

    order: (E,) long, the frame of each entry; the entries of step t are those of the subsets longer than t.
    running: for each step, how many subsets are still running; their sum is E.
    weight: (E,) float32, 1 / (number of subsets * length): the mean over a subset's steps, then over the subsets.
    """

    order: Tensor
    running: tuple[int, ...]
    weight: Tensor

    @staticmethod
    def of(subsets: Sequence[Tensor], device: torch.device | None = None) -> "Plan":
        """subsets: long tensors (k,), k >= 1, frame numbers in time order. Tensors of the plan go to `device`."""
        rows = sorted((subset.tolist() for subset in subsets), key=len, reverse=True)
        steps = [[row for row in rows if len(row) > t] for t in range(len(rows[0]))]
        order = torch.tensor([row[t] for t, alive in enumerate(steps) for row in alive])
        weight = torch.tensor([1 / (len(rows) * len(row)) for alive in steps for row in alive])
        return Plan(order.to(device), tuple(map(len, steps)), weight.to(device))


class SubsetLSTM(nn.LSTM):
    """A 2-layer LSTM with one trained bias a gate, run over the subsets of a plan.

    PyTorch has two biases a gate and TensorFlow, the paper's framework, one; only one can matter, so the second is a
    buffer of zeros that is neither trained, counted nor saved. On CUDA this is cuDNN's fused LSTM. On the CPU, where
    PyTorch's own LSTM rebuilds every weight's gradient at every step, it is `_LSTMLayer` below, which computes the
    same numbers in about half the time (benchmarks/encoder.py).

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
        if frames.is_cuda:
            packed = PackedSequence(frames[plan.order].flatten(0, 1), torch.tensor(plan.running) * clips)
            states: PackedSequence = self(packed)[0]
            return states.data.view(len(plan.order), clips, -1)
        state: Tensor = frames
        for layer in range(LAYERS):
            weights = [getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih")]
            order = plan.order if layer == 0 else None  # the second layer reads the first's entries as they come
            state = _LSTMLayer.apply(state, *weights, order, plan.running)  # type: ignore[no-untyped-call]
        return state


class _LSTMLayer(torch.autograd.Function):
    r"""One LSTM layer over packed subsets, with the gradient written out.

    .. math::
        (i, f, g, o) = x W_{ih}^T + h_{t-1} W_{hh}^T + b, \quad
        c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(g), \quad h_t = \sigma(o) \tanh(c_t)

    Two savings over the general implementation: an input is projected once however many subsets read it, and each
    weight's gradient is one product over all entries after the last step. Entries are kept packed, so that step t of
    the subsets still running is one block of rows, and their states at t - 1 the head of the block before.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, order: Tensor | None, running: tuple[int, ...]
    ) -> Tensor:
        width, clips = w_hh.shape[1], x.shape[1]
        gates = torch.addmm(bias, x.flatten(0, 1), w_ih.t())  # overwritten by activations, step after step
        if order is not None:
            gates = gates.view(len(x), -1).index_select(0, order).view(-1, 4 * width)
        h, c, tanh_c = (gates.new_empty(len(gates), width) for _ in range(3))
        for now, before in _blocks(running, clips):
            i, f, g, o = gates[now].chunk(4, dim=1)
            if before is not None:
                gates[now].addmm_(h[before], w_hh.t())
            gates[now][:, : 2 * width].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(i, g, out=c[now])
            if before is not None:
                c[now].addcmul_(f, c[before])
            torch.tanh(c[now], out=tanh_c[now])
            torch.mul(o, tanh_c[now], out=h[now])
        ctx.save_for_backward(x, w_ih, w_hh, order, gates, h, c, tanh_c)
        ctx.running = running
        return h.view(-1, clips, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w_ih, w_hh, order, gates, h, c, tanh_c = ctx.saved_tensors
        clips = x.shape[1]
        grad_h, grad_gates = grad.flatten(0, 1).clone(), torch.zeros_like(gates)
        grad_c = torch.zeros_like(c)
        previous_h = torch.zeros_like(h)
        for now, before in reversed(_blocks(ctx.running, clips)):
            i, f, g, o = gates[now].chunk(4, dim=1)
            d_i, d_f, d_g, d_o = grad_gates[now].chunk(4, dim=1)
            d_c = grad_c[now].addcmul_(grad_h[now] * o, 1 - tanh_c[now].square())
            torch.mul(d_c * g, i * (1 - i), out=d_i)
            torch.mul(d_c * i, 1 - g.square(), out=d_g)
            torch.mul(grad_h[now] * tanh_c[now], o * (1 - o), out=d_o)
            if before is not None:
                torch.mul(d_c * c[before], f * (1 - f), out=d_f)
                torch.mul(d_c, f, out=grad_c[before])
                grad_h[before].addmm_(grad_gates[now], w_hh)
                previous_h[now] = h[before]
        grad_projected = grad_gates
        if order is not None:
            grad_frames = grad_gates.new_zeros(len(x), clips * gates.shape[1])
            grad_projected = grad_frames.index_add_(0, order, grad_gates.view(len(order), -1)).view(-1, gates.shape[1])
        grad_x = (grad_projected @ w_ih).view_as(x) if ctx.needs_input_grad[0] else None
        grad_ih = grad_projected.t() @ x.flatten(0, 1)
        return grad_x, grad_ih, grad_gates.t() @ previous_h, grad_projected.sum(dim=0), None, None


def _blocks(running: tuple[int, ...], clips: int) -> list[tuple[slice, slice | None]]:
    """For each step: its rows, and the rows of the same subsets one step before (None at the first)."""
    blocks: list[tuple[slice, slice | None]] = []
    start, before = 0, 0
    for t, alive in enumerate(running):
        rows = alive * clips
        blocks.append((slice(start, start + rows), slice(before, before + rows) if t else None))
        start, before = start + rows, start
    return blocks
