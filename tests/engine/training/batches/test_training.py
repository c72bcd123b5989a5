"""The order of examples against a loop over places; what reaches a program against plain indexing."""

from typing import Any

import jax
import numpy as np
import pytest

from engine import sharding as parallelism_module
from engine.interfaces import INDEX, VALID
from engine.parts.crops import Crops
from engine.sharding import Jit
from engine.training.batches.decoding import Decoder
from engine.training.batches.evaluation import evaluation_batches
from engine.training.batches.from_host import PREFETCHED_STEPS, FromHost
from engine.training.batches.on_device import OnDevice
from engine.training.batches.training import batch_source, from_host, part_batch
from tests.engine import photos, tiny

SIZES = [(7, 3), (8, 4), (3, 8), (1, 2), (5, 5)]  # (examples, batch size)


def example_at(place: int, n: int, seed: int) -> int:
    """The slow way: one place of the stream, from nothing but itself and the seed."""
    epoch, index = divmod(place, n)
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    return int(generator.permutation(n)[index])


@pytest.mark.parametrize(('n', 'batch_size'), SIZES)
def test_the_order_is_that_of_a_loop_over_places(n: int, batch_size: int) -> None:
    order = tiny.stream(n, batch_size, seed=3)
    for step in range(12):
        expected = [example_at(step * batch_size + row, n, seed=3) for row in range(batch_size)]
        assert order.indices(step).tolist() == expected


@pytest.mark.parametrize(('n', 'batch_size'), SIZES)
def test_every_epoch_sees_every_example_once(n: int, batch_size: int) -> None:
    order = tiny.stream(n, batch_size, seed=0)
    stream = np.concatenate([order.indices(step) for step in range(6 * n)])
    for epoch in range(6):
        assert sorted(stream[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_epochs_and_seeds_differ() -> None:
    one, other = tiny.stream(50, 50, seed=0), tiny.stream(50, 50, seed=1)
    orders = [tuple(each.indices(step)) for each in (one, other) for step in range(3)]
    assert len(set(orders)) == 6


def test_the_order_is_the_same_in_every_version() -> None:
    """A run continued after an upgrade goes on with the same examples."""
    assert tiny.stream(10, 10, seed=0).indices(0).tolist() == [8, 0, 3, 7, 6, 4, 1, 5, 2, 9]


def test_any_step_can_be_asked_for_directly() -> None:
    step, n, batch_size = 1_000_000, 7, 4
    used = tiny.stream(n, batch_size, seed=5)
    for earlier in (0, 1, step + 1, step - 1):
        used.indices(earlier)
    expected = [example_at(step * batch_size + row, n, seed=5) for row in range(batch_size)]
    assert tiny.stream(n, batch_size, seed=5).indices(step).tolist() == expected
    assert used.indices(step).tolist() == expected


@pytest.mark.parametrize(('n', 'batch_size'), SIZES)
def test_an_epoch_ends_with_the_step_that_sees_its_last_example(n: int, batch_size: int) -> None:
    expected = []
    for step in range(1, 13):
        seen = range((step - 1) * batch_size, step * batch_size)
        expected += [step for place in seen if place % n == n - 1]
    order = tiny.stream(n, batch_size, seed=0)
    assert [step for step in range(1, 13) if order.ends_epoch(step)] == sorted(set(expected))


def test_epochs_of_steps() -> None:
    order = tiny.stream(8, 2, seed=0)
    assert [order.epoch(step) for step in (0, 1, 4, 6)] == [0.0, 0.25, 1.0, 1.5]


@pytest.mark.parametrize(('n', 'batch_size'), [(3, 8), (8, 8), (9, 8), (16, 8), (23, 8), (1, 1)])
def test_evaluation_counts_every_example_once(n: int, batch_size: int) -> None:
    examples = tiny.examples(n)
    batches = list(evaluation_batches(examples, batch_size))
    assert all(len(array) == batch_size for batch in batches for array in batch.values())
    for name, array in examples.arrays.items():
        valid = np.concatenate([batch[name][batch[VALID]] for batch in batches])
        np.testing.assert_array_equal(valid, array)


def test_padding_is_an_example_of_its_batch() -> None:
    examples = tiny.examples(5)
    last = list(evaluation_batches(examples, 4))[-1]
    assert last[VALID].tolist() == [True, False, False, False]
    for name, array in examples.arrays.items():
        np.testing.assert_array_equal(last[name], array[[4, 4, 4, 4]])


@pytest.fixture(scope='module', params=[1, 2], ids=['1 device', '2 devices'])
def parallelism(request: pytest.FixtureRequest) -> Jit:
    return Jit(data=request.param)


@pytest.mark.parametrize('kind', [OnDevice, from_host])
@pytest.mark.parametrize('count', [1, 3])
def test_a_program_is_given_the_batches_of_its_steps(kind: Any, count: int, parallelism: Jit) -> None:
    examples, order = tiny.examples(7), tiny.order(7, 4, seed=2)
    source = kind(examples, order, parallelism)
    program = jax.jit(lambda fed: [source.batch(fed, index) for index in range(count)])
    compiled = program.trace(source.shapes(count)).lower().compile()
    for step in (0, 5):
        for index, batch in enumerate(compiled(source.inputs(step, count))):
            assert batch.keys() - {INDEX} == examples.arrays.keys()
            for name, array in examples.arrays.items():
                np.testing.assert_array_equal(batch[name], array[order.indices(step + index)], strict=True)


@pytest.mark.parametrize('kind', [OnDevice, from_host])
def test_a_batch_may_be_indexed_by_a_loop_of_the_program(kind: Any) -> None:
    examples, order = tiny.examples(7), tiny.order(7, 4, seed=2)
    source = kind(examples, order, Jit())
    labels = jax.jit(lambda fed: jax.lax.map(lambda index: source.batch(fed, index)['label'], np.arange(3)))
    expected = [examples.arrays['label'][order.indices(step)] for step in (6, 7, 8)]
    np.testing.assert_array_equal(labels(source.inputs(6, 3)), expected)


def test_examples_that_fit_stay_on_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    examples, order = tiny.examples(4), tiny.order(4, 2, seed=0)
    bytes_of_all = 4 * (16 + 4)
    monkeypatch.setattr('engine.training.batches.training.MAX_DEVICE_BYTES', bytes_of_all)
    assert isinstance(batch_source(examples, order, Jit()), OnDevice)
    monkeypatch.setattr('engine.training.batches.training.MAX_DEVICE_BYTES', bytes_of_all - 1)
    assert isinstance(batch_source(examples, order, Jit()), FromHost)


def decoded(workers: int) -> Any:
    return photos.examples(7, Crops(size=16, workers=workers))


@pytest.mark.parametrize('workers', [0, 1, 2])
@pytest.mark.parametrize('count', [1, 3])
def test_images_of_varying_size_are_those_of_their_steps(count: int, workers: int, parallelism: Jit) -> None:
    """Whether the steps come one after another, as in training, or another one is asked for."""
    order, slow = tiny.order(7, 4, seed=2), decoded(0)
    source = batch_source(decoded(workers), order, parallelism)
    program = jax.jit(lambda fed: [source.batch(fed, index) for index in range(count)])
    compiled = program.trace(source.shapes(count)).lower().compile()
    for step in (0, count, 2 * count, 50, 1, 50 + count):
        for index, batch in enumerate(compiled(source.inputs(step, count))):
            expected = part_batch(slow, order, step + index)
            assert batch.keys() | {INDEX} == expected.keys()
            for name, array in batch.items():
                np.testing.assert_array_equal(array, expected[name], strict=True)


@pytest.mark.parametrize('count', [1, 2, 4])
def test_processes_make_the_same_batches_of_images_together(count: int) -> None:
    """Each decodes its own rows: put together they are those that one process decodes."""
    examples, order = decoded(1), tiny.order(7, 8, seed=0)
    for step in (0, 3):
        whole = part_batch(examples, order, step)['image']
        parts = [
            Decoder(examples).training(order.indices(step), order.seed, step, rows).result()['image']
            for rows in np.split(np.arange(8), count)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize(('n', 'batch_size'), [(3, 8), (8, 4), (9, 4), (1, 1)])
def test_evaluation_decodes_every_image_once_in_order(n: int, batch_size: int, workers: int) -> None:
    examples = photos.examples(n, Crops(size=16, workers=workers))
    batches = list(evaluation_batches(examples, batch_size))
    assert all(len(array) == batch_size for batch in batches for array in batch.values())
    result = np.concatenate([batch['image'][batch[VALID]] for batch in batches])
    expected = [examples.decode.evaluate(each, 3) for each in examples.encoded['image']]
    np.testing.assert_array_equal(result, expected)


def test_evaluation_decodes_for_the_devices_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    examples, mesh = photos.examples(6), Jit().mesh
    whole = list(evaluation_batches(examples, 4))
    monkeypatch.setattr(parallelism_module, 'local_rows', lambda mesh, count: np.arange(count // 2, count))
    for batch, expected in zip(evaluation_batches(examples, 4, mesh), whole, strict=True):
        np.testing.assert_array_equal(batch['image'][2:], expected['image'][2:])
        assert not batch['image'][:2].any()
        np.testing.assert_array_equal(batch['label'], expected['label'])


def test_few_batches_are_decoded_ahead() -> None:
    """Memory stays bounded, however slow the steps are."""
    seen: list[int] = []

    class Counted(Crops):
        def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
            seen.append(1)
            return super().train(data, channels, draws)

    source = batch_source(photos.examples(8, Counted(size=16, workers=0)), tiny.order(8, 4, seed=0), Jit())
    for step in range(5):
        source.inputs(step, 1)
        assert len(seen) == 4 * (step + 1 + PREFETCHED_STEPS)
