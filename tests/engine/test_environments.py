"""Outputs are written and evaluated without JAX, in environments made as docs/outputs.md says."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine import outputs
from engine.outputs import kind_folders
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine import sample_outputs
from tests.engine.outputs.test_outputs_document import NUMPY, SCIKIT_LEARN
from tests.engine.sample_runs import write_run


def make(folder: Path, *requirements: str) -> Path:
    """Makes an environment; returns its Python."""
    python = folder / 'bin/python'
    uv = (sys.executable, '-m', 'uv', '--quiet')
    try:
        run(*uv, 'venv', '--python', sys.executable, folder)
        # Without --compile-bytecode: Python compiles the few modules that are imported.
        run(*uv, 'pip', 'install', '--python', python, *requirements)
    except subprocess.CalledProcessError:  # pip may be configured for an index that uv does not know
        run(sys.executable, '-m', 'venv', '--clear', folder)
        run(python, '-I', '-m', 'pip', 'install', '--quiet', '--no-compile', *requirements)
    return python


def run(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, cwd=REPOSITORY)


@pytest.fixture(scope='module')
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment made from requirements-eval.txt."""
    return make(tmp_path_factory.mktemp('eval') / '.venv-eval', '-r', 'requirements-eval.txt')


def script(python: Path, name: str, *arguments: object) -> str:
    """Runs a script in an environment, warnings being errors; returns all that it printed."""
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    ended = subprocess.run(
        [REPOSITORY / 'scripts' / name, *map(str, arguments)],
        env=environment | {'ENV': 'existing', 'PYTHON': str(python), 'PYTHONWARNINGS': 'error'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_there_is_no_jax(python: Path) -> None:
    for name in ('jax', 'flax', 'orbax', 'tensorflow'):
        ended = subprocess.run([python, '-I', '-c', f'import {name}'], capture_output=True, text=True)
        assert f"No module named '{name}'" in ended.stderr


def test_the_pins_are_those_of_training() -> None:
    pins = [
        set(re.findall(r'^([\w.-]+==\S+(?: ;.*?)?)(?:  #|$)', text, re.MULTILINE))
        for text in ((REPOSITORY / f'requirements{which}.txt').read_text() for which in ('-eval', ''))
    ]
    assert pins[0]
    assert pins[0] <= pins[1]


def test_outputs_of_every_kind_are_evaluated(python: Path, tmp_path: Path) -> None:
    for kind in kind_folders.names():
        sample_outputs.write(tmp_path / 'it' / kind, kind)
    binding = 'engine.evaluation.evaluator.Evaluator.resamples = 100'
    script(python, 'eval.sh', tmp_path / 'it', f'--output={tmp_path}/results', f'--gin_bindings={binding}')
    for kind in kind_folders.names():
        metrics = json.loads((tmp_path / 'results' / kind / 'metrics.json').read_text())
        assert (metrics['kind'], metrics['bootstrap']['resamples']) == (kind, 100)
        assert (tmp_path / 'results' / kind / 'per_example.csv').is_file()


COMPARE = """
import sys
from engine.commands import compare

for folder in sys.argv[1:]:
    flags = ['--resamples=100', '--format=csv', f'--output={folder}.csv']
    assert compare.main(compare.parser().parse_args([folder, *flags])) == 0
"""


def test_outputs_of_every_kind_are_compared(python: Path, tmp_path: Path) -> None:
    """In one process, for starting takes longer than comparing."""
    for kind in kind_folders.names():
        for seed in (0, 1):
            sample_outputs.write(tmp_path / kind / str(seed), kind, seed)
    folders = [tmp_path / kind for kind in kind_folders.names()]
    subprocess.run([python, '-W', 'error', '-c', COMPARE, *folders], cwd=REPOSITORY, check=True)
    for folder in folders:
        assert {row['method'] for row in read_rows(folder.with_suffix('.csv'))} == {'0', '1'}


def read_rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline='') as file:
        return list(csv.DictReader(file))


def compared(python: Path, *folders: Path) -> list[dict[str, str]]:
    """Returns the rows of a comparison."""
    table = folders[0].parent / 'comparison.csv'
    script(python, 'compare.sh', *folders, '--resamples=100', '--format=csv', f'--output={table}')
    return read_rows(table)


def test_logs_are_shown(python: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / 'run')
    assert 'finished' in script(python, 'logs.sh', run)
    assert (run / 'logs/plots/loss.png').is_file()


def test_the_example_of_scikit_learn_is_compared_with_a_run(
    python: Path, program: Program, config_file, tmp_path: Path
) -> None:
    """Written with NumPy and scikit-learn alone, evaluated without JAX."""
    config = config_file(dataset="  dataset = 'digits'", save_every='  save_every = 14')
    assert program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')[0] == 0
    writer = make(tmp_path / 'writer', 'numpy', 'scikit-learn', '-c', 'requirements.txt')
    (tmp_path / 'workspace').symlink_to(os.environ['WORKSPACE'])
    code = NUMPY[0] + SCIKIT_LEARN
    subprocess.run([writer, '-I', '-W', 'error', '-c', code], cwd=tmp_path, check=True)
    written = tmp_path / 'outputs/sklearn'
    assert 'accuracy' in script(python, 'eval.sh', written)
    rows = compared(python, written, tmp_path / 'run')
    assert {row['method']: float(row['accuracy']) for row in rows} == pytest.approx(
        {'outputs/sklearn': accuracy(written), 'run': accuracy(tmp_path / 'run/outputs/test')}, abs=1e-5
    )


def accuracy(folder: Path) -> float:
    """Returns the share of predictions that are right."""
    arrays = outputs.read(folder).arrays
    scores = arrays['logits'] if 'logits' in arrays else arrays['probabilities']
    return (scores.argmax(1) == arrays['labels']).mean()
