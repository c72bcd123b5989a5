"""Prints for each augmentation whether 2 devices make the images that 1 device makes, to the bit."""

import json

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from engine.parts.augmentation import Chain, ColorJitter, Crop, Flip, RandAugment, RandomErasing, Shift
from tests.engine.parts.augmentation.photographs import photograph

AUGMENTATIONS = {
    'placement': Chain((Shift(2), Crop(2, 'reflect'), Flip())),
    'rand_augment': RandAugment(2, 15),
    'color_jitter': ColorJitter(0.4, 0.4, 0.4, 0.1),
    'random_erasing': RandomErasing(0.8),
}


def main() -> None:
    images = np.stack([photograph(24, 20, seed=seed) for seed in range(16)])
    keys = jax.random.split(jax.random.key(0), len(images))
    rows = NamedSharding(Mesh(np.array(jax.devices()[:2]), 'data'), PartitionSpec('data'))
    results = {}
    for name, augment in AUGMENTATIONS.items():
        on_one = np.asarray(jax.jit(augment)(keys, images))
        divided = jax.jit(augment, in_shardings=rows, out_shardings=rows)(keys, images)
        results[name] = [len(divided.sharding.device_set), np.array_equal(divided, on_one)]
    print(json.dumps(results))


if __name__ == '__main__':
    main()
