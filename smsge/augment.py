"""Clips changed at random: moved joints, another size, frames left out.

A clip's draws depend on one number, drawn from the step's generator, and on the clip's own: not on which other clips
are in the batch. So the shares of a batch on several GPUs are together the batch on one.
"""

import numpy as np
import torch
from torch import Tensor


def perturbed(clips: Tensor, which: Tensor, generator: torch.Generator, noise: Tensor, scale: float) -> Tensor:
    """(B, f, J, 3) clips numbered `which` (B,) -> the same, differing as one person measured again would.

    x' = (1 + scale a) (x + noise b_j + noise / 2 c_kj) with a, b, c standard normal: a for the clip, b for each joint
    of it (a sensor's lasting error), c for each joint of each frame (its noise). noise: (J, 3), in the clips' unit.
    """
    if not noise.any() and not scale:
        return clips
    size, offsets, jitter = [], [], []
    for own in _own_draws(which, generator):
        size.append(own.standard_normal(1))
        offsets.append(own.standard_normal(clips.shape[2:]))
        jitter.append(own.standard_normal(clips.shape[1:]))
    a, b, c = (torch.from_numpy(np.stack(drawn)).to(clips) for drawn in (size, offsets, jitter))
    return (1 + scale * a[..., None, None]) * (clips + noise * b[:, None] + noise / 2 * c)


def masked(clips: Tensor, which: Tensor, generator: torch.Generator) -> Tensor:
    """(B, f, J, 3) clips numbered `which` (B,) -> (B, k, J, 3): k random frames of each, in time order.

    k is drawn uniformly from 1..f for the whole batch, the frames for each clip by itself. Masked frames are left out,
    not set to zero: to the encoder this is one of the subsequences on which it was trained.
    """
    frames = clips.shape[1]
    kept = int(torch.randint(1, frames + 1, (), generator=generator))
    chosen = np.stack([np.sort(own.permutation(frames)[:kept]) for own in _own_draws(which, generator)])
    return clips[torch.arange(len(clips))[:, None], torch.from_numpy(chosen)]


def _own_draws(which: Tensor, generator: torch.Generator) -> list[np.random.Generator]:
    step = int(torch.randint(2**62, (), generator=generator))
    return [np.random.default_rng([step, number]) for number in which.tolist()]
