"""The recipes of docs/recipes/ work as they are written, in a project without examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.forks.repository import Repository
from tests.engine.forks.conftest import IDENTITY, committed_template
from tests.engine.forks.forked import forked
from tests.engine.recipes.recipes import CODE, FOLDER, INDEX, RECIPES, Recipe

GET_DATA = re.compile(r'^git checkout .*$', re.MULTILINE)
OWN = ('configs/', 'data/', 'research/', 'tests/')
BASES = {'base.gin'}  # what a recipe finds in a project
QUICK = 'recipe or read or opens or exceptions'  # other tests of configs train once more
QUICK_TO_COMPILE = '--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true'
NAMES = re.compile(r'^(?:from|import) (research[\w.]*)(?: import (\w+))?', re.MULTILINE)
INCLUDES = re.compile(r"^include '(.*)'$", re.MULTILINE)


def name(recipe: Recipe) -> str:
    return recipe.name


@pytest.fixture(scope='module')
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A project without examples, with the dataset and all recipes."""
    folder = tmp_path_factory.mktemp('recipes')
    (folder / 'gitconfig').write_text(IDENTITY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GIT_CONFIG_GLOBAL', str(folder / 'gitconfig'))
        project = forked(committed_template(folder), '--examples=drop')
        (command,) = GET_DATA.findall(INDEX)
        subprocess.run(['bash', '-c', command], cwd=project.root, check=True)
        for recipe in RECIPES:
            recipe.write(project.root)
        return project


def run(project: Repository, *command: str, **environment: str) -> None:
    """Runs a Python module in the project, and asserts that it succeeds."""
    done = subprocess.run(
        [sys.executable, '-m', *command],
        cwd=project.root,
        env=os.environ | {'PYTHONPATH': str(project.root)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_index_names_all_recipes() -> None:
    assert {recipe.name for recipe in RECIPES} == {path.name for path in FOLDER.glob('*.md')} - {'README.md'}


@pytest.mark.parametrize('recipe', RECIPES, ids=name)
def test_each_block_of_code_is_a_file_of_a_recipe(recipe: Recipe) -> None:
    assert len(CODE.findall(recipe.text)) == len(recipe.files)


@pytest.mark.parametrize('recipe', RECIPES, ids=name)
def test_a_recipe_needs_no_file_of_others(recipe: Recipe) -> None:
    own = {path.removesuffix('.py').replace('/', '.') for path in recipe.files if path.endswith('.py')}
    for path, text in recipe.files.items():
        for module, attribute in NAMES.findall(text):
            assert {module, f'{module}.{attribute}'} & own, path
        for included in INCLUDES.findall(text):
            assert included in BASES or f'configs/{included}' in recipe.files, path


def test_recipes_add_files_and_change_none(project: Repository) -> None:
    status = project.lines('status', '--porcelain', '--untracked-files=all', '-z')
    added = {line[3:] for line in status if line[:2] in ('??', 'A ')}
    assert len(added) == len(status)
    assert {path for path in added if not path.startswith(OWN)} == set()
    assert {path for recipe in RECIPES for path in recipe.files} <= added


def test_style_and_types(project: Repository) -> None:
    code = [path for recipe in RECIPES for path in recipe.files if path.endswith('.py')]
    run(project, 'ruff', 'check', *code)
    run(project, 'ruff', 'format', '--check', *code)
    run(project, 'pyright', '--pythonpath', sys.executable, *code)


def run_tests(project: Repository, *paths: str, **environment: str) -> None:
    """Runs tests in the project, those of the recipes among them."""
    configs = ' '.join(config for recipe in RECIPES for config in recipe.configs)
    run(project, 'pytest', '--numprocesses=0', *paths, RECIPES=configs, **environment)


@pytest.fixture
def programs(project: Repository) -> str:
    """A test file of the project that runs the programs."""
    file = project.root / 'tests/test_recipes.py'
    file.write_text(Path(__file__).with_name('in_a_project.py').read_text())
    return 'tests/test_recipes.py'


def test_recipes_train_resume_predict_and_evaluate(project: Repository, programs: str) -> None:
    run_tests(project, programs, 'tests/test_configs.py', '-k', QUICK, XLA_FLAGS=QUICK_TO_COMPILE)


def test_the_tests_that_recipes_bring(project: Repository) -> None:
    paths = [path for recipe in RECIPES for path in recipe.files if path.startswith('tests/')]
    assert paths
    run_tests(project, *paths)


@pytest.mark.slow
def test_whole_recipes(project: Repository, programs: str) -> None:
    run_tests(project, 'tests/test_configs.py', '-m', '')
    run_tests(project, programs, WHOLE='1')
