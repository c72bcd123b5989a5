"""Datasets created by `new`: without edits, every kind builds, passes the checks, has a page and trains."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.commands import dataset
from engine.datasets import new
from engine.errors import UserError
from engine.runs import json_lines
from tests.engine.test_readme import clone


@pytest.fixture(scope='module')
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository."""
    return clone(tmp_path_factory.mktemp('copy') / 'repository')


def call(root: Path, program: str, *arguments: str) -> str:
    """Runs a program of the copy and returns its output. The program must succeed."""
    done = subprocess.run(
        [sys.executable, *program.split(), *arguments],
        cwd=root,
        env=os.environ | {'WORKSPACE': str(root / 'workspace'), 'PYTHONPATH': str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Calls the program `dataset` for each line of arguments, in one process: TensorFlow is imported once.
CALLS = """
import importlib, sys
from engine.commands import dataset

for line in sys.argv[1:]:
    importlib.invalidate_caches()
    print(f'=== {line}')
    if code := dataset.main(dataset.parser().parse_args(line.split())):
        sys.exit(code)
"""


def call_dataset(root: Path, *lines: str) -> list[str]:
    """Runs the program `dataset` of the copy for each line of arguments, and returns the outputs."""
    printed = call(root, '-c', CALLS, *lines)
    return [text.partition('\n')[2] for text in printed.split('=== ')[1:]]


QUICK = {'images', 'arrays'}  # scripts/test.sh --all tests the others too
KINDS = [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in dataset.KINDS]


@pytest.mark.parametrize('kind', KINDS)
def test_an_unedited_dataset_builds_passes_checks_and_trains(kind: str, copy: Path) -> None:
    name = f'my_{kind}'
    configs = ('full', 'toy')
    steps = [
        f'{step} {name} --config={config}' for config in configs for step in ('build', 'check', 'explore')
    ]
    created, *printed = call_dataset(copy, f'new {name} --kind={kind}', *steps)
    assert created.splitlines()[-1] == f'dataset: data/{name}'
    for config, build, check, page in zip(configs, printed[::3], printed[1::3], printed[2::3], strict=True):
        assert name in build
        assert 'all checks passed' in check
        assert (copy / f'workspace/data/{name}/explore/{config}.html').is_file()
        assert page.splitlines()[-1].startswith('page: ')
    short = ['--gin_bindings=trainer.Trainer.steps = 10', '--gin_bindings=trainer.Trainer.save_every = 5']
    run = copy / 'workspace' / f'run_{kind}'
    call(copy, '-m engine.commands.train', f'--gin_file=configs/{name}.gin', *short, f'--run={run}')
    assert [line['step'] for line in json_lines.read(run / 'logs/train.jsonl')] == list(range(1, 11))
    call(copy, '-m pytest', '-n0', f'tests/data/test_{name}.py')
    call(copy, '-m ruff check', f'data/{name}', f'tests/data/test_{name}.py')
    call(copy, '-m ruff format --check', f'data/{name}', f'tests/data/test_{name}.py')


@pytest.mark.parametrize('kind', dataset.KINDS)
def test_new_files_mark_the_lines_to_edit(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    (tmp_path / 'data').mkdir()
    made = new.create('petals', kind)
    assert made == ['data/petals', 'configs/petals.gin', 'tests/data/test_petals.py']
    names = {path.relative_to(tmp_path / 'data/petals').parts[0] for path in (tmp_path / 'data').rglob('*.*')}
    required = {'README.md', 'CITATIONS.bib', 'TAGS.txt', 'checksums.tsv', 'toy', 'original.py'}
    assert names - {'__pycache__'} == required | {'petals_dataset_builder.py'}
    files = [*(tmp_path / 'data/petals').glob('*.*'), tmp_path / made[1], tmp_path / made[2]]
    for file in files:
        text = file.read_text()
        assert '$' not in text
        assert 'EDIT' in text or file.name in ('TAGS.txt', 'checksums.tsv')
    builder = (tmp_path / 'data/petals/petals_dataset_builder.py').read_text()
    assert len([line for line in builder.splitlines() if line.strip()]) <= 50


def test_missing_modules_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs/petals.gin').write_text(
        'from research.models import mlp\nfrom engine.training import trainer\nimport optax\n'
    )
    (tmp_path / 'engine/training').mkdir(parents=True)
    (tmp_path / 'engine/training/trainer.py').touch()
    assert new.missing_modules('petals') == ['research/models/mlp.py']


def test_invalid_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    for name, near in {'My set': 'my_set', 'a-b': 'a_b', '3d': 'd', 'a/b': 'a_b', '../x': 'x'}.items():
        with pytest.raises(UserError, match=rf"cannot be the name.*How about '{near}'\?"):
            new.create(name, 'images')
    with pytest.raises(UserError, match=r"'class' cannot be .* not a keyword of Python\.$"):
        new.create('class', 'images')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('taken', ['data/petals', 'configs/petals.gin', 'tests/data/test_petals.py'])
def test_existing_paths_are_not_overwritten(
    taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    (tmp_path / taken).parent.mkdir(parents=True)
    (tmp_path / taken).write_text('mine')
    with pytest.raises(UserError, match=re.escape(f'{tmp_path / taken} exists already')):
        new.create('petals', 'images')
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == [tmp_path / taken]
    assert (tmp_path / taken).read_text() == 'mine'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['new'], 'new needs the NAME of a dataset'),
        (['check'], 'check needs the NAME of a dataset'),
        (['new', 'petals'], 'new needs --kind, one of images, masks, text, arrays'),
        (['build', 'digits', '--kind=text'], '--kind belongs to new, not to build.'),
        (['check', 'digits', '--register_checksums'], '--register_checksums belongs to build, not to check.'),
        (['list', '--config=toy'], '--config belongs to build, check, explore, not to list.'),
    ],
)
def test_command_line_mistakes_are_reported(arguments: list[str], message: str, program) -> None:
    code, out, err = program('dataset', *arguments)
    assert (code, out, err.count('\n')) == (2, '', 1)
    assert message in err
