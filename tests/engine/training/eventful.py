"""What configs of event_runs.py name: a task that makes pictures, and trained parameters."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from engine.interfaces import Spec
from engine.parts.classification import Classification


@dataclass(frozen=True, kw_only=True)
class Pictured(Classification):
    """Shows its noise, which is the same at all steps, and the logits of it."""

    def pictures(self, model: Any, spec: Spec, key: jax.Array) -> dict[str, jax.Array]:
        """Returns two pictures."""
        noise = jax.random.normal(key, (5, 8, 8, 1))
        logits = model(noise)
        return {'noise': noise, 'logits': jnp.broadcast_to(logits[:, None, :, None], (5, 4, 10, 3))}


class Source:
    """Trained variables, made up."""

    def check(self, shapes: Any) -> str:
        """Finds that all fit."""
        return 'all'

    def load(self, shapes: Any) -> Any:
        """Returns noise."""

        def load(leaf: Any) -> jax.Array:
            value = 0.1 * jax.random.normal(jax.random.key(leaf.size), leaf.shape, leaf.dtype)
            return jax.device_put(value, leaf.sharding)

        return jax.tree.map(load, shapes)

    def origin(self) -> dict[str, Any]:
        """Returns a record."""
        return {'sha256': 'none'}
