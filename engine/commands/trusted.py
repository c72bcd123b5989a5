"""Refuses a run from elsewhere until the user trusts it, and shows what its config would import and call.

Every program that builds the config of a run asks here first. Nothing of the run is imported before.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.config import source_text
from engine.config.statements import Outline, outline, written
from engine.errors import UserError
from engine.render.escape import printable
from engine.runs.environment import history
from engine.runs.run_folder import SUBFOLDERS, Run
from engine.runs.run_state import STATUS_FILE
from engine.runs.safety import trust
from engine.workspace import REPOSITORY, workspace

_MAX_VALUE = 300  # characters of a value


def check(run: Run, trusted: bool, files: tuple[str, ...] = (trust.CONFIG,), remedy: str = '--trust') -> None:
    """Refuses a run unless this workspace wrote it, or the user trusts it.

    Args:
      run: the run whose config is built next.
      trusted: whether the user passed --trust. The run is then recorded, so no later command asks.
      files: what is executed, as patterns: the config; `trust.RECORD` where uncommitted.diff is applied too.
      remedy: what the user passes to trust the run.

    Raises:
      UserError: the run is from elsewhere and not trusted. The message shows what its config would run.
    """
    unknown = trust.unknown(run.folder, files)
    if not unknown:
        return
    contents = describe(run.config)
    if not trusted:
        raise UserError(
            f'{run.folder} was not made in this workspace: {_record()} does not list its {_listed(unknown)}. '
            'A run is code: what its config names is imported and called with your rights.\n'
            f'{contents}\nRead this. If you trust whoever made the run, pass {remedy}, which records '
            'it (docs/safety.md).'
        )
    with contextlib.suppress(OSError):  # a training needs no terminal
        text = f'trusted from now on: {run.folder} ({_listed(unknown)})\n{contents}'
        print(printable(text), file=sys.stderr, flush=True)
    trust.vouch(run.folder, unknown)


def check_configs(files: Iterable[str | Path], trusted: bool) -> None:
    """Refuses the configs of runs from elsewhere, as `check` does. Other configs are the user's own."""
    for file in map(Path, files):
        if file.name == trust.CONFIG and _is_of_run(file.parent):
            check(Run(file.parent.resolve()), trusted)


def _is_of_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (STATUS_FILE, history.FILE, *SUBFOLDERS))


def describe(config: Path) -> str:
    """Returns what the config of a run imports and calls, read from its text alone.

    Raises:
      UserError: it is not a config, or it includes other files, as no run's config does.
    """
    said = outline(source_text.read(config, str(config)), str(config))
    if said.includes:
        raise UserError(
            f'{config} includes {_listed(said.includes)}. The config of a run is complete and includes '
            'nothing, so this one was edited. Restore it.'
        )
    return '\n'.join(_lines(said))


def _lines(said: Outline) -> Iterator[str]:
    yield 'imports'
    for module in dict.fromkeys(said.modules):
        if not module.startswith('__gin__'):
            yield f'  {module} ({_home(module)})'
    yield 'calls, or passes on to what it calls'
    for name, values in said.calls.items():
        yield f'  {name}({", ".join(f"{parameter}={_shown(value)}" for parameter, value in values)})'
    if said.macros:
        yield 'where'
    for name, value in said.macros:
        yield f'  {name} = {_shown(value)}'


def _home(module: str) -> str:
    """Returns where a module comes from, without importing it or its packages."""
    top = module.partition('.')[0]
    if (REPOSITORY / top).is_dir() or (REPOSITORY / f'{top}.py').is_file():
        return 'this repository'
    return "Python's library" if top in sys.stdlib_module_names else 'a package'


def _shown(value: object) -> str:
    text = written(value)
    return text if len(text) <= _MAX_VALUE else f'{text[:_MAX_VALUE]}... ({len(text)} characters)'


def _record() -> Path:
    return workspace() / trust.FOLDER


def _listed(names: Iterable[str]) -> str:
    return ', '.join(names)
