"""The parameters of a task, grouped by how they are trained, as text for `--dry_run` and the log."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

from engine.interfaces import BoundTask
from engine.variables import by_path

MAX_PATHS = 40  # of a group that the summary names
WIDTH = 110  # characters of a line


def summary(bound: BoundTask, params: Any) -> str:
    """Returns the parameters of each group, as text; '' if all are trained in the same way.

    Args:
      bound: the task. Its method `parameter_groups`, if it has one, tells how each parameter is trained.
      params: shapes of the parameters.
    """
    describe = getattr(bound, 'parameter_groups', None)
    groups: Mapping[str, str] = describe() if describe else {}
    if len(set(groups.values())) < 2:
        return ''
    sizes = {path: math.prod(leaf.shape) for path, leaf in by_path(params).items()}
    texts = [
        _described(group, {path: sizes[path] for path, other in groups.items() if other == group})
        for group in dict.fromkeys(groups.values())
    ]
    return '\n'.join(['How the parameters are trained:', *texts])


def _described(group: str, sizes: Mapping[str, int]) -> str:
    more = [f'and {len(sizes) - MAX_PATHS} more'] if len(sizes) > MAX_PATHS else []
    arrays = '1 array' if len(sizes) == 1 else f'{len(sizes)} arrays'
    paths = ', '.join([*list(sizes)[:MAX_PATHS], *more])
    indent = ' ' * 6
    wrapped = textwrap.fill(
        paths, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return f'  {group}: {sum(sizes.values()):,} parameters in {arrays}\n{wrapped}'
