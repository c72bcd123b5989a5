"""A mirror reads a run as it is: at work, killed, finished or damaged."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.mirrors import mirrored_run
from tests.engine.sample_runs import append, write_lines, write_run


def test_every_number_has_a_name(tmp_path: Path) -> None:
    run = mirrored_run.read(write_run(tmp_path / 'run'))
    assert list(run.tables['train']) == ['train/epoch', 'train/loss']
    assert list(run.tables['val']) == ['val/epoch', 'val/loss', 'val/score']
    assert set(run.tables['performance']) > {'performance/examples_per_second', 'performance/seconds/total'}
    assert run.parameters == {'trainer.Trainer.best': "('score', 'max')", 'trainer.Trainer.steps': '20'}


def test_torn_damaged_and_repeated_lines_are_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'run', 4)
    append(folder, 'train', 'rubbish\n{"step": 4, "loss": 9}\n{"step": 5, "loss": null}\n{"step": 6, "lo')
    loss = mirrored_run.read(folder).tables['train']['train/loss'].dropna()
    assert loss.to_dict() == {1: 1.0, 2: 0.5, 3: 1 / 3, 4: 9.0}


@pytest.mark.parametrize(
    ('folder', 'name'), [('runs/digits/a', 'digits/a'), ('sweeps/s/runs/0f', 'sweeps/s/runs/0f')]
)
def test_a_run_is_named_by_its_place_in_the_workspace(
    folder: str, name: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    assert mirrored_run.read(write_run(tmp_path / folder)).name == name


def test_a_run_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    assert mirrored_run.read(write_run(tmp_path / 'run')).name == str(tmp_path / 'run').lstrip('/')


def test_times_are_those_of_training_without_pauses(tmp_path: Path) -> None:
    """Each 4 steps of the sample took 10 s."""
    run = mirrored_run.read(write_run(tmp_path / 'run', started='2026-01-01T00:00:00+00:00'))
    assert (run.times(np.array([0, 2, 4, 8, 20])) - run.started).tolist() == [0, 5, 10, 20, 50]
    assert run.started == 1767225600


@pytest.mark.parametrize('started', [None, 'soon', 7])
def test_without_a_known_start_there_are_times_all_the_same(tmp_path: Path, started: object) -> None:
    folder = write_run(tmp_path / 'run', started=started)
    write_lines(folder, 'performance', [])
    run = mirrored_run.read(folder)
    assert run.times(np.array([1, 20])).tolist() == [folder.stat().st_mtime] * 2


@pytest.mark.parametrize(('state', 'last'), [('finished', 20), ('running', 10), ('interrupted', 10)])
def test_timings_after_the_last_checkpoint_wait_for_the_end(tmp_path: Path, state: str, last: int) -> None:
    folder = write_run(tmp_path / 'run', state=state)
    for step in (5, 10):
        (folder / f'checkpoints/latest/{step}').mkdir(parents=True)
    run = mirrored_run.read(folder)
    assert run.tables['performance'].index.max() == last // 4 * 4
    assert run.tables['train'].index.max() == 20


def test_a_run_without_logs_is_read(tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/status.json').write_text(json.dumps({'state': 'running'}))
    run = mirrored_run.read(tmp_path / 'run')
    assert (run.config, run.state, sum(map(len, run.tables.values()))) == ('', 'running', 0)


def test_times_of_a_run_that_is_copied_after_each_kill_never_go_back(tmp_path: Path) -> None:
    """What is copied after a kill would be slower or faster when it is trained again."""
    folder = write_run(tmp_path / 'run', state='running', started='2026-01-01T00:00:00+00:00')
    (folder / 'checkpoints/latest/9').mkdir(parents=True)
    run = mirrored_run.read(folder)
    assert (run.times(np.array([4, 8, 12, 20])) - run.started).tolist() == [10, 20, 20, 20]
