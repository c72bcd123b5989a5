"""Errors of memory: one message says what needs the memory, and by which bindings the experiment fits."""

import argparse
import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine import errors
from engine.errors import Interrupted, RunError, UserError
from engine.workspace import REPOSITORY

MAX_SECONDS = 300.0  # for the search; whatever it has found by then is shown
# What the program was doing, by the module of the innermost frame that is listed.
_WORK = {
    'engine.training.batches': 'while a batch was put on the devices',
    'engine.training.batches.on_device': 'while the training data were put on the devices',
    'engine.training.checkpointing': 'while a checkpoint was read or written',
    'engine.training.initialisation': 'while the first state was made',
    'engine.training.replay': 'while the first state was made',
    'engine.training.validation': 'during evaluation',
    'engine.training.logs': 'during training',
    'engine.training.trainer': 'during training',
    'engine.prediction': 'during prediction',
    'engine.datasets': 'while the dataset was read',
}
_COMPILING, _INITIALISING = 'while a program was compiled', 'while the first state was made'
_FUNCTIONS = {'compiled': _COMPILING, 'init': _INITIALISING, '_evaluate': 'during evaluation'}


@contextmanager
def explained(arguments: argparse.Namespace, root: Callable[[], Any]) -> Iterator[None]:
    """Turns errors of memory into one message, with bindings that fit.

    Args:
      arguments: of the command line: the config by `gin_file` and `gin_bindings`.
      root: returns the class at the root of the config.

    Raises:
      UserError: the experiment needs too much, which was found before training.
      RunError: memory ran out.
    """
    try:
        yield
    except Exception as error:
        foreseen = _is_foreseen(error)
        what = str(error) if foreseen else _what_happened(error)
        if not what or not arguments.gin_file:
            raise
        traceback.clear_frames(error.__traceback__)  # frees the arrays that they hold
        gc.collect()
        try:
            advice = _what_fits(arguments, root)
        except Exception:  # in a process without memory, anything may fail
            advice = errors.LESS_MEMORY
        raise (UserError if foreseen else RunError)(f'{what}\n{advice}') from None


def _is_foreseen(error: Exception) -> bool:
    memory = sys.modules.get('engine.training.cost.memory')
    return bool(memory) and isinstance(error, memory.TooLittleMemoryError)


def _what_happened(error: Exception) -> str:
    """Returns a sentence: where memory ran out, and what the library says; '' for other errors."""
    if isinstance(error, (UserError, RunError, Interrupted)):
        return ''
    said = errors.memory_reason(error)
    return f'memory ran out {_work(error)}: {said}.' if said else ''


def _work(error: Exception) -> str:
    """Returns what the program was doing when an error was raised."""
    work = 'during training'
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module, function = frame.f_globals.get('__name__', ''), frame.f_code.co_name
        known = [name for name in _WORK if module == name or module.startswith(f'{name}.')]
        work = _WORK[max(known, key=len)] if known else work
        if module.startswith('engine.training'):
            work = _FUNCTIONS.get(function, work)
    return work


def _what_fits(arguments: argparse.Namespace, root: Callable[[], Any]) -> str:
    """Returns what the experiment needs, and by which bindings it fits: two tables."""
    import jax

    from engine.hardware import limits
    from engine.training.cost import memory, remedies

    if jax.process_count() > 1:
        return f'{errors.LESS_MEMORY} In one process, --dry_run lists bindings that fit.'
    limit, of = limits.device_memory()
    needed: list[memory.ProgramMemory] = []
    found: list[remedies.Remedy] = []
    print('looking for bindings that need less memory ...', file=sys.stderr, flush=True)
    task = {'files': arguments.gin_file, 'bindings': arguments.gin_bindings, 'limit': limit}
    for line in _lines(task, root):
        if 'needed' in line:
            needed = [memory.ProgramMemory(**each) for each in line['needed']]
        else:
            found.append(remedies.Remedy(**line['remedy']))
    if not needed:
        return errors.LESS_MEMORY
    return f'{memory.table(needed, limit, of, ran_out=True)}\n{remedies.table(found)}'


def _lines(task: Mapping[str, Any], root: Callable[[], Any]) -> Iterable[dict[str, Any]]:
    """Returns what `fitting` finds, in a process of its own if the devices can be shared."""
    import jax

    if jax.default_backend() == 'tpu':  # no other process can use it
        from engine.commands import fitting

        return fitting.lines(task, root())
    paths = [str(REPOSITORY), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = os.environ | {
        'PYTHONPATH': os.pathsep.join(paths),
        'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',  # this process still holds its memory
        'JAX_NUM_CPU_DEVICES': str(jax.local_device_count()),
    }
    command = [sys.executable, '-m', 'engine.commands.fitting_process', json.dumps(task)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=MAX_SECONDS, check=False
        )
        output = done.stdout
    except subprocess.TimeoutExpired as stopped:
        output = (stopped.stdout or b'').decode()
    return [json.loads(line) for line in output.splitlines() if line.startswith('{') and line.endswith('}')]
