"""An order of examples that gives something wrong, or is not pure, is refused before training."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from engine.datasets.orders.order import MAIN, ByPart, Part
from engine.datasets.orders.streams import BlockStream
from engine.errors import UserError
from engine.parts.orders import Balanced, Curriculum, Sequential, Shuffled, Weighted
from engine.training.preflight import order
from engine.training.trainer import Trainer
from tests.engine import tiny

N, B = 6, 4


@dataclass
class Own:
    """A bound order and its own `bind`.

    Args:
      gives: the indices of a step.
      epochs: what `epoch` returns.
      ends: what `ends_epoch` returns.
    """

    gives: Callable[[int], Any]
    epochs: Any = 1.0
    ends: Any = False

    def bind(self, parts: Mapping[str, Part], seed: int) -> Any:
        """Returns itself."""
        return self

    def indices(self, step: int) -> Any:
        """Returns what a test wants."""
        return self.gives(step)

    def epoch(self, steps: int) -> Any:
        """Returns what a test wants."""
        return self.epochs

    def ends_epoch(self, step: int) -> Any:
        """Returns what a test wants."""
        return self.ends


@dataclass
class OwnStream(ByPart):
    """An order by its stream."""

    made: Callable[[int], Any]

    def stream(self, part: Part, seed: int) -> Any:
        """Returns what a test wants."""
        return self.made(seed)


def check(given: Any, data: Any = None) -> None:
    trainer = Trainer(dataset='tiny', task=tiny.classification(), steps=20, batch_size=B, order=given)
    trainer.data = data or tiny.part(tiny.examples(N), B).dataset
    order.check(trainer)


ORDERS = (Shuffled(), Sequential(), Weighted('label'), Balanced(), Curriculum(steps=5, field='label'))


@pytest.mark.parametrize('given', ORDERS, ids=lambda given: type(given).__name__)
def test_the_orders_of_the_engine_pass(given: Any) -> None:
    check(given)


@pytest.mark.parametrize('dtype', [np.int32, np.int64, np.uint8])
def test_whole_numbers_of_any_kind_pass(dtype: Any) -> None:
    check(Own(lambda step: {MAIN: np.arange(step, step + B).astype(dtype) % N}))
    check(Own(lambda step: {MAIN: [0, 1, 2, 3]}, epochs=np.float64(2.5), ends=np.True_))


@dataclass
class OwnFiles(Own):
    """An order that reads files.

    Args:
      files: what `origin` returns.
    """

    files: Any = None

    def origin(self) -> Any:
        """Returns what a test wants."""
        return self.files


class WithoutBind:
    """No order."""


counter = itertools.count()
IMPURE = np.random.default_rng(0)


def random_stream(seed: int) -> BlockStream:
    """Returns a stream that forgets its seed."""
    order = IMPURE.permutation(N)
    return BlockStream(lambda _: order, N, B)


WRONG: dict[str, tuple[Any, str]] = {
    'no bind': (WithoutBind(), 'Trainer.order: WithoutBind has no `bind(parts, seed)`. docs/orders.md'),
    'no stream': (
        OwnStream(lambda seed: None),
        'OwnStream.stream() returns nothing, but a `Stream` is needed',
    ),
    'an array': (OwnStream(np.arange), 'OwnStream.stream() returns a bare array, but a `Stream` is needed'),
    'empty block': (OwnStream(lambda seed: BlockStream(np.arange, 0, B)), 'a block of 0 examples is empty'),
    'short block': (
        OwnStream(lambda seed: BlockStream(lambda _: np.arange(5), 6, B)),
        'block 0 of a stream has the shape [5], not [6], the length that it states',
    ),
    'no files': (OwnFiles(np.arange), 'OwnFiles: origin() returns None, but the sha256 of each file by its'),
    'no sha256': (
        OwnFiles(np.arange, files={'a.csv': 1}),
        "origin() returns {'a.csv': 1}, but the sha256 of",
    ),
    'no dict': (Own(lambda step: np.arange(B)), 'Own: indices(0) returns a bare array, but a dict with'),
    'other part': (
        Own(lambda step: {'a': np.arange(B)}),
        "returns ['a'] as parts, but a dict with the indices",
    ),
    'too many': (
        Own(lambda step: {MAIN: np.arange(5)}),
        'gives int64 [5] as the indices of step 0, but whole',
    ),
    'floats': (Own(lambda step: {MAIN: np.ones(B)}), 'gives float64 [4] as the indices of step 0'),
    'booleans': (Own(lambda step: {MAIN: np.ones(B, bool)}), 'gives bool [4] as the indices of step 0'),
    'nothing': (Own(lambda step: {MAIN: None}), 'gives object [] as the indices of step 0'),
    'negative': (Own(lambda step: {MAIN: np.arange(B) - 1}), 'gives -1 to 2 as the indices of step 0'),
    'too large': (
        Own(lambda step: {MAIN: np.arange(B) + step}),
        'gives 19 to 22 as the indices of step 19, but whole numbers [4] from 0 to 5 are needed.',
    ),
    'counting': (
        Own(lambda step: {MAIN: np.full(B, next(counter) % N)}),
        'Trainer.order: Own gives other examples for step 0 when it is asked again, so that a run could not',
    ),
    'random bind': (OwnStream(random_stream), 'OwnStream gives other examples for step 0 when it is asked'),
    'random steps': (
        Own(lambda step: {MAIN: IMPURE.permutation(N)[:B]}),
        'Own gives other examples for step',
    ),
    'no epoch': (
        Own(lambda step: {MAIN: np.arange(B)}, epochs=None),
        'Own: epoch(20) returns None, but a number of epochs is needed.',
    ),
    'nan epochs': (Own(lambda step: {MAIN: np.arange(B)}, epochs=np.nan), 'epoch(20) returns nan, but a'),
    'no ends': (
        Own(lambda step: {MAIN: np.arange(B)}, ends=None),
        'Own: ends_epoch(1) returns None, but True or False is needed.',
    ),
}


@pytest.mark.parametrize('case', WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    given, expected = WRONG[case]
    with pytest.raises(UserError) as mistake:
        check(given)
    assert expected in str(mistake.value)
    assert 'PartStreams' not in str(mistake.value)
