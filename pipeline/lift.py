"""The lift: from what a pose estimator makes of a body in one picture to the body, learned from walkers of whom both
are known.

The depth of a joint is guessed, and badly: of a limb that points at the camera the guess is too short, and one side of
the body hides the other. Yet most of that error repeats itself wherever the body stands in the same way to the camera,
so it can be learned. With x the joints of one frame, in statures from the mid-hip and in the axes of the ray to the
person,

    lifted = x + f(x),

f the mean of a few perceptrons with two hidden layers (ReLU), each fitted by least squares to walkers and to their
mirror images. How well a single one serves bodies unlike those depends on its seed; their mean does so less.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from pipeline.joints import MIRROR, in_statures
from pipeline.values import Progress, silent
from smsge.layouts import CASIA14

Array = NDArray[np.floating]

WIDTH = 256
"""Of both hidden layers of a perceptron."""
MEMBERS = 3
"""Perceptrons, of which the mean is taken."""
EPOCHS, BATCH, RATE = 60, 2048, 2e-3
"""Passes over the frames, frames of a step, and Adam's first learning rate, which falls to 0 along a cosine."""
_SIZE = 3 * CASIA14.n_joints


@dataclass(frozen=True, eq=False)
class Lift:
    """layers: weights (A, B) and offsets (B,) of each, the first with A = 42, the last with B = 42; none of them leaves
    joints as they are."""

    layers: tuple[tuple[Array, Array], ...] = ()

    def __call__(self, joints: Array) -> Array:
        """(T, 14, 3) of one person in any unit, x right of the picture, y up, z towards the camera -> the same in
        statures from the mid-hip, nearer to the truth."""
        given = in_statures(joints)
        if not self.layers:
            return given
        value = given.reshape(-1, _SIZE)
        for number, (weights, offsets) in enumerate(self.layers, start=1):
            value = value @ weights + offsets
            if number < len(self.layers):
                value = np.maximum(value, 0)
        return np.asarray(given + value.reshape(given.shape))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Named arrays, to be kept beside an encoder; `from_tensors` is the way back."""
        return {
            f"lift.{number}.{name}": np.asarray(values, np.float32)
            for number, layer in enumerate(self.layers)
            for name, values in zip(("weights", "offsets"), layer, strict=True)
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> "Lift":
        """The lift among them, which leaves joints as they are where there is none. Raises KeyError where a part is
        missing and ValueError where their shapes do not belong together."""
        count = len({name.split(".")[1] for name in tensors if name.startswith("lift.")})
        layers = tuple(
            (tensors[f"lift.{number}.weights"], tensors[f"lift.{number}.offsets"]) for number in range(count)
        )
        sizes = [_SIZE, *(offsets.size for _, offsets in layers)]
        if layers and sizes[-1] != _SIZE:
            raise ValueError(f"the lift ends with {sizes[-1]} numbers, {_SIZE} are needed")
        for (weights, offsets), above, below in zip(layers, sizes[:-1], sizes[1:], strict=True):
            if weights.shape != (above, below) or offsets.shape != (below,):
                raise ValueError(f"the lift's layers do not follow each other: {weights.shape} after {above} numbers")
        return cls(layers)


def fit_lift(seen: Array, true: Array, seed: int = 0, progress: Progress = silent) -> Lift:
    """seen, true: (N, 14, 3) frames of many people, estimated and as they were, as `Lift` takes them, in statures."""
    given, wanted = (np.concatenate([frames, frames[:, MIRROR] * (-1, 1, 1)]).reshape(-1, _SIZE).astype(np.float32)
                     for frames in (seen, true))  # fmt: skip
    error = wanted - given
    size = float(error.std())
    members = []
    for number in range(MEMBERS):

        def told(epoch: int, number: int = number) -> None:
            progress("fitting the lift", number * EPOCHS + epoch, MEMBERS * EPOCHS)

        members.append(_fitted(given, error / size, seed + number, told))
    return Lift(_mean(members, size))


def _fitted(given: Array, wanted: Array, seed: int, told: Callable[[int], None]) -> list[tuple[Array, Array]]:
    """Weights and offsets of each layer of one perceptron: (N, 42) -> (N, 42) by least squares."""
    import torch  # here, because it takes seconds to import and a gallery that is listed needs no lift
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = (_SIZE, WIDTH, WIDTH, _SIZE)
        linear = [nn.Linear(above, below) for above, below in pairwise(sizes)]
        model = nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])
        x, y = torch.from_numpy(given), torch.from_numpy(wanted)
        steps = EPOCHS * -(-len(x) // BATCH)
        optimiser = torch.optim.Adam(model.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for epoch in range(EPOCHS):
            for rows in torch.split(torch.randperm(len(x)), BATCH):
                loss = nn.functional.mse_loss(model(x[rows]), y[rows])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            told(epoch + 1)
    return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in linear]


def _mean(members: list[list[tuple[Array, Array]]], size: float) -> tuple[tuple[Array, Array], ...]:
    """The layers of one perceptron that gives the mean of what all members give, times `size`: theirs side by side."""
    first, inner, last = zip(*members, strict=True)
    share = size / len(members)
    return (
        (np.concatenate([weights for weights, _ in first], axis=1), np.concatenate([offsets for _, offsets in first])),
        (block_diag(*(weights for weights, _ in inner)), np.concatenate([offsets for _, offsets in inner])),
        (
            share * np.concatenate([weights for weights, _ in last]),
            share * np.sum([offsets for _, offsets in last], axis=0),
        ),
    )
