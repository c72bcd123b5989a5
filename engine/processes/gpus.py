"""The GPUs that a process may use, and how several processes of one machine share them.

This module imports the standard library alone and starts no driver: it reads variables and device files.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import UserError

ROOT = Path('/')
# The variables that name the visible GPUs, of NVIDIA and of AMD.
VARIABLES = ('CUDA_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES')
_NAME = re.compile(r'\d+|(GPU|MIG)-[\w./-]+', re.IGNORECASE)  # an index, a GPU by its UUID, a slice of one


def variable(environment: Mapping[str, str]) -> str:
    """Returns the variable that names the visible GPUs; CUDA's if none is set."""
    return next((name for name in VARIABLES if name in environment), VARIABLES[0])


def visible(environment: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Returns the names of the visible GPUs, as CUDA reads them: only those before a wrong name.

    >>> visible({'CUDA_VISIBLE_DEVICES': '2,GPU-8a5f,-1,3'})
    ['2', 'GPU-8a5f']
    """
    value = environment.get(variable(environment))
    if value is None:
        return [str(index) for index in range(len(device_files(root)))]
    names = [name.strip() for name in value.split(',')]
    wrong = next((index for index, name in enumerate(names) if not _NAME.fullmatch(name)), len(names))
    return names[:wrong]


def device_files(root: Path = ROOT) -> list[Path]:
    """Returns the device files of the machine's GPUs: /dev/nvidia0, ..., or those of AMD."""
    nvidia = [path for path in root.glob('dev/nvidia*') if re.fullmatch(r'nvidia\d+', path.name)]
    amd = list(root.glob('dev/dri/renderD*')) if (root / 'dev/kfd').exists() else []
    return sorted(nvidia or amd)


def share(count: int, processes: int, index: int) -> tuple[int, ...]:
    """Returns the positions, among `count` GPUs that all processes see, of those of process `index`.

    >>> share(4, processes=2, index=1)
    (2, 3)

    Raises:
      UserError: the processes cannot share the GPUs evenly.
    """
    if count % processes:
        fitting = [number for number in range(1, count + 1) if count % number == 0]
        raise UserError(
            f'{processes} processes cannot share {count} GPUs evenly. Start {_listed(fitting)} processes on '
            f'this machine, or choose the GPUs with {VARIABLES[0]}. To try several processes on the CPU, set '
            'JAX_PLATFORMS=cpu.'
        )
    each = count // processes
    return tuple(range(index * each, (index + 1) * each))


def environments(environment: Mapping[str, str], count: int, root: Path = ROOT) -> list[dict[str, str]]:
    """Returns the environment of each of `count` processes, which share the visible GPUs.

    Raises:
      UserError: the processes cannot share the GPUs evenly.
    """
    names = [] if environment.get('JAX_PLATFORMS') == 'cpu' else visible(environment, root)
    if not names:
        return [dict(environment) for _ in range(count)]
    shares = [share(len(names), count, index) for index in range(count)]
    name = variable(environment)
    return [{**environment, name: ','.join(names[position] for position in part)} for part in shares]


def _listed(numbers: Sequence[int]) -> str:
    return ' or '.join(filter(None, [', '.join(map(str, numbers[:-1])), str(numbers[-1])]))
