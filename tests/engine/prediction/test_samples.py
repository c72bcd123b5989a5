"""Any number of samples beside the examples of a split, against one row at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.interfaces import keys_by_row
from engine.outputs import kind_folders
from engine.prediction.predictions import predict
from engine.prediction.samples import Samples
from engine.sharding import Jit
from tests.engine import tiny

KIND = kind_folders.declaration('generation')


def generate(state: Any, batch: Any) -> dict[str, jax.Array]:
    """Samples that depend on their number alone, and features of the examples."""
    del state
    noise = jax.vmap(lambda key: jax.random.uniform(key, (2, 2, 1)))(keys_by_row(jax.random.key(0), batch))
    return {
        'samples': (255 * noise).astype(jnp.uint8),
        'features': noise.reshape(len(noise), -1),
        'reference_features': batch['image'].reshape(len(noise), -1).astype(jnp.float32),
    }


def made(examples: Any, number: int | None) -> dict[str, np.ndarray]:
    samples = None if number is None else Samples(number, KIND)
    return predict(generate, {}, examples, 4, Jit().mesh, samples=samples)  # type: ignore[arg-type]


@pytest.mark.parametrize('number', [1, 4, 6, 7, 8, 23])
def test_samples_are_free_and_references_occur_once(number: int) -> None:
    examples = tiny.examples(7)
    plain, result = made(examples, None), made(examples, number)
    assert {name: len(array) for name, array in result.items()} == {
        'samples': number,
        'features': number,
        'reference_features': 7,
    }
    np.testing.assert_array_equal(result['reference_features'], plain['reference_features'])
    common = min(number, 7)
    np.testing.assert_array_equal(result['samples'][:common], plain['samples'][:common])
    assert len(np.unique(result['features'], axis=0)) == number  # no sample twice
    assert Samples(number, KIND).ids == [str(index) for index in range(number)]


def test_the_default_is_one_sample_per_example() -> None:
    plain, result = made(tiny.examples(9), None), made(tiny.examples(9), 9)
    for name, array in plain.items():
        np.testing.assert_array_equal(result[name], array)


@pytest.mark.parametrize('kind', kind_folders.names())
def test_only_samples_of_generators_are_free(kind: str) -> None:
    assert kind_folders.declaration(kind).is_unpaired == (kind == 'generation')
