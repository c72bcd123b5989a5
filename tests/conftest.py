"""What all tests share: strict promotion, two simulated devices, a workspace, programs and a small config."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import jax
import pytest

from engine.processes import devices
from engine.workspace import REPOSITORY
from tests import promotion

# A background job ignores Ctrl-C and Ctrl-\, and one of nohup ignores SIGHUP. So would every process that a
# test starts from it, and a test that sends such a signal would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
if not any(map(find_spec, devices.GPU_PLUGINS)):  # a GPU that JAX cannot use is no reason to refuse the tests
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_numpy_dtype_promotion', 'strict')
promotion.exempt_libraries()

Program = Callable[..., tuple[int, str, str]]

HAS_EXAMPLES = (REPOSITORY / 'scripts/examples.txt').exists()
collect_ignore = [] if HAS_EXAMPLES else ['engine']  # the tests of engine/ train the examples


@pytest.fixture(scope='session', autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that all tests of a process share, so that a dataset is built once."""
    folder = tmp_path_factory.mktemp('workspace')
    os.environ['WORKSPACE'] = str(folder)
    return folder


@contextlib.contextmanager
def compiled_quickly(quickly: bool) -> Iterator[None]:
    """Has XLA leave out its optimizations inside."""
    jax.config.update('jax_disable_most_optimizations', quickly)
    try:
        yield
    finally:
        jax.config.update('jax_disable_most_optimizations', False)


def run_program(name: str, *arguments: str) -> int:
    """Runs a program in this process: run_program('train', '--resume=latest') -> exit code."""
    import importlib

    from engine.commands import command_line

    module = importlib.import_module(f'engine.commands.{name}')
    is_never_run = '--dry_run' in arguments  # what is compiled there, to read how much memory it needs
    with (
        compiled_quickly(is_never_run),
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, 'argv', [name, *arguments])
        command_line.run(module.main, module.parser())
    return int(ended.value.code or 0)


@pytest.fixture
def program(capfd: pytest.CaptureFixture[str]) -> Program:
    """Runs a program in this process: program('train', '--resume=latest') -> (exit code, stdout, stderr)."""

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run_program(name, *arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return run


CONFIG = """
include '{repository}/configs/base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

STEPS = 14
BATCH_SIZE = 8
RATE = 0.03

trainer.Trainer:
  dataset = 'digits/toy'
  task = @classification.Classification()
  save_every = 5

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.adamw
  learning_rate = %RATE

mlp.MLP.width = 16
mlp.MLP.dropout = 0.1
"""


def write_config(folder: Path, *lines: str, **replaced: str) -> Path:
    """Writes a small config that trains, lines added or replaced: write_config(folder, STEPS='STEPS = 3')."""
    text = CONFIG.format(repository=REPOSITORY)
    for start, new in replaced.items():
        old = next(line for line in text.splitlines() if line.strip().startswith(f'{start} ='))
        text = text.replace(old, new)
    path = folder / 'small.gin'
    path.write_text('\n'.join([text, *lines, '']))
    return path


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[..., Path]:
    """`write_config` into a folder of the test's own: config_file('A = 1', STEPS='STEPS = 3')."""
    if not HAS_EXAMPLES:
        pytest.skip('needs the examples, which this project dropped')
    return partial(write_config, tmp_path)
