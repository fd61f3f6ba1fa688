"""The lift: from what a pose estimator makes of a body in one picture to the body, learned from walkers of whom both
are known.

The depth of a joint is guessed, and badly: of a limb that points at the camera the guess is too short, and one side of
the body hides the other. Yet most of that error repeats itself wherever the body stands in the same way to the camera,
so it can be learned. With x the joints of one frame, in statures from the mid-hip and in the axes of the ray to the
person,

    lifted = x + f(x),

f a perceptron with two hidden layers (ReLU), fitted by least squares to walkers and to their mirror images.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.joints import MIRROR, in_statures
from pipeline.values import Progress, silent
from smsge.layouts import CASIA14

Array = NDArray[np.floating]

WIDTH = 256
"""Of both hidden layers."""
EPOCHS = 12
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
    # Here, because scikit-learn takes seconds to import and a search does not need it.
    from sklearn.neural_network import MLPRegressor

    given, wanted = (np.concatenate([frames, frames[:, MIRROR] * (-1, 1, 1)]).reshape(-1, _SIZE).astype(np.float64)
                     for frames in (seen, true))  # fmt: skip
    size = float((wanted - given).std())
    model = MLPRegressor(hidden_layer_sizes=(WIDTH, WIDTH), alpha=1e-3, batch_size=512, random_state=seed)
    for epoch in range(EPOCHS):
        model.partial_fit(given, (wanted - given) / size)
        progress("fitting the lift", epoch + 1, EPOCHS)
    layers = [*zip(model.coefs_, model.intercepts_, strict=True)]
    layers[-1] = layers[-1][0] * size, layers[-1][1] * size
    return Lift(tuple(layers))
