"""Batches of all expressions: what reaches a program against a slow loop, on the device and from the host."""

from typing import Any

import jax
import numpy as np
import pytest

from engine.datasets.orders.order import MAIN, Part, Shuffled
from engine.datasets.orders.streams import part_key
from engine.interfaces import INDEX
from engine.parts.crops import Crops
from engine.parts.datasets import First, Fold, Mixture, Named
from engine.sharding import Jit
from engine.training.batches import training
from engine.training.batches.decoding import Decoder
from engine.training.batches.training import part_orders, training_batch, training_source
from tests.engine import photos, tiny
from tests.engine.parts.datasets import members

BATCH, SEED = 4, 5
EXPRESSIONS = {
    'first': First('ants', 5, 'label'),
    'fold': Fold('ants', 1, 4),
    'mixture': Mixture(('ants', 'bees'), (1, 3)),
    'named': Named(First('ants', 6), {'x': 3}, x=Mixture(('ants', 'bees')), y='bees'),
}


def parts(name: str) -> dict[str, Part]:
    data = members.load(EXPRESSIONS[name])
    others = {part: Part(each, BATCH * data.spec.parts[part].multiple) for part, each in data.parts.items()}
    return {MAIN: Part(data, BATCH), **others}


def place(examples: Any, batch_size: int, part: str, step: int, row: int) -> int:
    """The slow way: one row of one step of a part without weights."""
    epoch, index = divmod(step * batch_size + row, len(examples))
    sequence = np.random.SeedSequence((SEED, epoch), spawn_key=part_key(part))
    return int(np.random.Generator(np.random.Philox(sequence)).permutation(len(examples))[index])


def test_each_part_is_shuffled_by_itself() -> None:
    known = parts('named')
    for step in (0, 7, 100):
        batch = training_batch(known, Shuffled().bind(known, SEED), SEED, step)
        for name, part in known.items():
            given = batch[name] if name else batch
            rows = [place(part.examples, part.batch_size, name, step, row) for row in range(part.batch_size)]
            np.testing.assert_array_equal(given['value'], part.examples.arrays['value'][rows])
            np.testing.assert_array_equal(given[INDEX], np.arange(part.batch_size))


@pytest.mark.parametrize('from_host', [False, True])
@pytest.mark.parametrize('name', EXPRESSIONS)
def test_a_program_is_given_the_batches_of_its_steps(
    name: str, from_host: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if from_host:
        monkeypatch.setattr(training, 'MAX_DEVICE_BYTES', 0)
    known, parallelism = parts(name), Jit()
    order = Shuffled().bind(known, SEED)
    source = training_source(known, order, SEED, parallelism)
    for count in (1, 3):
        program = jax.jit(
            lambda fed, count=count: [parallelism.batch(source.batch(fed, index)) for index in range(count)]
        )
        compiled = program.trace(source.shapes(count)).lower().compile()
        for step in (0, 6, 51):
            for offset, batch in enumerate(compiled(source.inputs(step, count))):
                expected = training_batch(known, order, SEED, step + offset)
                jax.tree.map(np.testing.assert_array_equal, batch, expected)


@pytest.mark.parametrize('count', [1, 2, 4])
def test_processes_decode_the_rows_of_each_part_together(count: int) -> None:
    examples = photos.examples(7, Crops(size=16, workers=0))
    known = {MAIN: tiny.part(examples, 4), 'x': tiny.part(examples, 8)}
    orders = part_orders(known, Shuffled().bind(known, SEED), SEED)
    whole = training_batch(known, orders[MAIN].order, SEED, 3)
    for name, order in orders.items():
        shares = [
            Decoder(examples).training(order.indices(3), SEED, 3, rows, order.key).result()['image']
            for rows in np.split(np.arange(order.batch_size), count)
        ]
        expected = whole[name]['image'] if name else whole['image']
        np.testing.assert_array_equal(np.concatenate(shares), expected)
    assert not np.array_equal(whole['image'], whole['x']['image'][:4])
