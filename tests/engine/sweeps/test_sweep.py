"""Sweeps are tried with real processes, which are killed with SIGKILL."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import files
from engine.workspace import REPOSITORY
from tests.conftest import Program, write_config


def start(workspace: Path, *flags: str) -> 'subprocess.Popen[str]':
    return subprocess.Popen(
        [sys.executable, '-m', 'engine.commands.sweep', '--name=s', *flags],
        env={**os.environ, 'WORKSPACE': str(workspace), 'JAX_PLATFORMS': 'cpu'},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def sweep(workspace: Path, *flags: str) -> str:
    process = start(workspace, *flags)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    return text


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / 'log.jsonl').read_text().splitlines()]


def checksums(folder: Path) -> dict[str, str]:
    paths = [*folder.glob('runs/*/logs/train.jsonl'), *folder.glob('runs/*/logs/val.jsonl')]
    paths += folder.glob('runs/*/outputs/test/*.npy')
    return {str(path.relative_to(folder)): files.sha256(path) for path in paths}


def test_an_unknown_name_is_refused_before_anything_is_written(
    config_file, program: Program, workspace: Path
) -> None:
    flags = ('--name=unknown', f'--gin_file={config_file()}')
    code, _, err = program('sweep', *flags, '--vary', 'mlp.MLP.widht=8,16')
    assert code == 2
    assert 'mlp.MLP.widht' in err
    assert 'width' in err
    assert 'Traceback' not in err
    assert not (workspace / 'sweeps' / 'unknown').exists()


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (('--name=../x',), '--name=../x'),
        ((), '--name=NAME'),
        (('--name=new',), 'has not begun'),
        (('--name=new', '--workers=0'), '--workers=0'),
        (('--name=new', '--gin_file=nowhere.gin', '--vary', 'A=1'), 'nowhere.gin: no such file'),
        (('--name=new', '--vary', 'A=1'), '--gin_file'),
        (('--name=new', '--gin_file=x'), '--vary'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=random'), '--trials'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe'), '--trials'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe', '--trials=0'), '--trials=0'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--trials=4'), 'a grid takes none'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--parallel=4'), '--parallel belongs to'),
        (
            ('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe', '--trials=9', '--halving=3'),
            '--halving needs all runs at the start',
        ),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--rungs=5'), '--rungs belongs to --halving'),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--halving=1'), '--halving=1'),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--halving=3', '--rungs=5,2'), 'rising'),
        (('--name=new', '--replay=nothing'), '--replay=nothing is no sweep'),
        (('--name=new', '--replay=nothing', '--vary', 'A=1'), '--name alone'),
    ],
    ids=str,
)
def test_mistakes_are_explained(
    program: Program, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(REPOSITORY / 'configs')
    code, _, err = program('sweep', *flags)
    assert code == 2
    assert message in err


@pytest.mark.slow
@pytest.mark.parametrize(
    'flags',
    [
        ('--vary', 'RATE=0.01,0.03', '--vary', 'SEED=0..1'),
        ('--vary', 'RATE=1e-3..1e-1:log', '--vary', 'SEED=0..1', '--search=random', '--trials=4'),
        ('--vary', 'RATE=1e-4,1e-3,1e-2,3e-2', '--halving=2', '--rungs=5', '--metric=accuracy'),
    ],
    ids=['grid', 'random', 'halving'],
)
def test_killed_workers_change_no_bit(tmp_path: Path, flags: tuple[str, ...]) -> None:
    config = write_config(tmp_path, 'trainer.Trainer.evaluate_every = 5')
    flags = (f'--gin_file={config}', *flags)
    sweep(tmp_path / 'whole', *flags)
    for _ in range(2):
        process = start(tmp_path / 'killed', *flags)
        log_file = tmp_path / 'killed/sweeps/s/log.jsonl'
        before = len(log_file.read_text()) if log_file.exists() else 0
        while not log_file.exists() or len(log_file.read_text()) == before:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        time.sleep(3)
        process.kill()
        process.communicate()
    sweep(tmp_path / 'killed', '--workers=2')
    whole, killed = (tmp_path / name / 'sweeps/s' for name in ('whole', 'killed'))
    assert {Path(name).suffix for name in checksums(whole)} == {'.jsonl', '.npy'}
    assert checksums(killed) == checksums(whole)
    assert (killed / 'comparison.md').is_file()
    started = len([line for line in log(killed) if line['event'] == 'claimed'])
    assert started > len([line for line in log(killed) if line['event'] == 'ended'])
    assert 'finished' in sweep(tmp_path / 'killed')  # nothing is left to do
    assert len([line for line in log(killed) if line['event'] == 'claimed']) == started
