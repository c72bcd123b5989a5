"""Imports run in one direction, from room to room, and the code stays small enough to read.

The tests read the source files. Some run programs, to see which libraries they load.
"""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY

SOURCES = sorted(
    path
    for part in ('engine', 'research')
    for path in (REPOSITORY / part).rglob('*.py')
    if 'templates' not in path.parts
)
ENGINE = [path for path in SOURCES if path.is_relative_to(REPOSITORY / 'engine')]
FRAMEWORKS = {'jax', 'flax', 'optax', 'orbax', 'tensorflow', 'tensorflow_datasets', 'clu', 'gin'}

# The other rooms that each room of the engine may import.
ROOMS = {
    'errors': set(),
    'hardware': {'errors'},
    'workspace': set(),
    'failures': set(),
    'paths': {'errors'},
    'files': {'errors'},
    'lists': {'errors'},
    'tensorboard': set(),
    'interfaces': {'errors'},
    'variables': {'errors'},
    'modes': {'errors', 'interfaces'},
    'network': {'errors', 'interfaces', 'modes', 'variables'},
    'gradients': {'errors', 'hardware', 'interfaces'},
    'sharding': {'errors', 'hardware', 'interfaces'},
    'stored_trees': {'errors', 'files', 'variables', 'workspace'},
    'render': set(),
    'config': {'errors', 'files', 'workspace'},
    'parts': {
        'datasets',
        'errors',
        'files',
        'gradients',
        'interfaces',
        'lists',
        'modes',
        'network',
        'paths',
        'render',
        'runs',
        'stored_trees',
        'variables',
        'workspace',
    },
    'releases': {
        'errors',
        'failures',
        'files',
        'interfaces',
        'outputs',
        'prediction',
        'render',
        'runs',
        'stored_trees',
        'training',
        'variables',
        'workspace',
    },
    'forks': {'errors', 'files', 'workspace'},
    'outputs': {'errors', 'files', 'render', 'workspace'},
    'datasets': {'errors', 'files', 'interfaces', 'lists', 'paths', 'render', 'workspace'},
    'runs': {'errors', 'failures', 'files', 'paths', 'workspace'},
    'processes': {'errors', 'runs'},
    'training': {
        'datasets',
        'errors',
        'tensorboard',
        'files',
        'hardware',
        'interfaces',
        'outputs',
        'render',
        'runs',
        'sharding',
        'stored_trees',
        'variables',
        'workspace',
    },
    'prediction': {
        'datasets',
        'errors',
        'files',
        'interfaces',
        'outputs',
        'render',
        'runs',
        'sharding',
        'training',
        'workspace',
    },
    'checks': {
        'datasets',
        'errors',
        'files',
        'interfaces',
        'outputs',
        'render',
        'sharding',
        'training',
        'variables',
    },
    'run_reader': {'errors', 'files', 'outputs', 'render', 'runs', 'workspace'},
    'sweeps': {'errors', 'files', 'render', 'runs'},
    'playground': {
        'commands',
        'config',
        'datasets',
        'errors',
        'interfaces',
        'outputs',
        'run_reader',
        'runs',
        'sharding',
        'training',
        'workspace',
    },
    'mirrors': {'errors', 'tensorboard', 'files', 'render', 'run_reader', 'runs', 'workspace'},
    'reproduction': {'errors', 'files', 'outputs', 'run_reader', 'runs', 'workspace'},
    'evaluation': {'errors', 'files', 'lists', 'outputs', 'render', 'run_reader'},
    'kinds': {'errors', 'evaluation', 'lists', 'outputs', 'render'},
    'conversion': {'errors', 'files', 'kinds', 'lists'},
}
# These rooms, and all that they import, do without frameworks.
WITHOUT_FRAMEWORKS = {
    'errors',
    'workspace',
    'failures',
    'paths',
    'files',
    'lists',
    'tensorboard',
    'render',
    'outputs',
    'kinds',
    'runs',
    'run_reader',
    'mirrors',
    'reproduction',
    'sweeps',
    'evaluation',
    'conversion',
    'forks',
}


def name(path: Path) -> str:
    return '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts).removesuffix('.__init__')


def room(module: str) -> str:
    first, _, rest = module.partition('.')
    return rest.partition('.')[0] if first == 'engine' else first


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def imported(path: Path) -> set[str]:
    """Returns all that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


IMPORTS = {name(path): imported(path) for path in SOURCES}


def internal(module: str) -> set[str]:
    """Returns the modules of the repository that a module imports."""
    names = {name for name in IMPORTS[module] if name.split('.')[0] in ('engine', 'research')}
    modules = {name if name in IMPORTS else name.rpartition('.')[0] for name in names}
    return (modules & IMPORTS.keys()) - {module, 'engine', 'research'}


def test_every_module_has_its_room() -> None:
    rooms = {room(name(path)) for path in ENGINE}
    assert rooms - ROOMS.keys() - {'', 'commands'} == set()


@pytest.mark.parametrize('module', sorted(module for module in IMPORTS if room(module) in ROOMS))
def test_rooms_import_only_what_lies_below(module: str) -> None:
    """No room imports `research` or `parts`, and only `playground`, for notebooks, imports `commands`."""
    allowed = ROOMS[room(module)] | {room(module)}
    assert {other for other in internal(module) if room(other) not in allowed} == set()


@pytest.mark.parametrize('module', sorted(module for module in IMPORTS if room(module) in WITHOUT_FRAMEWORKS))
def test_evaluation_and_its_base_know_no_framework(module: str) -> None:
    assert {name.split('.')[0] for name in IMPORTS[module]} & FRAMEWORKS == set()


def test_only_config_touches_gin_and_nothing_imports_tensorflow() -> None:
    roots = {module: {name.split('.')[0] for name in names} for module, names in IMPORTS.items()}
    assert {room(module) for module, names in roots.items() if 'gin' in names} == {'config'}
    assert not any('tensorflow' in names for names in roots.values())


def test_there_is_no_cycle() -> None:
    TopologicalSorter({module: internal(module) for module in IMPORTS}).prepare()


def loaded(program: str) -> set[str]:
    """Returns the modules loaded by a program at work, run in a process of its own."""
    run = f'import runpy, sys, atexit; atexit.register(lambda: print("modules:", *sys.modules)); {program}'
    done = subprocess.run(
        [sys.executable, '-c', run], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition('modules:')[2].split())


def test_no_tensorflow_in_training_and_prediction_and_no_jax_in_evaluation(
    config_file, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    start = 'sys.argv = {}; runpy.run_module("engine.commands.{}", run_name="__main__")'
    train = start.format(['train', f'--gin_file={config_file()}', f'--run={run}'], 'train')
    predict = start.format(['predict', str(run), '--split=train'], 'predict')
    evaluate = start.format(['evaluate', str(run / 'outputs' / 'test')], 'evaluate')
    slow = {'tensorflow', 'pandas', 'matplotlib', 'sklearn', 'scipy', 'orbax', 'tensorstore'}
    assert not slow & (loaded(train) | loaded(predict))  # Orbax saves large states alone
    compare = start.format(['compare', str(run)], 'compare')
    assert not {'jax', 'flax', 'orbax', 'tensorflow', 'gin'} & (loaded(evaluate) | loaded(compare))


# How large the code of the engine may be.


def test_no_import_chain_is_longer_than_eleven() -> None:
    @cache
    def chain(module: str) -> tuple[str, ...]:
        return (module, *max((chain(other) for other in internal(module)), key=len, default=()))

    longest = max((chain(name(path)) for path in ENGINE), key=len)
    assert len(longest) <= 11, ' > '.join(longest)


def test_no_folder_holds_more_than_twelve_modules() -> None:
    counts = Counter(path.parent for path in ENGINE if path.stem != '__init__')
    crowded = {folder.name: count for folder, count in counts.items() if count > 12}
    assert crowded.keys() <= {'commands'}


def test_files_are_short() -> None:
    lines = {name(path): len(path.read_text(encoding='utf-8').splitlines()) for path in ENGINE}
    assert {module: count for module, count in lines.items() if count > 350} == {}
    assert len([module for module, count in lines.items() if count > 250]) <= 3


def test_functions_are_short() -> None:
    """Docstrings apart, the median function has at most 6 lines, and nine in ten have at most 16."""
    functions = (
        node for path in ENGINE for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)
    )
    lengths = sorted(map(_length, functions))
    assert lengths[len(lengths) // 2] <= 6
    assert lengths[len(lengths) * 9 // 10] <= 16


def _length(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_class_names_are_unique() -> None:
    nodes = (node for path in ENGINE for node in ast.walk(tree(path)))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_trainer_is_read_in_ten_minutes() -> None:
    assert len((REPOSITORY / 'engine/training/trainer.py').read_text(encoding='utf-8').splitlines()) <= 250
