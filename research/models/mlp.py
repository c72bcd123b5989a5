"""A multilayer perceptron."""

import math
from itertools import pairwise

import jax
from flax import nnx


class MLP(nnx.Module):
    """Fully connected layers with ReLU and dropout between them.

    Args:
      input_shape: shape of one example, which the network flattens.
      outputs: number of outputs, such as classes.
      width: units of each hidden layer.
      depth: number of hidden layers.
      dropout: fraction of the hidden units that training drops.
      rngs: random streams for parameters and dropout.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.0,
        *,
        rngs: nnx.Rngs,
    ):
        sizes = [math.prod(input_shape), *[width] * depth]
        self.hidden = nnx.List(nnx.Linear(*pair, rngs=rngs) for pair in pairwise(sizes))
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output = nnx.Linear(sizes[-1], outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the outputs, such as logits, f32 [B, outputs], for x f32 [B, ...]."""
        x = x.reshape(x.shape[0], -1)
        for layer in self.hidden:
            x = self.dropout(nnx.relu(layer(x)))
        return self.output(x)
