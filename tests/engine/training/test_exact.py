"""Runs that are spoilt on purpose go on from what is whole, and come out the same to the bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.training import trainer
from tests.engine.commands.test_train import assert_same, trained  # noqa: F401 (a fixture)


def spoil(path: Path) -> None:
    """Flips a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


@pytest.fixture
def stopped(config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run stopped after step 11: checkpoints latest 5 and 10, best 8."""

    def interrupt(self: Any, before: int, metrics: Any) -> None:
        noted(self, before, metrics)
        if before == 11:
            raise KeyboardInterrupt

    noted = trainer.MetricLogger.log_steps
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', interrupt)
        assert program('train', f'--gin_file={config_file()}', f'--run={tmp_path / "run"}')[0] == 75
    return tmp_path / 'run'


def go_on(run: Path, program: Any, reference: Path) -> str:
    """Goes on to the end, compares, and returns what was printed."""
    code, out, err = program('train', f'--run={run}')
    assert code == 0, out + err
    assert 'Traceback' not in out + err
    assert_same(reference, run)
    return out


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob('*') if path.is_file()), key=lambda path: path.stat().st_size)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    stopped: Path,
    program: Any,
    trained: Path,  # noqa: F811
) -> None:
    spoil(largest(stopped / 'checkpoints' / 'latest' / '10'))
    out = go_on(stopped, program, trained)
    assert 'latest/10 is damaged' in out
    assert 'Continuing after step 5' in out
    assert (stopped / 'checkpoints' / 'damaged' / 'latest-10').is_dir()


def test_all_checkpoints_damaged(stopped: Path, program: Any, trained: Path) -> None:  # noqa: F811
    for step in ('5', '10'):
        (largest(stopped / 'checkpoints' / 'latest' / step)).unlink()
    go_on(stopped, program, trained)


def test_a_lost_best_checkpoint_is_made_again(stopped: Path, program: Any, trained: Path) -> None:  # noqa: F811
    shutil.rmtree(stopped / 'checkpoints' / 'best')
    assert 'best checkpoint up to step 10 is lost' in go_on(stopped, program, trained)


@pytest.mark.parametrize('log', ['train.jsonl', 'val.jsonl'])
def test_a_damaged_log_is_written_again(log: str, stopped: Path, program: Any, trained: Path) -> None:  # noqa: F811
    path = stopped / 'logs' / log
    path.write_text(path.read_text().replace('1', '2', 1))
    assert 'have changed since it was saved: trying an earlier checkpoint' in go_on(stopped, program, trained)


@pytest.mark.parametrize('file', ['status.json', 'environment.json', 'logs/time.jsonl', 'logs/train.log'])
@pytest.mark.parametrize('damage', ['flip', 'cut', 'delete'])
def test_other_files_are_not_needed(
    file: str,
    damage: str,
    stopped: Path,
    program: Any,
    trained: Path,  # noqa: F811
) -> None:
    path = stopped / file
    if damage == 'flip':
        spoil(path)
    elif damage == 'cut':
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    go_on(stopped, program, trained)


def test_a_changed_config_is_refused(stopped: Path, program: Any) -> None:
    path = stopped / 'config.gin'
    path.write_text(path.read_text().replace('SEED = 0', 'SEED = 1'))
    code, _, err = program('train', f'--run={stopped}')
    assert (code, 'has changed since the run began' in err) == (2, True)


def test_accepted_changes_are_recorded(stopped: Path, config_file: Any, program: Any) -> None:
    arguments = (f'--gin_file={config_file()}', f'--run={stopped}', '--gin_bindings=RATE = 0.001')
    code, _, err = program('train', *arguments)
    assert (code, 'learning_rate: 0.03 -> 0.001' in err) == (2, True)
    code, _, err = program('train', *arguments, '--accept_changes')
    assert code == 0, err
    record = json.loads((stopped / 'config_changes.jsonl').read_text())
    assert record['changes'] == {'classification.Classification.learning_rate': ['0.03', '0.001']}
    assert 'RATE = 0.001' in (stopped / 'config.gin').read_text()
    assert program('train', f'--run={stopped}')[0] == 0


def test_more_steps_are_allowed_where_they_reach_nothing_else(
    stopped: Path, config_file: Any, program: Any
) -> None:
    code, out, err = program(
        'train', f'--gin_file={config_file()}', f'--run={stopped}', '--gin_bindings=STEPS = 16'
    )
    assert code == 0, out + err
    lines = (stopped / 'logs' / 'train.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == list(range(1, 17))


def test_a_step_that_is_not_finite(config_file: Any, tmp_path: Path, program: Any) -> None:
    path = config_file(RATE='RATE = 1e30')
    code, out, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 1
    assert 'Traceback' not in out + err
    assert 'step 2: ' in err
    kept = tmp_path / 'run' / 'debug' / 'nonfinite'
    assert {each.name for each in kept.iterdir()} == {'batch.npz', 'state.npz', 'replay.py'}
    import subprocess
    import sys

    replayed = subprocess.run(
        [sys.executable, str(kept / 'replay.py')], capture_output=True, text=True, check=False
    )
    assert 'FloatingPointError' in replayed.stderr


def test_steps_that_are_not_finite_are_skipped_and_counted(
    config_file: Any, tmp_path: Path, program: Any
) -> None:
    path = config_file(
        "trainer.Trainer.nonfinite = 'skip'", 'trainer.Trainer.best = None', RATE='RATE = 1e30'
    )
    code, _, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    lines = [
        json.loads(line) for line in (tmp_path / 'run' / 'logs' / 'train.jsonl').read_text().splitlines()
    ]
    assert [line['skipped'] for line in lines] == [0.0] + [1.0] * 13
    assert lines[1]['loss'] is None
