"""Every order gives the same batches however it is asked: where data lie, on any devices, at any step."""

from typing import Any

import numpy as np
import pytest

from engine.datasets.orders.order import MAIN, Part
from engine.interfaces import INDEX
from engine.parts.crops import Crops
from engine.parts.orders import Balanced, Curriculum, Sequential, Shuffled, Weighted
from engine.sharding import Jit
from engine.training.batches.decoding import Decoder
from engine.training.batches.on_device import OnDevice
from engine.training.batches.training import PartOrder, from_host, part_orders, training_batch
from tests.engine import photos, tiny

N, B, SEED = 7, 4, 2
ORDERS: dict[str, Any] = {
    'shuffled': Shuffled(),
    'sequential': Sequential(),
    'weighted': Weighted('label'),
    'balanced': Balanced(),
    'curriculum': Curriculum(steps=6, field='label', start=0.3),
}
FAR = 1_000_000


@pytest.fixture(params=ORDERS)
def order(request: pytest.FixtureRequest) -> Any:
    return ORDERS[request.param]


def bound(order: Any, part: Part) -> PartOrder:
    parts = {MAIN: part}
    return part_orders(parts, order.bind(parts, SEED), SEED)[MAIN]


def test_any_step_can_be_asked_for_directly(order: Any) -> None:
    """As a run does that resumes there, on a machine that knows nothing of earlier steps."""
    part = tiny.part(tiny.examples(50), B)
    used = bound(order, part)
    through = {step: used.indices(step) for step in (*range(30), FAR + 1, FAR)}
    for step, expected in through.items():
        np.testing.assert_array_equal(bound(order, part).indices(step), expected)


def test_the_batch_size_cuts_one_stream(order: Any) -> None:
    """Up to the pace of a curriculum, which counts steps."""
    data = tiny.examples(50)
    small, large = (bound(order, tiny.part(data, size)) for size in (5, 15))
    for step in (100, FAR):
        pieces = [small.indices(3 * step + offset) for offset in range(3)]
        np.testing.assert_array_equal(np.concatenate(pieces), large.indices(step))


def test_seeds_differ(order: Any) -> None:
    part = tiny.part(tiny.examples(50), 50)
    first, second = (order.bind({MAIN: part}, seed).indices(0)[MAIN].tolist() for seed in (0, 1))
    assert (first == second) is isinstance(order, Sequential)


def test_data_on_the_devices_and_on_the_host_make_the_same_batches(order: Any) -> None:
    """One step or four per dispatch."""
    data = tiny.examples(N)
    examples_of = bound(order, tiny.part(data, B))
    for kind in (OnDevice, from_host):
        source: Any = kind(data, examples_of, Jit(data=2))
        for count in (1, 4):
            payload = source.inputs(FAR, count)
            for index in range(count):
                batch = source.batch(payload, index)
                for name, array in data.arrays.items():
                    np.testing.assert_array_equal(batch[name], array[examples_of.indices(FAR + index)])


@pytest.mark.parametrize('count', [1, 2, 4])
def test_processes_make_the_same_batches_together(order: Any, count: int) -> None:
    """Each asks its own copy of the order, and takes and decodes its own rows."""
    data = photos.examples(N, Crops(size=8, workers=0))
    part = tiny.part(data, 8)
    whole = training_batch({MAIN: part}, order.bind({MAIN: part}, SEED), SEED, FAR)
    images, labels = [], []
    for rows in np.split(np.arange(8), count):
        indices = bound(order, part).indices(FAR)
        images.append(Decoder(data).training(indices, SEED, FAR, rows).result()['image'])
        labels.append(data.arrays['label'][indices[rows]])
    np.testing.assert_array_equal(np.concatenate(images), whole['image'])
    np.testing.assert_array_equal(np.concatenate(labels), whole['label'])
    assert whole[INDEX].tolist() == [*range(8)]


@pytest.mark.parametrize(('n', 'batch_size'), [(7, 3), (8, 4), (3, 8), (1, 2), (5, 5)])
def test_epochs_have_as_many_draws_as_examples(order: Any, n: int, batch_size: int) -> None:
    data = tiny.examples(n)
    data.arrays['label'][0] = 1  # one weight at least is not 0
    stream = order.bind({MAIN: tiny.part(data, batch_size)}, SEED)
    for step in (*range(1, 13), FAR):
        assert stream.epoch(step) == step * batch_size / n
        seen = range((step - 1) * batch_size, step * batch_size)
        assert stream.ends_epoch(step) is any(place % n == n - 1 for place in seen)
