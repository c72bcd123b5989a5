"""What is known to be true of the examples of a split, as a task describes it, for its outputs."""

from typing import Any

import numpy as np

from engine.datasets.building.labels import is_unlabelled
from engine.datasets.reading import images
from engine.datasets.reading.dataset import EncodedImages, Examples
from engine.interfaces import Description
from engine.outputs.pictures.sequence import Pictures


def arrays(examples: Examples, description: Description) -> dict[str, Any]:
    """Returns the truth by name: arrays [n, ...], and `Pictures` where images vary in size.

    Labels that no example has are left out.
    """
    known: dict[str, Any] = {}
    for name, field in description.truth.items():
        if field in examples.encoded:
            known[name] = pictures(examples.encoded[field])
        elif not is_unlabelled(examples.arrays[field]):
            known[name] = examples.arrays[field]
    return known


def pictures(encoded: EncodedImages) -> Pictures:
    """Returns images of a dataset in their own sizes, each decoded when it is asked for."""
    channels = encoded.channels

    def load(row: int) -> np.ndarray:
        return images.whole(encoded[row], channels)

    sizes = np.array([images.dimensions(data, channels) for data in encoded])
    return Pictures(load, sizes, np.uint8, channels)
