"""A multilayer perceptron."""

import math
from itertools import pairwise

import jax
from flax import nnx


class MLP(nnx.Module):
    """Fully connected layers with ReLU and dropout between them.

    Args:
      input_shape: shape of one example; it is flattened.
      classes: number of outputs.
      width: units of each hidden layer.
      depth: number of hidden layers.
      dropout: fraction of hidden units that are dropped in training.
      rngs: random streams for parameters and dropout.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.0,
        *,
        rngs: nnx.Rngs,
    ):
        sizes = [math.prod(input_shape), *[width] * depth]
        self.hidden = nnx.List(nnx.Linear(inputs, outputs, rngs=rngs) for inputs, outputs in pairwise(sizes))
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output = nnx.Linear(sizes[-1], classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, classes] for x f32 [B, ...]."""
        x = x.reshape(x.shape[0], -1)
        for layer in self.hidden:
            x = self.dropout(nnx.relu(layer(x)))
        return self.output(x)
