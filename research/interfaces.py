"""What the engine and your research agree on: protocols and types. Imports jax and flax alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class Spec:
    """What a dataset promises of each example.

    Attributes:
      example: shape and dtype of each field of one example, without a batch axis.
      class_names: names of the classes in the order of their indices; empty where there are none.
    """

    example: Mapping[str, jax.ShapeDtypeStruct]
    class_names: tuple[str, ...] = ()
