"""Training as a user does it: the files of a run, and that it repeats and continues to the bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.runs import json_lines
from engine.training import trainer
from engine.workspace import REPOSITORY, project
from tests.engine.training.equal_runs import assert_equal


def test_a_run_folder_has_all_files(trained: Path) -> None:
    files = {path.relative_to(trained).as_posix() for path in trained.rglob('*') if path.is_file()}
    assert files >= {
        'config.gin',
        'environment.json',
        'requirements.lock',
        'uncommitted.diff',
        'status.json',
        'notes.md',
        'debug/first_batch.png',
        'logs/train.jsonl',
        'logs/val.jsonl',
        'logs/performance.jsonl',
        'logs/performance.txt',
        'logs/train.log',
        'outputs/val/manifest.json',
        'outputs/test/manifest.json',
    }
    assert any(file.startswith('logs/events.') for file in files)
    status = json.loads((trained / 'status.json').read_text())
    assert (status['state'], status['step']) == ('finished', 14)
    environment = json.loads((trained / 'environment.json').read_text())
    assert (environment['seed'], environment['devices'], environment['processes']) == (0, 2, 1)
    assert {'accelerator', 'driver'} <= environment.keys()
    assert len(environment['commit']) == 40
    assert 'jax==' in (trained / 'requirements.lock').read_text()


def test_the_map_lists_what_is_in_a_run(trained: Path) -> None:
    document = (REPOSITORY / 'WORKSPACE.md').read_text(encoding='utf-8')
    listed = document.partition('\n## A run\n')[2].partition('```text\n')[2].partition('\n```')[0]
    folders = [trained, *(trained / name for name in ('logs', 'debug', 'checkpoints'))]
    names = {path.name + '/' * path.is_dir() for folder in folders for path in folder.iterdir()}
    names = {'events.*' if name.startswith('events.') else name for name in names}
    assert len(names) > 20
    assert {name for name in names if name not in listed} == set()


def test_every_step_and_every_epoch_has_its_line(trained: Path) -> None:
    train, val = (json_lines.read(trained / 'logs' / f'{name}.jsonl') for name in ('train', 'val'))
    assert [line['step'] for line in train] == list(range(1, 15))
    assert set(train[0]) == {'step', 'epoch', 'loss', 'accuracy', 'learning_rate', 'gradient_norm'}
    assert [line['step'] for line in val] == [4, 8, 12, 14]  # 30 examples: ceil(30 e / 8), and the end


def test_learning_from_the_first_steps(trained: Path) -> None:
    losses = [line['loss'] for line in json_lines.read(trained / 'logs' / 'train.jsonl')]
    assert np.mean(losses[-4:]) < losses[0] * 0.9


def test_outputs_agree_with_the_last_evaluation(trained: Path) -> None:
    """The evaluation inside training and the saved predictions are the same numbers."""
    saved = outputs.read(trained / 'outputs' / 'val')
    best = min(json_lines.read(trained / 'logs' / 'val.jsonl'), key=lambda line: line['loss'])
    assert saved.manifest.step == best['step']
    labels, logits = saved.arrays['labels'], np.asarray(saved.arrays['logits'], np.float64)
    log_sums = np.log(np.exp(logits).sum(-1))
    assert np.mean(logits.argmax(-1) == labels) == pytest.approx(best['accuracy'], abs=1e-6)
    assert np.mean(log_sums - logits[np.arange(len(labels)), labels]) == pytest.approx(best['loss'], abs=1e-6)


def test_two_fresh_runs_are_equal_to_the_bit(
    trained: Path, config_file: Any, tmp_path: Path, program: Any
) -> None:
    code, out, err = program('train', f'--gin_file={config_file()}', f'--run={tmp_path / "again"}')
    assert code == 0, err
    assert out.splitlines()[-1] == f'run: {tmp_path / "again"}'
    assert_equal(trained, tmp_path / 'again')


def test_the_saved_config_repeats_the_run(trained: Path, tmp_path: Path, program: Any) -> None:
    code, _, err = program('train', f'--gin_file={trained / "config.gin"}', f'--run={tmp_path / "again"}')
    assert code == 0, err
    assert_equal(trained, tmp_path / 'again')


@pytest.mark.parametrize('step', [3, 5, 8, 14])
def test_an_interrupted_run_continues_to_the_bit(
    step: int, trained: Path, config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between steps: before the first checkpoint, at one, between two, at the end."""
    log_steps = trainer.MetricLogger.log_steps

    def interrupt(self: Any, before: int, metrics: Any) -> None:
        log_steps(self, before, metrics)
        if before + 1 == step:
            raise KeyboardInterrupt

    run = tmp_path / 'run'
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', interrupt)
        code, _, _ = program('train', f'--gin_file={config_file()}', f'--run={run}')
    assert code == 75
    assert json.loads((run / 'status.json').read_text())['state'] == 'interrupted'
    with (run / 'logs' / 'train.jsonl').open('a') as log:
        log.write('{"step": 9')  # a line that a kill has torn
    code, _, err = program('train', f'--run={run}')
    assert code == 0, err
    assert_equal(trained, run)


def test_a_failure_is_recorded(
    config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError('the disk is on fire')

    monkeypatch.setattr(trainer.MetricLogger, 'log_evaluation', fail)
    code, _, err = program('train', f'--gin_file={config_file()}', f'--run={tmp_path / "run"}')
    assert (code, 'the disk is on fire' in err) == (1, True)
    status = json.loads((tmp_path / 'run' / 'status.json').read_text())
    assert (status['state'], status['error']) == ('failed', 'RuntimeError: the disk is on fire')


def test_groups_of_steps_cover_the_same_steps_and_events(
    config_file: Any, tmp_path: Path, program: Any
) -> None:
    path = config_file('trainer.Trainer.steps_per_dispatch = 2')
    code, _, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    train, val = (json_lines.read(tmp_path / 'run' / 'logs' / f'{name}.jsonl') for name in ('train', 'val'))
    assert [line['step'] for line in train] == list(range(1, 15))
    assert [line['step'] for line in val] == [4, 8, 12, 14]


def test_a_run_is_not_continued_with_another_config(trained: Path, config_file: Any, program: Any) -> None:
    code, _, err = program(
        'train', f'--gin_file={config_file()}', f'--run={trained}', '--gin_bindings=RATE = 0.5'
    )
    assert code == 2
    assert 'learning_rate: 0.03 -> 0.5' in err


def test_resume_latest_finds_the_unfinished_run(
    config_file: Any, workspace: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_evaluation', interrupt)
        assert program('train', f'--gin_file={config_file()}')[0] == 75
    code, out, err = program('train', '--resume=latest')
    assert code == 0, err
    assert out.splitlines()[-1].startswith(f'run: {workspace}/runs/{project()}/digits-toy/20')
    code, _, err = program('train', '--resume=latest')
    assert (code, 'there is no unfinished run' in err) == (2, True)


MISTAKES = {
    'no config': ([], 'nothing to train'),
    'both ways to name a run': (['--run=a', '--resume=b'], '--resume and --run both name a run'),
    'no such run': (['--resume=nowhere'], 'nowhere is not a run'),
    'misspelt flag': (['--gin_flie=a'], "Did you mean '--gin_file'"),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_on_the_command_line(mistake: str, program: Any) -> None:
    arguments, expected = MISTAKES[mistake]
    code, out, err = program('train', *arguments)
    assert code == 2
    assert expected in err
    assert 'Traceback' not in out + err


SIZES = {
    'STEPS = 0': 'Trainer.steps = 0: it must be at least 1',
    'SEED = -1': 'Trainer.seed = -1: it must be from 0 to 4294967295',
    'BATCH_SIZE = 7': 'a batch of 7 examples does not split evenly over 2 devices',
    "trainer.Trainer.dataset = 'digit'": "Did you mean 'digits'",
    "trainer.Trainer.predict = ('tset',)": "has no split 'tset'. Did you mean 'test'",
    "trainer.Trainer.best = ('los', 'min')": "evaluation has no metric 'los'. Did you mean 'loss'",
    'sharding.Jit.data = 9': 'Jit.data = 9, but there are 2 devices',
}


@pytest.mark.parametrize('binding', SIZES)
def test_what_cannot_work_is_refused_before_anything_is_compiled(
    binding: str, config_file: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_nothing(*_: Any) -> None:
        raise AssertionError('compiled')

    monkeypatch.setattr('engine.training.steps.StepFunctions.init', compile_nothing)
    monkeypatch.setattr(trainer, 'compiling', compile_nothing)
    code, _, err = program('train', f'--gin_file={config_file()}', f'--gin_bindings={binding}')
    assert code == 2
    assert SIZES[binding] in err


def test_dry_run_leaves_no_run(config_file: Any, program: Any, workspace: Path) -> None:
    before = set(workspace.glob('runs/*/*/*'))
    code, out, _ = program('train', f'--gin_file={config_file()}', '--dry_run')
    assert code == 0
    assert 'STEPS = 14' in out
    assert set(workspace.glob('runs/*/*/*')) == before


def test_predict_any_split_from_any_checkpoint(trained: Path, tmp_path: Path, program: Any) -> None:
    run = Path(shutil.copytree(trained, tmp_path / 'run'))
    code, out, err = program('predict', str(run), '--split=train', '--checkpoint=10')
    assert code == 0, err
    assert out.splitlines()[-1] == f'outputs: {run}/outputs/train@10'
    assert outputs.read(run / 'outputs' / 'train@10').manifest.step == 10
    code, _, err = program('predict', str(run), '--split=train', '--checkpoint=10')
    assert (code, 'exists already' in err) == (2, True)
    code, _, err = program('predict', str(run), '--split=train', '--checkpoint=11')
    assert (code, "there is no checkpoint '11'. Saved steps: latest: [10, 14]" in err) == (2, True)


def test_a_run_without_splits_to_predict(config_file: Any, program: Any, tmp_path: Path) -> None:
    path = config_file('trainer.Trainer.predict = ()', STEPS='STEPS = 2')
    code, out, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert (code, 'predicting' in out + err) == (0, False)
    assert not (tmp_path / 'run/outputs').exists() or not list((tmp_path / 'run/outputs').iterdir())
