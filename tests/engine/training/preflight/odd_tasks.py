"""Tasks whose hooks return what they should not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine.interfaces import Batch, Description
from engine.parts.classification import Classification
from engine.parts.regression import Regression

Arrays = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Returns(Classification):
    """Predicts arrays of any name, dtype and shape, such as {'logits': ('float32', ('B', 10))}."""

    arrays: Arrays
    kind: str = 'classification'
    meanings: tuple[str, ...] = ()
    truth: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        rows = len(output)
        return {
            name: jnp.zeros([rows if size == 'B' else size for size in shape], dtype)
            for name, (dtype, shape) in self.arrays.items()
        }

    def describe(self) -> Description:
        names = self.meanings or tuple(self.arrays)
        return Description(
            kind=self.kind,
            predictions=dict.fromkeys(names, 'of the test'),
            truth=self.truth,
            details=self.details,
        )


@dataclass(frozen=True, kw_only=True)
class ReturnsOther(Classification):
    """Its predictions are no arrays by name."""

    what: str

    def predictions(self, output: jax.Array, batch: Batch) -> Any:
        return {
            'bare': output,
            'list': [output],
            'nested': {'logits': {'a': output}},
            'none': {'logits': None},
            'number': {'logits': 1.5},
            'keys': {'logits': jax.random.split(jax.random.key(0), len(output))},
            'index': {3: output},
        }[self.what]


@dataclass(frozen=True, kw_only=True)
class Shows(Classification):
    """Its `debug_inputs` are any."""

    what: str

    def debug_inputs(self, batch: Batch) -> Any:
        images = self.inputs(batch)
        return {
            'bare': images,
            'nested': {'inputs': {'left': images, 'right': images}},
            'pair': {'inputs': (images, images)},
            'scalar': {'images': images, 'scale': jnp.float32(2)},
            'table': {'images': images, 'table': jnp.zeros((3, 4))},
            'none': {'images': None},
            'keys': {'keys': jax.random.split(jax.random.key(0), len(images))},
            'function': lambda: images,
        }[self.what]


@dataclass(frozen=True, kw_only=True)
class Detects(Returns):
    """Predicts boxes, and shows inputs of dtypes and names that files do not like."""

    def debug_inputs(self, batch: Batch) -> dict[str, jax.Array]:
        images = self.inputs(batch)
        return {
            'images': images.astype(jnp.bfloat16),
            'tokens': jnp.zeros((len(images), 5), jnp.int32),
            'waves': images.astype(jnp.complex64),
            'left/right': batch['image'],
            'file': jnp.zeros((len(images), 3), bool),
        }


class Masked(Regression):
    """Leaves missing targets out of its loss."""

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        known = jnp.isfinite(batch['targets'])
        errors = jnp.where(known, output - jnp.where(known, batch['targets'], 0), 0)
        return {'loss': jnp.square(errors).mean(-1)}


@dataclass(frozen=True, kw_only=True)
class Tokens(Classification):
    """The network gets several arrays: images, and integer tokens."""

    def inputs(self, batch: Batch) -> Any:
        tokens = batch['image'].reshape(len(batch['image']), -1).astype(jnp.int32)
        return {'images': super().inputs(batch), 'tokens': tokens, 'length': tokens[:, 0]}


class TwoInputs(nnx.Module):
    """Adds what it learns of images to what it learns of tokens."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, rngs: nnx.Rngs):
        self.images = nnx.Linear(math.prod(input_shape), outputs, rngs=rngs)
        self.tokens = nnx.Embed(256, outputs, rngs=rngs)

    def __call__(self, inputs: dict[str, jax.Array]) -> jax.Array:
        images = inputs['images'].reshape(len(inputs['images']), -1)
        return self.images(images) + self.tokens(inputs['tokens']).mean(1)
