"""The protocol of training batches on their way to the compiled training step.

A source prepares a payload on the host; inside the compiled program it makes the batch from the payload.
"""

from typing import Any, Protocol

import jax
import numpy as np


class BatchOrder(Protocol):
    """The order of the examples of one part, as sources ask for it."""

    @property
    def batch_size(self) -> int:
        """Examples per step, over all devices."""
        ...

    @property
    def seed(self) -> int:
        """The seed of the training."""
        ...

    @property
    def key(self) -> tuple[int, ...]:
        """What tells random numbers for this part from those for others."""
        ...

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        ...

    def indices_of_steps(self, step: int, count: int) -> np.ndarray:
        """Returns the indices of steps `step` to `step + count - 1`, int32 [count, B]."""
        ...


class BatchSource(Protocol):
    """Training batches for a program that runs one or several steps."""

    def inputs(self, step: int, count: int) -> Any:
        """Returns the payload of the program that runs steps `step` to `step + count - 1`."""
        ...

    def shapes(self, count: int) -> Any:
        """Returns the shapes, dtypes and shardings of the payload of `count` steps."""
        ...

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of step `index` of the payload, each array [B, ...]."""
        ...
