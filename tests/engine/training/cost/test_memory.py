"""The memory of compiled programs: its parts are those of the experiment, and their sum is XLA's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import pytest

from engine.config.config import Config
from engine.training.cost import memory
from engine.training.cost.memory import ProgramMemory, TooLittleMemoryError
from engine.training.trainer import Trainer
from tests.conftest import compiled_quickly

WIDTH = 16
PARAMETERS = 4 * (
    64 * WIDTH + WIDTH + WIDTH * WIDTH + WIDTH + WIDTH * 10 + 10
)  # bytes, of the network of the small config
DATA = 30 * (64 + 4)  # 30 images of 8 x 8, and their labels

ConfigFile = Callable[..., Path]


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    with compiled_quickly(True):
        yield


def needed(config_file: ConfigFile, *bindings: str) -> dict[str, ProgramMemory]:
    trainer = Config([config_file()], bindings).build(Trainer)
    return {each.program: each for each in memory.of_experiment(trainer)}


def test_the_parts_are_those_of_the_experiment(config_file: ConfigFile) -> None:
    trainer = Config([config_file()], ['mlp.MLP.dropout = 0.0']).build(Trainer)
    programs = memory.compile_all(trainer.traced)
    memories = memory.of_programs(trainer, programs)
    names = [each.program for each in memories]
    assert (names[0], sorted(names)) == ('training', ['evaluation', 'prediction', 'training'])
    parts = memories[0].parts
    assert parts['parameters'] == PARAMETERS
    assert parts['optimizer state'] == 2 * PARAMETERS + 4  # Adam: two moments and a counter
    assert parts['best checkpoint'] == PARAMETERS
    assert parts['training data'] == DATA
    assert parts['validation data'] == 2 * 8 * (64 + 4 + 4 + 1) // 2  # 10 images in 2 batches of 8
    assert parts['batch'] == 8 * 4 // 2  # the indices of 8 examples, over 2 devices
    stats = programs['training'].memory_analysis()
    own = stats.temp_size_in_bytes + stats.output_size_in_bytes - stats.alias_size_in_bytes
    own += stats.argument_size_in_bytes + stats.generated_code_size_in_bytes
    outside = parts['best checkpoint'] + parts['validation data']  # which the program does not read
    assert memories[0].total == own + outside


def test_a_state_that_is_split_takes_half_on_each_device(config_file: ConfigFile) -> None:
    (whole, half) = (
        needed(config_file, f'sharding.Jit.fsdp = {count}')['training'].parts for count in (1, 2)
    )
    assert half['parameters'] == whole['parameters'] / 2
    assert half['training data'] == whole['training data']  # each device has a copy


def test_the_batch_of_a_group_of_steps_counts_all_its_steps(config_file: ConfigFile) -> None:
    found = needed(config_file, 'trainer.Trainer.steps_per_dispatch = 2')
    assert found['training in groups of 2 steps'].parts['batch'] == 2 * found['training'].parts['batch']


def test_data_that_the_host_holds_are_batches_alone(
    config_file: ConfigFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('engine.training.batches.training.MAX_DEVICE_BYTES', 0)
    parts = needed(config_file)['training'].parts
    assert parts['training data'] == 0
    assert parts['batch'] == 8 * (64 + 4) // 2


def test_a_larger_batch_needs_larger_activations(config_file: ConfigFile) -> None:
    small, large = (needed(config_file, f'BATCH_SIZE = {size}') for size in (256, 4096))
    growth = large['training'].parts[memory.TEMPORARY] - small['training'].parts[memory.TEMPORARY]
    assert growth > (4096 - 256) // 2 * WIDTH * 4  # at least the hidden layer, on each of 2 devices
    assert large['training'].parts['parameters'] == small['training'].parts['parameters']


def test_what_needs_more_than_there_is_is_refused() -> None:
    found = [ProgramMemory('training', {'parameters': 3 * 2**30}), ProgramMemory('evaluation', {'batch': 5})]
    memory.check(found, 3 * 2**30, 'of this machine')
    memory.check(found, None, 'unknown')
    with pytest.raises(TooLittleMemoryError) as refused:
        memory.check(found, 2**31, 'of this machine')
    assert str(refused.value) == (
        'training needs 3.0 GiB of memory on each device, more than the 2.0 GiB of this machine.'
    )


@pytest.mark.parametrize(
    ('limit', 'ran_out', 'verdict'),
    [
        (2**31, False, 'The total fits into the 2.0 GiB of this machine.'),
        (2**30, False, 'The total is more than the 1.0 GiB of this machine.'),
        (2**30, True, 'The total is more than the 1.0 GiB of this machine.'),
        (2**31, True, 'The total fits, but something else takes a part of the 2.0 GiB of this machine.'),
        (None, False, 'It is unknown whether the total fits: of this machine.'),
    ],
)
def test_the_table(limit: int | None, ran_out: bool, verdict: str) -> None:
    parts = {'parameters': 2**30, 'optimizer state': 0, 'training data': 0, 'batch': 512}
    found = [ProgramMemory('training', parts), ProgramMemory('evaluation', {'batch': 2**20})]
    assert memory.table(found, limit, 'of this machine', ran_out).splitlines() == [
        'Memory of each device during training, from the compiled program:',
        '  parameters                     1.0 GiB',
        '  optimizer state                0 bytes',
        '  batch                        512 bytes',
        '  total                          1.0 GiB',
        'Other programs need less: evaluation 1.0 MiB.',
        verdict,
    ]


class Lowering:
    """A program that XLA refuses to compile."""

    def __init__(self, message: str):
        self.message = message

    def lower(self) -> 'Lowering':
        return self

    def compile(self, options: dict[str, int]) -> None:
        raise jax.errors.JaxRuntimeError(self.message)


@pytest.mark.parametrize(
    ('message', 'size'),
    [
        (
            'RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory '
            'required for HLO temporaries (18.50G) exceeds available HBM (15.75G). HLO module: jit_step.',
            int(18.5 * 2**30),
        ),
        (
            'RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. '
            'Used 4.01T of 15.75G hbm. Exceeded hbm capacity by 4.75G.',
            int(4.01 * 2**40),
        ),
    ],
)
def test_a_program_that_the_compiler_refuses_tells_its_size(message: str, size: int) -> None:
    lowering: Any = Lowering(message)
    assert memory._compiled(lowering) == memory.Refused(size)


def test_other_errors_of_the_compiler_are_raised() -> None:
    lowering: Any = Lowering('INTERNAL: a bug')
    with pytest.raises(jax.errors.JaxRuntimeError, match='a bug'):
        memory._compiled(lowering)
