"""Memory that runs out, before training and in it: one message with what fits, and no traceback."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from engine.commands import out_of_memory
from engine.errors import RunError, UserError
from engine.training.cost.memory import TooLittleMemoryError
from engine.workspace import REPOSITORY

ConfigFile = Callable[..., Path]
LINE = re.compile(r'  (\S+) = (\S+) +([\d.]+) (\wiB)(, changes the result)?')


def train(*arguments: str, kilobytes: int) -> tuple[int, str, str]:
    """Runs the program in a shell with a limit of memory."""
    command = f'ulimit -v {kilobytes} && exec "$@"'
    done = subprocess.run(
        ['bash', '-c', command, 'bash', sys.executable, '-m', 'engine.commands.train', *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def remedies(err: str) -> dict[str, tuple[str, float, bool]]:
    """Returns what a message proposes: (value, GiB, whether the result is another) by name."""
    found = (LINE.fullmatch(line) for line in err.splitlines())
    unit = {'GiB': 1.0, 'MiB': 2**-10}
    return {each[1]: (each[2], float(each[3]) * unit[each[4]], bool(each[5])) for each in found if each}


def test_a_dry_run_that_does_not_fit_says_what_does(config_file: ConfigFile) -> None:
    """The 2**13 features of 2**17 examples take 4 GiB in each layer; the shell allows 10 GiB."""
    bindings = [f'BATCH_SIZE={2**17}', 'mlp.MLP.width=8192', 'mlp.MLP.dropout=0.0']
    code, out, err = train(f'--gin_file={config_file()}', '--dry_run', *bindings, kilobytes=10 * 2**20)
    assert code == 2
    assert 'Everything is in order' not in out
    assert 'Traceback' not in err
    assert err.count('error: ') == 1
    assert re.search(r'error: training needs \d+\.\d GiB of memory on each device, more than the ', err)
    assert 'The total is more than the 10.0 GiB by `ulimit -v` of this shell.' in err
    found = remedies(err)
    assert all(size <= 10 for _, size, _ in found.values())
    batch, size, is_other = found['BATCH_SIZE']
    assert int(batch) < 2**17
    assert size >= 1
    assert is_other
    assert [*found][-1] == 'BATCH_SIZE'


@pytest.mark.slow
def test_what_is_proposed_fits_and_what_was_refused_does_not(config_file: ConfigFile, tmp_path: Path) -> None:
    """The same shell trains with the proposed binding, and runs out of memory without the check."""
    limit = 6_000_000
    bindings = [f'BATCH_SIZE={2**16}', 'mlp.MLP.width=8192', 'mlp.MLP.dropout=0.0', 'STEPS=1']
    config = f'--gin_file={config_file()}'
    code, _, err = train(config, f'--run={tmp_path / "refused"}', *bindings, kilobytes=limit)
    assert code == 2, err
    batch = remedies(err)['BATCH_SIZE'][0]
    fitting = [f'BATCH_SIZE={int(batch) // 2}', *bindings[1:]]  # half of it: Python and XLA need some too
    code, _, err = train(config, f'--run={tmp_path / "fits"}', *fitting, kilobytes=limit)
    assert code == 0, err


@pytest.mark.slow
def test_memory_that_runs_out_in_training(config_file: ConfigFile, tmp_path: Path) -> None:
    """The program alone would fit, but Python and its libraries have taken a part of the memory."""
    bindings = [f'BATCH_SIZE={2**16}', 'mlp.MLP.width=8192', 'mlp.MLP.dropout=0.0', 'STEPS=1']
    config, run = f'--gin_file={config_file()}', tmp_path / 'run'
    code, _, err = train(config, '--dry_run', *bindings, kilobytes=6_000_000)
    needed = re.search(r'training needs (\d+\.\d) GiB', err)
    assert (code, bool(needed)) == (2, True), err
    assert needed
    kilobytes = int((float(needed[1]) + 0.2) * 2**20)
    code, _, err = train(config, f'--run={run}', *bindings, kilobytes=kilobytes)
    assert code == 1
    assert 'Traceback' not in err
    assert re.search(r'error: memory ran out during training: RESOURCE_EXHAUSTED: Out of memory ', err)
    assert 'something else takes a part of the ' in err
    assert remedies(err)['BATCH_SIZE'] == (f'{2**15}', remedies(err)['BATCH_SIZE'][1], True)
    assert '"state": "failed"' in (run / 'status.json').read_text()


# Which errors are explained, and how; the search is left out.


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], str]:
    """Returns the message of an error by which memory ran out; other errors pass."""
    monkeypatch.setattr(out_of_memory, '_what_fits', lambda *_: 'What fits.')

    def message(work: Callable[[], Any]) -> str:
        arguments = argparse.Namespace(gin_file=['x.gin'], gin_bindings=[])
        with pytest.raises((RunError, UserError)) as raised, out_of_memory.explained(arguments, lambda: None):
            work()
        return f'{type(raised.value).__name__}: {raised.value}'

    return message


def fail(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


TEXTS = [  # as XLA, CUDA, TPUs, NumPy, OpenCV and the C library write them
    'RESOURCE_EXHAUSTED: Out of memory while trying to allocate 85899345920 bytes.',
    'RESOURCE_EXHAUSTED: Failed to allocate request for 16.00GiB (17179869184B) on device ordinal 0',
    'INTERNAL: Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY: out of memory',
    'INTERNAL: CUBLAS_STATUS_ALLOC_FAILED',
    'Execution of replica 0 failed: CUDNN_STATUS_ALLOC_FAILED',
    'RESOURCE_EXHAUSTED: Attempting to reserve 12.32G at the bottom of memory. That was not possible. There '
    'are 9.14G free, 0B reserved, and 9.14G reservable.',
    'RESOURCE_EXHAUSTED: Attempting to allocate 3.00G. That was not possible. There are 2.00G free.',
    'RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory required for '
    'HLO temporaries (64.00G) exceeds available HBM (15.75G).',
    'Unable to allocate 3.00 TiB for an array with shape (824633720832,) and data type float32',
    '[Errno 12] Cannot allocate memory',
    'std::bad_alloc',
    'OpenCV(4.10) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 1073741824 bytes',
]


@pytest.mark.parametrize('text', TEXTS)
def test_the_texts_of_libraries(text: str, explain: Callable[[Any], str]) -> None:
    message = explain(fail(RuntimeError(text)))
    assert message == f'RunError: memory ran out during training: {text.rstrip(".")}.\nWhat fits.'


def test_real_errors(explain: Callable[[Any], str]) -> None:
    assert 'RunError: memory ran out' in explain(lambda: jnp.zeros(1 << 50))
    assert 'RunError: memory ran out' in explain(lambda: np.zeros(1 << 50))
    assert explain(fail(MemoryError())).startswith(
        'RunError: memory ran out during training: no more memory.'
    )


def test_what_was_foreseen_is_a_mistake_of_the_config(explain: Callable[[Any], str]) -> None:
    assert explain(fail(TooLittleMemoryError('too large.'))) == 'UserError: too large.\nWhat fits.'


def test_other_errors_pass(explain: Callable[[Any], str]) -> None:
    assert explain(fail(UserError('out of memory of the user'))) == 'UserError: out of memory of the user'
    with (
        pytest.raises(RuntimeError, match='RESOURCE_EXHAUSTED: No space left'),
        out_of_memory.explained(argparse.Namespace(gin_file=[], gin_bindings=[]), lambda: None),
    ):
        fail(RuntimeError('RESOURCE_EXHAUSTED: No space left on device'))()


def test_what_was_going_on_is_told(explain: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.datasets.load import load
    from engine.datasets.orders.order import MAIN, Part, Shuffled
    from engine.sharding import Jit
    from engine.training.batches.training import training_source
    from engine.training.steps import compiled

    data = load('digits/toy')
    parts = {MAIN: Part(data, 8)}
    source = training_source(parts, Shuffled().bind(parts, 0), 0, Jit())
    monkeypatch.setattr('jax.device_put', no_memory)
    message = explain(lambda: source.inputs(0, 1))
    assert message.startswith('RunError: memory ran out while the training data were put on the devices: ')
    program: Any = argparse.Namespace(lower=no_memory)
    assert explain(lambda: compiled(program)).startswith(
        'RunError: memory ran out while a program was compiled'
    )


def no_memory(*_: Any) -> None:
    raise MemoryError
