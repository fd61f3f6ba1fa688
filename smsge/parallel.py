"""Training on several GPUs (or processes): `torchrun` starts one process each, all of them run the same program.

Each takes its share of every batch; their gradients are summed, weighted by the clips behind them, so that a step is
the step that one process would make. Only the first process writes. Without `torchrun` there is one, and nothing here
does anything.
"""

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch import distributed as dist

_PATIENCE = timedelta(hours=2)
"""How long the others wait for the first, which clusters and validates alone."""


def size() -> int:
    """Processes in all, 1 without `torchrun`."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """Which of them this is; 0 is the one that writes."""
    return int(os.environ.get("RANK", 0))


def local_rank() -> int:
    """The number of its GPU on its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def join(device: torch.device) -> None:
    """Let the processes talk, from now until this one ends: NCCL between GPUs, gloo between CPUs."""
    if size() > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
        atexit.register(dist.destroy_process_group)


def share(which: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
    """(this process's clips of a batch, their part of it): every `size`-th clip, starting with the `rank`-th.

    Where a batch has fewer clips than there are processes, the others take its first clip with weight 0.
    """
    own = which[rank() :: size()]
    return (own, len(own) / len(which)) if len(own) else (which[:1], 0.0)


def sum_gradients(parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
    """Sum every gradient over the processes, in place; returns the sum of `loss`, one number each."""
    loss = loss.detach().float()
    if size() == 1:
        return loss
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([loss.reshape(1), *(gradient.flatten() for gradient in gradients)])
    dist.all_reduce(flat)
    parts = torch.split(flat[1:], [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
    return flat[0]


def copy_from_first(module: nn.Module) -> None:
    """Give every process the first one's parameters and buffers."""
    if size() == 1:
        return
    held = [{name: value.cpu() for name, value in module.state_dict().items()} if rank() == 0 else None]
    dist.broadcast_object_list(held, src=0)
    if rank() != 0 and held[0] is not None:
        module.load_state_dict(held[0])
