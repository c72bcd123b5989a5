"""Damaged runs continue from their undamaged files and end equal to the bit."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs import json_lines, run_folder
from engine.training import trainer
from engine.training.checkpointing import direct
from engine.training.events import Events
from tests.conftest import run_program, write_config
from tests.engine.training.equal_runs import assert_equal, stop_after


def spoil(path: Path) -> None:
    """Flips a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


@pytest.fixture(scope='module')
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped after step 11: checkpoints latest 5 and 10, best 8."""

    folder = tmp_path_factory.mktemp('stopped')
    arguments = [f'--gin_file={write_config(folder)}', f'--run={folder / "run"}']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert run_program('train', *arguments) == 75
    return folder / 'run'


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A copy of the stopped run, to be damaged."""
    return Path(shutil.copytree(stopped_once, tmp_path / 'run'))


def finish(run: Path, program: Any, reference: Path) -> str:
    """Continues a run to its end, compares it with the reference, and returns what was printed."""
    code, out, err = program('train', f'--run={run}')
    assert code == 0, out + err
    assert 'Traceback' not in out + err
    assert_equal(reference, run)
    return out


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob('*') if path.is_file()), key=lambda path: path.stat().st_size)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    stopped: Path,
    program: Any,
    trained: Path,
) -> None:
    spoil(largest(stopped / 'checkpoints' / 'latest' / '10'))
    out = finish(stopped, program, trained)
    assert 'latest/10 is damaged' in out
    assert 'Resuming after step 5' in out
    assert (stopped / 'checkpoints' / 'damaged' / 'latest-10').is_dir()


def test_all_checkpoints_damaged(stopped: Path, program: Any, trained: Path) -> None:
    for step in ('5', '10'):
        (largest(stopped / 'checkpoints' / 'latest' / step)).unlink()
    finish(stopped, program, trained)


def test_a_lost_best_checkpoint_is_made_again(stopped: Path, program: Any, trained: Path) -> None:
    shutil.rmtree(stopped / 'checkpoints' / 'best')
    assert 'best checkpoint up to step 10 is lost' in finish(stopped, program, trained)


@pytest.mark.parametrize('log', ['train.jsonl', 'val.jsonl'])
def test_a_damaged_log_is_written_again(log: str, stopped: Path, program: Any, trained: Path) -> None:
    path = stopped / 'logs' / log
    path.write_text(path.read_text().replace('1', '2', 1))
    assert 'have changed since it was saved: trying an earlier checkpoint' in finish(
        stopped, program, trained
    )


def cut(path: Path) -> None:
    """Drops the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize('damage', [spoil, cut, Path.unlink], ids=['flip', 'cut', 'delete'])
def test_other_files_are_not_needed(
    damage: Callable[[Path], None], stopped: Path, program: Any, trained: Path
) -> None:
    """All of them are damaged in one run, since none is to matter."""
    for file in (
        'status.json',
        'environment.json',
        'logs/performance.jsonl',
        'logs/performance.txt',
        'logs/train.log',
    ):
        damage(stopped / file)
    finish(stopped, program, trained)


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
    record = json.loads((stopped / 'changes.jsonl').read_text())
    assert record['config'] == {'classification.Classification.learning_rate': ['0.03', '0.001']}
    assert 'RATE = 0.001' in (stopped / 'config.gin').read_text()
    assert program('train', f'--run={stopped}')[0] == 0


@pytest.fixture
def continued_from_10(trained: Path, tmp_path: Path) -> Path:
    """A run whose best checkpoint, of step 14, is later than its latest, of step 10."""
    run = Path(shutil.copytree(trained, tmp_path / 'run'))
    assert saved_steps(run, 'best') == ['14']
    shutil.rmtree(run / 'checkpoints' / 'latest' / '14')
    return run


def saved_steps(run: Path, kind: str) -> list[str]:
    return sorted(path.name for path in (run / 'checkpoints' / kind).iterdir())


def losses(run: Path) -> dict[int, float]:
    """Returns the loss of each evaluation."""
    return {line['step']: line['loss'] for line in json_lines.read(run / 'logs' / 'val.jsonl')}


def test_accepted_changes_discard_the_abandoned_path(
    continued_from_10: Path, trained: Path, config_file: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best checkpoint up to step 10 is lost too: the next evaluation makes one."""
    run = continued_from_10
    arguments = (f'--gin_file={config_file()}', f'--run={run}', '--gin_bindings=RATE = -0.2')
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(10))
        code, out, err = program('train', *arguments, '--accept_changes')
    assert (code, 'Resuming after step 10' in out) == (75, True), err
    assert (saved_steps(run, 'latest'), saved_steps(run, 'best')) == (['10'], [])
    assert list(losses(run)) == [4, 8]
    assert not (run / 'outputs' / 'test').exists()
    code, out, err = program('train', f'--run={run}')
    assert (code, 'Resuming after step 10' in out) == (0, True), err
    assert losses(run)[12] < losses(run)[14] != losses(trained)[14]  # a negative rate makes it worse
    assert losses(run)[8] < losses(run)[12]
    assert saved_steps(run, 'best') == ['12']
    assert json.loads((run / 'outputs' / 'test' / 'manifest.json').read_text())['step'] == 12


@pytest.mark.parametrize('where', ['config', 'config_saved'])
def test_an_end_while_changes_are_recorded_refuses_no_resume(
    where: str, continued_from_10: Path, config_file: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_there(point: str) -> None:
        if point == where:
            raise KeyboardInterrupt

    run = continued_from_10
    arguments = (f'--gin_file={config_file()}', f'--run={run}', '--gin_bindings=RATE = 0.001')
    with monkeypatch.context() as patch:
        patch.setattr(run_folder.faults, 'point', end_there)
        assert program('train', *arguments, '--accept_changes')[0] in (75, -2, 130)
    assert saved_steps(run, 'latest') == ['10']
    is_recorded = where == 'config_saved'
    assert ('RATE = 0.001' in (run / 'config.gin').read_text()) is is_recorded
    code, out, err = program('train', *arguments, *([] if is_recorded else ['--accept_changes']))
    assert (code, 'Resuming after step 10' in out) == (0, True), err


def test_fewer_steps_continue_from_a_checkpoint_before_them(
    trained: Path, tmp_path: Path, config_file: Any, program: Any
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / 'run'))
    arguments = (f'--gin_file={config_file()}', f'--run={run}', '--gin_bindings=STEPS = 11')
    code, out, err = program('train', *arguments, '--accept_changes')
    assert (code, 'Resuming after step 10' in out) == (0, True), err
    assert (saved_steps(run, 'latest'), list(losses(run))) == (['10', '11'], [4, 8, 11])


def test_the_state_before_the_first_step_can_be_best(
    config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is stopped and continues from its latest checkpoint, not from step 0."""
    evaluations = {0, 4, 8, 12, 14}
    monkeypatch.setattr(Events, 'evaluates_at', lambda _, step: step in evaluations)
    arguments = (f'--gin_file={config_file(RATE="RATE = -0.01")}', f'--run={tmp_path / "run"}')
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert program('train', *arguments)[0] == 75
    assert saved_steps(tmp_path / 'run', 'best') == ['0']
    code, out, err = program('train', *arguments)
    assert (code, 'Resuming after step 10' in out) == (0, True), err
    assert min(losses(tmp_path / 'run').items(), key=lambda item: item[1])[0] == 0
    manifest = json.loads((tmp_path / 'run' / 'outputs' / 'val' / 'manifest.json').read_text())
    assert manifest['step'] == 0
    assert saved_steps(tmp_path / 'run', 'latest') == ['10', '14']


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
    assert {path.name for path in kept.iterdir()} == {'batch.npz', 'state.npz', 'replay.py'}
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


@pytest.mark.parametrize('damaged', ['', 'latest/10', 'best/8'])
def test_a_large_state_resumes_as_a_small_one(
    damaged: str,
    trained: Path,
    config_file: Any,
    tmp_path: Path,
    program: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Orbax saves it, in the background."""
    monkeypatch.setattr(direct, 'MAX_DIRECT_BYTES', 0)
    run = tmp_path / 'run'
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert program('train', f'--gin_file={config_file()}', f'--run={run}')[0] == 75
    assert not list(run.glob('checkpoints/*/*/default/*.safetensors'))
    if damaged:
        spoil(largest(run / 'checkpoints' / damaged / 'default'))
    out = finish(run, program, trained)
    assert ('damaged' in out) is bool(damaged)
    assert not list(run.glob('checkpoints/*/*/default/*.safetensors'))
