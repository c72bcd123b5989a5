"""Predictions of a split against one example at a time, and as an outputs folder."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from research import outputs
from research.engine import datasets, predictions
from research.engine.parallelism import Jit
from research.engine.programs import compiled
from research.errors import UserError
from research.interfaces import Description
from tests import tiny

BOUND = tiny.classification().bind(tiny.SPEC)


@pytest.fixture(scope='module')
def state() -> Any:
    return jax.jit(BOUND.init)(jax.random.key(0))


@pytest.fixture(scope='module')
def program() -> Any:
    """Predicts a batch of 4, on two devices."""
    shapes = jax.eval_shape(BOUND.init, jax.random.key(0))
    split = Jit().shapes(tiny.batch(4), Jit().split())
    predict = jax.jit(BOUND.predict, out_shardings=Jit().split())
    return compiled(predict.trace(Jit().shapes(shapes, Jit().replicated), split))


@pytest.mark.parametrize('n', [1, 4, 9])
def test_each_example_is_predicted_in_its_place(n: int, program: Any, state: Any) -> None:
    examples = tiny.examples(n)
    state = jax.device_put(state, Jit().replicated)
    predicted = predictions.predict(program, state, examples, batch_size=4)
    assert predicted.keys() == {'logits'}
    assert predicted['logits'].shape == (n, 3)
    for index in range(n):
        alone: Any = {name: array[[index]] for name, array in examples.arrays.items()}
        expected = BOUND.predict(jax.device_get(state), alone)['logits'][0]
        np.testing.assert_allclose(predicted['logits'][index], expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope='module')
def digits() -> datasets.Dataset:
    return datasets.load('digits/toy')


def save(folder: Path, data: datasets.Dataset, value: float, overwrite: bool = False) -> None:
    description = Description('classification', {'logits': 'what comes out'}, {'labels': 'label'})
    logits = np.full((data.splits['test'], 10), value, np.float32)
    origin: dict[str, Any] = {'project': 'ours', 'run': 'today', 'step': 7}
    predictions.save(folder, {'logits': logits}, description, data, 'test', overwrite, **origin)


def test_outputs_hold_predictions_truth_and_origin(digits: datasets.Dataset, tmp_path: Path) -> None:
    save(tmp_path / 'test', digits, 1.5)
    saved, examples = outputs.read(tmp_path / 'test'), digits.split('test')
    assert (saved.kind, saved.project, saved.run, saved.step) == ('classification', 'ours', 'today', 7)
    assert (saved.dataset, saved.split) == ('digits/toy', 'test')
    assert (list(saved.ids), saved.class_names) == (examples.ids, digits.spec.class_names)
    np.testing.assert_array_equal(saved.arrays['labels'], examples.arrays['label'], strict=True)
    np.testing.assert_array_equal(saved.arrays['logits'], np.full((20, 10), 1.5, np.float32), strict=True)
    meanings = {name: each['meaning'] for name, each in saved.manifest['arrays'].items()}
    assert meanings == {'logits': 'what comes out', 'labels': "field 'label' of the dataset"}


def test_outputs_are_replaced_only_on_demand(digits: datasets.Dataset, tmp_path: Path) -> None:
    save(tmp_path / 'test', digits, 1.0)
    with pytest.raises(UserError, match='exists already'):
        save(tmp_path / 'test', digits, 2.0)
    assert outputs.read(tmp_path / 'test').arrays['logits'][0, 0] == 1
    save(tmp_path / 'test', digits, 2.0, overwrite=True)
    assert outputs.read(tmp_path / 'test').arrays['logits'][0, 0] == 2
