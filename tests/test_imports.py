"""Imports run one way, as the layout promises: read off the sources, and seen in running programs."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = sorted((REPOSITORY / 'research').rglob('*.py'))
PROGRAMS = {
    f'research.{name}'
    for name in (
        'train',
        'predict',
        'evaluate',
        'compare',
        'show_logs',
        'check',
        'dataset',
        'verify',
        'fork',
        'update',
    )
}
FRAMEWORKS = {'jax', 'flax', 'optax', 'orbax', 'tensorflow', 'tensorflow_datasets', 'clu'}

# What a module, or all of a package, may import of research/, and which frameworks it must not touch.
ALLOWED = {
    'research.errors': set(),
    'research.harmless': set(),
    'research.command_line': {'research.errors', 'research.harmless'},
    'research.annotations': set(),
    'research.config': {'research.errors', 'research.annotations'},
    'research.repository': {'research.errors'},
    'research.folders': {'research.errors'},
    'research.palette': set(),
    'research.kinds': {'research.errors'},
    'research.outputs': {'research.errors', 'research.folders', 'research.harmless', 'research.kinds'},
    'research.interfaces': {'research.errors'},
    'research.network': {'research.interfaces', 'research.errors'},
    'research.models': {'research.models', 'research.interfaces', 'research.errors'},
    'research.tasks': {'research.tasks', 'research.interfaces', 'research.network', 'research.errors'},
    'research.workspace': set(),
    'research.bound_evaluator': {'research.evaluation', 'research.config', 'research.errors'},
    'research.pages': {'research.pages', 'research.palette'},
    'research.datasets': {
        'research.datasets',
        'research.pages',
        'research.folders',
        'research.palette',
        'research.interfaces',
        'research.workspace',
        'research.errors',
    },
    'research.engine': {
        'research.engine',
        'research.datasets',
        'research.workspace',
        'research.interfaces',
        'research.kinds',
        'research.outputs',
        'research.palette',
        'research.errors',
    },
    'research.checks': {
        'research.checks',
        'research.datasets',
        'research.engine',
        'research.workspace',
        'research.interfaces',
        'research.evaluation.text',
        'research.folders',
        'research.kinds',
        'research.errors',
    },
    'research.metrics': {'research.metrics', 'research.errors'},
    'research.evaluation': {
        'research.evaluation',
        'research.pages',
        'research.outputs',
        'research.folders',
        'research.kinds',
        'research.harmless',
        'research.palette',
        'research.errors',
    },
}
WITH_FRAMEWORKS = {
    f'research.{name}'
    for name in ('interfaces', 'network', 'models', 'tasks', 'datasets', 'engine', 'checks')
}
WITHOUT_FRAMEWORKS = set(ALLOWED) - WITH_FRAMEWORKS


def name(path: Path) -> str:
    return '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts).removesuffix('.__init__')


def imported(path: Path) -> set[str]:
    """Returns all that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
    return found


GRAPH = {name(path): imported(path) for path in SOURCES}


def internal(module: str) -> set[str]:
    """Returns the modules of research/ that a module imports."""
    candidates = {each for each in GRAPH[module] if each.startswith('research')}
    return {each if each in GRAPH else each.rpartition('.')[0] for each in candidates} - {'research'}


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f'{package}.') for package in packages)


def owner(module: str) -> str | None:
    return next((package for package in ALLOWED if within(module, {package})), None)


def test_every_module_has_its_place() -> None:
    assert [
        module for module in GRAPH if module != 'research' and not owner(module) and module not in PROGRAMS
    ] == []


@pytest.mark.parametrize('module', sorted(set(GRAPH) - PROGRAMS - {'research'}))
def test_modules_import_only_what_lies_below(module: str) -> None:
    allowed = ALLOWED[owner(module) or '']
    assert {each for each in internal(module) if not within(each, allowed)} == set()


@pytest.mark.parametrize('module', sorted(each for each in GRAPH if owner(each) in WITHOUT_FRAMEWORKS))
def test_evaluation_and_its_base_know_no_framework(module: str) -> None:
    assert {each.split('.')[0] for each in GRAPH[module]} & FRAMEWORKS == set()


def test_only_config_touches_gin_and_nothing_imports_tensorflow() -> None:
    touching = {
        module for module, names in GRAPH.items() if any(each.split('.')[0] == 'gin' for each in names)
    }
    assert touching == {'research.config'}
    assert not any(each.split('.')[0] == 'tensorflow' for names in GRAPH.values() for each in names)


def test_there_is_no_cycle() -> None:
    TopologicalSorter({module: internal(module) - {module} for module in GRAPH}).prepare()


def test_functions_are_short() -> None:
    """The median function has fewer than 10 lines, docstring apart."""
    lengths = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lengths.append(node.body[-1].end_lineno - body[0].lineno + 1 if body else 0)  # type: ignore[operator]
    assert sorted(lengths)[len(lengths) // 2] < 10


def test_the_trainer_is_read_in_ten_minutes() -> None:
    assert len((REPOSITORY / 'research/engine/trainer.py').read_text().splitlines()) <= 275


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
    start = 'sys.argv = {}; runpy.run_module("research.{}", run_name="__main__")'
    train = start.format(['train', f'--gin_file={config_file()}', f'--run={run}'], 'train')
    predict = start.format(['predict', str(run), '--split=train'], 'predict')
    evaluate = start.format(['evaluate', str(run / 'outputs' / 'test')], 'evaluate')
    assert 'tensorflow' not in loaded(train) | loaded(predict)
    compare = start.format(['compare', str(run)], 'compare')
    assert not {'jax', 'flax', 'orbax', 'tensorflow', 'gin'} & (loaded(evaluate) | loaded(compare))
