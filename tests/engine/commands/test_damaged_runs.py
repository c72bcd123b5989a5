"""Each file of a run, damaged in each way, under each program: one message or the right result.

The default tests try a few. The slow test tries every kind of file with every damage under every program.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.damage import files_by_kind
from engine.datasets.load import load
from engine.run_reader import logs
from tests.conftest import Program
from tests.engine.training.equal_runs import assert_equal

Damage = Callable[[Path], None]


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(path: Path) -> None:
    if path.is_dir():
        delete(path)
        path.mkdir()
    else:
        path.write_bytes(b'')


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def fill(path: Path) -> None:
    """Fills a file with random bytes."""
    path.write_bytes(random.Random(path.name).randbytes(max(300, path.stat().st_size)))


def swap(path: Path) -> None:
    """Puts a folder where a file belongs, or a file where a folder belongs."""
    is_folder = path.is_dir()
    delete(path)
    path.write_text('hello') if is_folder else path.mkdir()


def misdirect(path: Path) -> None:
    """Puts a link that leads nowhere."""
    delete(path)
    path.symlink_to(path.parent / 'nowhere')


FOLDER_DAMAGES = (delete, empty, swap, misdirect)
FILE_DAMAGES = (delete, empty, truncate, fill, swap, misdirect)


@pytest.fixture
def finished(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def stop(run: Path) -> None:
    """Makes a finished run one that was stopped after step 10."""
    for part in ('checkpoints/latest/14', 'outputs/val', 'outputs/test'):
        shutil.rmtree(run / part)
    status = run / 'status.json'
    status.write_text(json.dumps(json.loads(status.read_text()) | {'state': 'interrupted'}))


def arguments_of(name: str, run: Path, output: Path) -> list[str]:
    return {
        'train': [f'--gin_file={run.parent / "small.gin"}', f'--run={run}'],
        'predict': [str(run), '--overwrite'],
        'verify': [str(run), '--outputs'],
        'evaluate': [f'{run}/outputs/test', f'--output={output}'],
        'compare': [str(run), '--resamples=10'],
        'logs': [str(run), f'--output={output}'],
    }[name]


def assert_holds(name: str, run: Path, trained: Path, program: Program) -> None:
    """Runs a program on a damaged run. An exception that it raises fails the test."""
    shutil.copy(trained.parent / 'small.gin', run.parent)
    log = run / 'logs' / 'train.jsonl'
    lines = log.read_bytes() if log.is_file() else b''
    code, out, err = program(name, *arguments_of(name, run, run.parent / 'output'))
    assert 'Traceback' not in out + err
    assert code in ((0, 2) if name == 'train' else (0, 1, 2)), out + err
    if code == 2:
        assert err.startswith('error: ')
        assert err.count('error: ') == 1
        assert not log.is_file() or log.read_bytes() == lines  # found before the training, not after it
    elif name == 'train':
        assert_equal(trained, run)


@pytest.mark.parametrize(
    ('name', 'damage'),
    [
        ('status.json', fill),
        ('environment.json', fill),
        ('debug', swap),
        ('logs', delete),
        ('logs/val.jsonl', swap),
        ('lock', swap),
        ('outputs', swap),
        ('checkpoints/latest', misdirect),
        ('checkpoints/latest/10/checksums.json', swap),
        ('config.gin', fill),
    ],
)
def test_training(name: str, damage: Damage, finished: Path, trained: Path, program: Program) -> None:
    stop(finished)
    damage(finished / name)
    assert_holds('train', finished, trained, program)


HEARTBEATS = (None, 'soon', 17, [], '2999-01-01T00:00:00+00:00', '2026-11-26T14:00:00')


@pytest.mark.parametrize('heartbeat', HEARTBEATS)
def test_logs_with_a_damaged_heartbeat(heartbeat: object, finished: Path) -> None:
    values = {'state': 'running', 'host': 'elsewhere', 'heartbeat': heartbeat}
    (finished / 'status.json').write_text(json.dumps(values))
    run = logs.read(finished)
    assert (run.state, run.done) == ('running', 14)
    assert any(note.startswith(('status.json says running', 'still running')) for note in run.notes)


def test_training_with_damaged_values_of_the_status(finished: Path, trained: Path, program: Program) -> None:
    """A lost checksum of the config leaves the config unchecked."""
    stop(finished)
    names = ('format', 'started', 'heartbeat', 'step', 'pid', 'config_sha256', 'dataset_fingerprint')
    values = {name: [1] for name in names} | {'state': 'running', 'host': 'elsewhere', 'error': {}}
    (finished / 'status.json').write_text(json.dumps(values))
    assert_holds('train', finished, trained, program)


@pytest.mark.parametrize('file', ['arrays/test/image.npy', 'arrays/val/ids.txt', 'arrays/fingerprint.txt'])
def test_a_truncated_dataset_is_found_before_the_run_begins(
    file: str, config_file: Any, tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    load('digits/toy')
    home = Path(os.environ['WORKSPACE']) / 'data' / 'digits'
    shutil.copytree(home, tmp_path / 'workspace' / 'data' / 'digits', symlinks=True)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    [path] = (tmp_path / 'workspace').rglob(f'toy/*/{file}')
    truncate(path)
    code, out, err = program('train', f'--gin_file={config_file()}', f'--run={tmp_path / "run"}')
    name = path.relative_to(path.parent.parent).as_posix()
    is_named = f'{name} has changed' in err or f'{path} is damaged: ' in err
    assert (code, is_named, (tmp_path / 'run').exists()) == (2, True, False), out + err
    shutil.rmtree(path.parents[len(Path(file).parts) - 2])  # as the message says
    code, out, err = program('train', f'--gin_file={config_file()}', '--dry_run')
    assert code == 0, out + err


@pytest.mark.parametrize(
    ('program_name', 'name', 'damage'),
    [
        ('predict', 'checkpoints', delete),
        ('predict', 'checkpoints/best', swap),
        ('verify', 'logs/val.jsonl', fill),
        ('verify', 'outputs/test/logits.npy', truncate),
        ('evaluate', 'outputs/test/ids.txt', swap),
        ('compare', 'config.gin', fill),
        ('compare', 'environment.json', swap),
        ('logs', 'logs', swap),
    ],
)
def test_other_programs(
    program_name: str, name: str, damage: Damage, finished: Path, trained: Path, program: Program
) -> None:
    damage(finished / name)
    assert_holds(program_name, finished, trained, program)


def kinds_of_places(run: Path) -> list[str]:
    """Returns a file or folder of each kind, as paths in the run."""
    folders = (path.relative_to(run).as_posix() for path in sorted(run.rglob('*')) if path.is_dir())
    by_kind = {re.sub(r'/\d+', '/<step>', name): name for name in folders}
    return [names[-1] for names in files_by_kind(run).values()] + list(by_kind.values())


@pytest.mark.slow
@pytest.mark.parametrize('name', ['train', 'predict', 'verify', 'evaluate', 'compare', 'logs'])
def test_every_place_and_damage(name: str, trained: Path, tmp_path: Path, program: Program) -> None:
    template = Path(shutil.copytree(trained, tmp_path / 'template'))
    if name == 'train':
        stop(template)
    problems = []
    for place in kinds_of_places(template):
        for damage in FOLDER_DAMAGES if (template / place).is_dir() else FILE_DAMAGES:
            shutil.rmtree(tmp_path / 'home', ignore_errors=True)
            run = Path(shutil.copytree(template, tmp_path / 'home' / 'run'))
            damage(run / place)
            try:
                assert_holds(name, run, trained, program)
            except BaseException as error:
                problems.append(f'{place}, {damage.__name__}: {type(error).__name__}: {error}')
    assert problems == []
