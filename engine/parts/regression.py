"""Regression: some numbers for each example."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class Regression(Supervised):
    """Squared error on the fields `features` (f32 [...]) and `targets` (f32 [k]).

    Args:
      model: called with input_shape, classes (the number k of targets) and rngs; maps f32 [B, ...]
        to f32 [B, k].
    """

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's features and targets."""
        missing = {'features', 'targets'} - spec.example.keys()
        if missing:
            fields = ', '.join(spec.example)
            raise UserError(f'regression needs the field {missing.pop()!r}; the dataset has: {fields}.')
        features, targets = spec.example['features'], spec.example['targets']
        if len(targets.shape) != 1:
            raise UserError(
                f'regression needs targets of shape [k]; the dataset has them as {list(targets.shape)}.'
            )
        return self.model(input_shape=features.shape, classes=targets.shape[0], rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the features, f32 [B, ...]: scaled by the dataset, which knows their units."""
        return batch['features'].astype(jnp.float32)

    def measure(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns squared error, as loss, and absolute error, f32 [B]: means over an example's targets."""
        errors = output - batch['targets']
        return {'loss': jnp.square(errors).mean(-1), 'absolute_error': jnp.abs(errors).mean(-1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the values f32 [B, k]."""
        return {'values': output.astype(jnp.float32)}

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='regression',
            predictions={'values': 'predicted targets, in the units of the dataset'},
            truth={'targets': 'targets'},
        )
