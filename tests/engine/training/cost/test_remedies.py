"""The search for bindings by which an experiment fits, on experiments whose need is a formula."""

from dataclasses import replace
from typing import Any

import pytest

from engine.training.cost import remedies
from engine.training.cost.remedies import MemorySettings, Remedy

SETTINGS = MemorySettings(
    accumulation_steps={'language.Language.accumulation_steps': 1},
    remat={'language.Language.remat': False, 'gpt2.GPT2.remat': False},
    fsdp=('sharding.Jit.fsdp = 8',),
    batch_size={'BATCH_SIZE': 64},
    devices=8,
)
STATE, FIXED = 1000, 100


class Experiment:
    """What it needs with some bindings; keeps which of them were tried."""

    def __init__(self) -> None:
        self.tried: list[remedies.Bindings] = []

    def __call__(self, bindings: remedies.Bindings) -> int | None:
        self.tried.append(bindings)
        values: dict[str, Any] = dict(binding.split(' = ') for binding in bindings)
        batch = int(values.get('BATCH_SIZE', 64))
        rows = batch / int(values.get('language.Language.accumulation_steps', 1))
        if rows < 8:
            return None  # it does not divide
        activations = 100 * rows / (4 if 'gpt2.GPT2.remat' in values else 1)
        return int(FIXED + STATE / int(values.get('sharding.Jit.fsdp', 1)) + activations)


def search(limit: int, **changes: Any) -> tuple[list[Remedy], Experiment]:
    experiment = Experiment()
    return [*remedies.search(replace(SETTINGS, **changes), experiment, limit)], experiment


def test_the_least_change_of_each_kind() -> None:
    found, experiment = search(6700)
    assert found == [
        Remedy(('gpt2.GPT2.remat = True',), 2700),
        Remedy(('language.Language.accumulation_steps = 2',), 4300),
        Remedy(('sharding.Jit.fsdp = 8',), 6625),
        Remedy(('BATCH_SIZE = 32',), 4300, changes_result=True),
    ]
    assert ('language.Language.remat = True',) in experiment.tried
    assert ('language.Language.accumulation_steps = 4',) not in experiment.tried


def test_all_that_keeps_the_result_together_where_nothing_alone_is_enough() -> None:
    found, _ = search(700)
    assert found == [
        Remedy(
            (
                'language.Language.remat = True',
                'gpt2.GPT2.remat = True',
                'sharding.Jit.fsdp = 8',
                'language.Language.accumulation_steps = 4',
            ),
            625,
        )
    ]


def test_a_batch_that_is_much_smaller_is_found_by_few_programs() -> None:
    alone = {'accumulation_steps': {}, 'remat': {}, 'fsdp': ()}
    found, experiment = search(102_600, batch_size={'BATCH_SIZE': 2**20}, **alone)
    assert found == [Remedy(('BATCH_SIZE = 512',), 52_300, changes_result=True)]
    assert len(experiment.tried) <= 4


def test_a_smaller_batch_keeps_whole_rows_for_each_device() -> None:
    found, experiment = search(3200, batch_size={'BATCH_SIZE': 88}, accumulation_steps={}, remat={}, fsdp=())
    assert found == [Remedy(('BATCH_SIZE = 16',), 2700, changes_result=True)]
    assert experiment.tried == [('BATCH_SIZE = 40',), ('BATCH_SIZE = 16',)]


def test_nothing_fits() -> None:
    assert search(50)[0] == []
    assert remedies.table([]).startswith('None of the bindings that were tried fits. To train with less, ')


def test_larger_accumulation_goes_on_from_the_value_that_is_bound() -> None:
    _, experiment = search(50, accumulation_steps={'ACCUMULATION': 3}, remat={}, fsdp=(), batch_size={})
    assert experiment.tried == [('ACCUMULATION = 6',), ('ACCUMULATION = 12',), ('ACCUMULATION = 24',)]


def test_the_table_shows_what_to_bind_and_what_it_needs() -> None:
    table = remedies.table(
        [Remedy(('A.fsdp = 8', 'model.remat = True'), 2**31), Remedy(('B = 8',), 2**20, True)]
    )
    assert table.splitlines() == [
        'Each of these fits, by the programs that were compiled with it:',
        '  A.fsdp = 8',
        '  model.remat = True  2.0 GiB',
        '  B = 8               1.0 MiB, changes the result',
    ]


@pytest.mark.parametrize('count', [1, 2])
def test_what_does_not_go_together_is_not_offered(count: int) -> None:
    assert [*remedies.search(replace(SETTINGS, devices=count), lambda _: None, 10**9)] == []
