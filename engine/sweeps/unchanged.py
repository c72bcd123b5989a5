"""What must not change while a sweep lasts: Gin files, code, packages and flags. Its runs are compared."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError
from engine.runs.environment import differences, history, record
from engine.sweeps.sweep_folder import Sweep

SUBJECTS = ('code', 'packages', 'flags')
# Variables of JAX that change numbers. A run records all flags of JAX, which the sweep does not import.
_JAX_VARIABLE = re.compile(
    r'JAX_(ENABLE_X64|DEFAULT_(MATMUL_PRECISION|PRNG_IMPL|DTYPE_BITS)|THREEFRY_\w+|RANDOM_\w+'
    r'|DISABLE_(JIT|MOST_OPTIMIZATIONS)|OPTIMIZATION_LEVEL|USE_\w+)'
)


def check(sweep: Sweep) -> None:
    """Compares Gin files, code, packages and variables of the environment with those at the beginning.

    Raises:
      UserError: something has changed, so later runs would differ from earlier ones.
    """
    description = sweep.description()
    changed = [
        f'config: {name} {"has changed" if Path(name).is_file() else "does not exist here"}'
        for name, sha256 in {**description['gin_files'], **description['included']}.items()
        if not Path(name).is_file() or files.sha256(Path(name)) != sha256
    ]
    recorded = history.latest(history.read(sweep.folder / history.FILE))
    changed += _differences(recorded) if recorded else []
    if changed:
        lines = '\n'.join(f'  {line}' for line in changed)
        raise UserError(
            f'the sweep {sweep.folder.name} began with something else, so its next runs would not compare:\n'
            f'{lines}\nRestore that, or begin another sweep with another --name.'
        )


def environment(modules: list[str]) -> dict[str, Any]:
    """Returns the present environment, without the devices: each run records its own.

    Args:
      modules: what trainings import because the config names it.
    """
    return record.with_git(record.present(modules, _jax_variables()))


def _jax_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _JAX_VARIABLE.fullmatch(name)}


def _differences(recorded: Mapping[str, Any]) -> list[str]:
    present = record.present(history.modules(recorded), _jax_variables())
    found = differences.between(recorded, present, {}, {})
    return [line for subject in SUBJECTS for line in found.only(subject).lines()]
