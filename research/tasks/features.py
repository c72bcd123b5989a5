"""Features of images from a frozen network. Generated and real images are compared by them."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from engine.errors import UserError
from engine.parts.scaling import scaled
from engine.workspace import REPOSITORY

_LAYOUT = ('NHWC', 'HWIO', 'NHWC')


class Extractor(Protocol):
    """Maps images to features. The same images always have the same features."""

    def __call__(self, images: jax.Array) -> jax.Array:
        """Returns features f32 [B, d] of images uint8 or uint16 [B, H, W, C]."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Returns what distinguishes this extractor from others: its name and the digest of its arrays."""
        ...


@dataclass(frozen=True)
class Convolutions:
    """A frozen network of 3x3 convolutions with ReLU. Features are the spatial mean of the last layer.

    The network is defined by its file alone, not by the code of a model, so that features stay comparable.

    >>> images = jnp.zeros((2, 8, 8, 1), jnp.uint8)
    >>> Convolutions('data/digits/classifier.npz')(images).shape
    (2, 32)

    Args:
      file: an .npz file. For each layer i = 0, 1, ... it holds `kernel_<i>`, float [3, 3, inputs, outputs],
        and `bias_<i>`, float [outputs]. `halve`, bool [layers], says which layers follow a 2x2 max pooling. A
        relative path starts at the repository.
    """

    file: str

    def __call__(self, images: jax.Array) -> jax.Array:
        """Returns features f32 [B, d] of images uint8 or uint16 [B, H, W, C]."""
        x = scaled(images)
        for layer, halve in enumerate(self._arrays['halve']):
            if halve:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
            kernel, bias = (
                jnp.asarray(self._arrays[f'{name}_{layer}'], jnp.float32) for name in ('kernel', 'bias')
            )
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=_LAYOUT)
            x = nnx.relu(x + bias[None, None, None])
        return x.mean((1, 2))

    def describe(self) -> Mapping[str, str]:
        """Returns the file and its sha256."""
        return {'extractor': self.file, 'extractor_sha256': hashlib.sha256(self._content).hexdigest()}

    @cached_property
    def _content(self) -> bytes:
        path = REPOSITORY / self.file
        if not path.is_file():
            raise UserError(f'there is no {path}: bind Convolutions.file to the arrays of an extractor.')
        return path.read_bytes()

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return dict(np.load(io.BytesIO(self._content), allow_pickle=False))
