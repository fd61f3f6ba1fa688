"""How long, how fast and in which portions something is trained. Light, as `config` is."""

import math
from dataclasses import dataclass

from smsge.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """How anything is trained, whatever its loss: the encoder, the head, the classifier.

    steps: optimiser steps, or epochs: passes over all clips; exactly one of the two is set. batch: clips a step.
    learning_rate: of Adam, reached after `warmup` steps and then lowered along half a cosine to `final_rate` times
    itself (1 keeps it). weight_decay: decoupled from the gradient (AdamW). max_gradient: norm gradients are cut to.
    checkpoint_every: steps between checkpoints, each with a validation loss and a row of the learning curve.
    seed: of every draw. bf16: autocast to bfloat16, and compile: `torch.compile` the loss; both on cuda only.

    Raises ConfigError, naming the key, for a value that cannot be used.
    """

    steps: int | None = None
    epochs: int | None = None
    batch: int = 128
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.0
    warmup: int = 200
    final_rate: float = 0.02
    max_gradient: float = 1.0
    checkpoint_every: int = 200
    seed: int = 1
    bf16: bool = True
    compile: bool = False

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ConfigError("steps: give either steps or epochs, and not both")
        for key in ("steps", "epochs", "batch", "checkpoint_every"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ConfigError(f"{key}: must be at least 1, got {value}")
        for key in ("learning_rate", "max_gradient"):
            if not 0 < getattr(self, key) < float("inf"):
                raise ConfigError(f"{key}: must be a number above 0, got {getattr(self, key)}")
        if self.warmup < 0 or not 0 <= self.final_rate <= 1:
            raise ConfigError(f"warmup must be at least 0 and final_rate in 0..1, got {self.warmup}, {self.final_rate}")
        if not 0 <= self.weight_decay < float("inf"):
            raise ConfigError(f"weight_decay: must be a number of at least 0, got {self.weight_decay}")

    def total(self, clips: int) -> int:
        """Steps in all, over a training set of that many clips."""
        return self.steps if self.steps is not None else (self.epochs or 0) * math.ceil(clips / self.batch)

    def rate_at(self, step: int, total: int) -> float:
        """Learning rate of step 0, 1, … of `total`."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, total - self.warmup)
        low = self.final_rate
        return self.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))
