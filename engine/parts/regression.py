"""Regression: one or more numbers for each example."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class Regression(Supervised):
    """Squared error on the fields `features` (f32 [...]) and `targets` (f32 [K]).

    Args:
      model: called with input_shape, outputs (the number K of targets) and rngs; maps f32 [B, ...] to f32 [B,
        K].
    """

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's features and targets."""
        spec.require('regression', 'features', 'targets')
        features, targets = spec.example['features'], spec.example['targets']
        if len(targets.shape) != 1:
            raise UserError(
                f"regression needs targets of shape [K]; the dataset's have shape {list(targets.shape)}."
            )
        return self.model(input_shape=features.shape, outputs=targets.shape[0], rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the features, f32 [B, ...]. The dataset scales them, because it knows their units."""
        return batch['features'].astype(jnp.float32)

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns squared error (the loss) and absolute error, f32 [B]: means over the targets of an example.

        Args:
          output: predicted targets, f32 [B, K].
          batch: with `targets`, f32 [B, K].
        """
        errors = output - batch['targets']
        return {'loss': jnp.square(errors).mean(-1), 'absolute_error': jnp.abs(errors).mean(-1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the predicted targets, f32 [B, K]."""
        return {'values': output.astype(jnp.float32)}

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='regression',
            predictions={'values': 'predicted targets, in the units of the dataset'},
            truth={'targets': 'targets'},
        )
