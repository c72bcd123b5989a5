"""Events of whole trainings: what is due, and that a run killed at any point ends as one that was not."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files import read_json
from engine.runs import json_lines
from tests.engine.random_cases import random_cases
from tests.engine.training.equal_runs import assert_equal_states
from tests.engine.training.event_runs import (
    EVERYTHING,
    assert_equal_files,
    config,
    files,
    steps,
    train,
)

REASON = 'no better val loss in 2 evaluations'


def lines(run: Path, name: str) -> list[dict[str, Any]]:
    return json_lines.read(run / 'logs' / f'{name}.jsonl')


def test_all_that_is_due_happens(whole: Path) -> None:
    evaluations = lines(whole, 'val')
    last = evaluations[-1]['step']
    assert [line['step'] for line in evaluations] == list(range(0, last + 1, 3))
    assert 9 <= last < 60
    assert {'val/loss', 'val/accuracy', 'digits-val/loss', 'digits-val/accuracy'} <= evaluations[0].keys()
    losses = [line['val/loss'] for line in evaluations]
    best = losses.index(min(losses))
    assert len(losses) - 1 - best == 2
    assert steps(whole, 'best') == [3 * best]
    assert {step for step in (0, 6, 12, 18) if step <= last} | {last} <= set(steps(whole, 'latest'))
    assert read_json(whole / 'status.json')['stopped'] == {'step': last, 'reason': REASON}
    pictures = sorted(path.name for path in (whole / 'debug/pictures/noise').iterdir())
    assert pictures == sorted(f'{step}.png' for step in {*range(0, last + 1, 4), last})
    noise = {(whole / f'debug/pictures/noise/{name}').read_bytes() for name in pictures}
    assert len(noise) == 1  # the key depends on the seed alone
    logits = {(whole / f'debug/pictures/logits/{name}').read_bytes() for name in pictures}
    assert len(logits) == len(pictures)
    blocks = [line['step'] for line in lines(whole, 'train')]
    assert blocks == [*range(2, last + 1, 2), *([last] if last % 2 else [])]


def test_a_run_killed_ten_times_stops_at_the_same_step(whole: Path, everything: Path, tmp_path: Path) -> None:
    run = tmp_path / 'run'
    for ends_at in (4, 6, 15, 31, 9, 22, 40, 18, 12, 25):
        train(everything, run, ends_at=ends_at)
    assert train(everything, run) == 0
    assert_equal_files(whole, run)
    assert read_json(run / 'status.json')['stopped'] == read_json(whole / 'status.json')['stopped']
    assert_equal_states(whole, run)


def test_more_steps_do_not_revive_a_run(
    whole: Path, everything: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / 'run'))
    before = files(run)
    assert train(everything, run, 'STEPS=99') == 0
    out = ''.join(capfd.readouterr())
    assert f'this run has stopped at step {lines(run, "val")[-1]["step"]}: {REASON}. More steps do not' in out
    assert files(run) == before
    (run / 'status.json').unlink()  # the log alone decides
    assert train(everything, run, 'STEPS=99') == 0
    assert files(run) == before
    assert read_json(run / 'status.json')['stopped'] == read_json(whole / 'status.json')['stopped']


def test_a_run_that_stopped_goes_on_with_another_stop(whole: Path, everything: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / 'run'))
    last = lines(run, 'val')[-1]['step']
    more = ('stopping.Patience.evaluations=3', '--accept_changes')
    assert train(everything, run, 'stopping.Patience.evaluations=3') == 2
    assert train(everything, run, *more) == 0
    assert lines(run, 'val')[-1]['step'] > last
    assert lines(run, 'val')[: last // 3 + 1] == lines(whole, 'val')
    stopped = read_json(run / 'status.json')['stopped']
    assert stopped['reason'] == REASON.replace('2', '3')


def test_verify_and_predict_work_on_it(whole: Path, everything: Path, tmp_path: Path, program: Any) -> None:
    run = Path(shutil.copytree(whole, tmp_path / 'run'))
    last = lines(run, 'val')[-1]['step']
    code, out, err = program('verify', str(run), '--from=0', '--steps=99', '--outputs')
    assert code == 0, out + err
    assert f'equal: steps 1 to {last}, the evaluations after steps 0, 3, ' in out
    code, out, err = program('verify', str(run), '--from=6')
    assert (code, 'the evaluations after steps 6 and 9' in out) == (0, True), out + err
    code, out, err = program('predict', str(run), '--checkpoint=6')
    assert code == 0, out + err
    assert (run / 'outputs' / 'val@6').is_dir()


def test_a_best_at_step_0_counts_and_survives(tmp_path: Path) -> None:
    """Everything after step 0 is worse. The run is killed before and after its first checkpoint."""
    path = config(tmp_path, *EVERYTHING, RATE='RATE = -0.3')
    for ends_at in (5, 8):
        train(path, tmp_path / 'run', ends_at=ends_at)
    assert train(path, tmp_path / 'run') == 0
    assert steps(tmp_path / 'run', 'best') == [0]
    assert 0 in steps(tmp_path / 'run', 'latest')
    assert read_json(tmp_path / 'run/status.json')['stopped'] == {'step': 6, 'reason': REASON}
    assert read_json(tmp_path / 'run/outputs/val/manifest.json')['step'] == 0
    assert [line['step'] for line in lines(tmp_path / 'run', 'val')] == [0, 3, 6]


INTERVALS = st.none() | st.integers(1, 5)


@pytest.mark.slow
@random_cases(4)
@given(data=st.data())
def test_any_combination_is_exact(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp('any')
    chosen = {
        name: data.draw(INTERVALS, name)
        for name in ('evaluate_every', 'keep_every', 'pictures_every', 'validation_batches')
    } | {
        name: data.draw(st.integers(1, 4), name) for name in ('save_every', 'log_every', 'steps_per_dispatch')
    }
    optional = {
        'init_from': '@eventful.Source()',
        'stop': '@stopping.Patience()',
        'validate': "('test', 'val')",
        'nonfinite': "'skip'",
    }
    chosen |= {name: value for name, value in optional.items() if data.draw(st.booleans(), name)}
    save_every = f'  save_every = {chosen.pop("save_every")}'
    path = config(
        folder,
        'from engine.parts import stopping',
        *(f'trainer.Trainer.{name} = {value}' for name, value in chosen.items() if value is not None),
        *(['stopping.Patience.evaluations = 1'] if 'stop' in chosen else []),
        STEPS='STEPS = 12',
        RATE='RATE = 0.2',
        save_every=save_every,
    )
    assert train(path, folder / 'whole') == 0
    for ends_at in data.draw(st.lists(st.integers(2, 30), max_size=5), 'kills'):
        train(path, folder / 'killed', ends_at=ends_at)
    assert train(path, folder / 'killed') == 0
    assert_equal_files(folder / 'whole', folder / 'killed')
    assert_equal_states(folder / 'whole', folder / 'killed')


MISTAKES = {
    'Trainer.evaluate_every=0': 'Trainer.evaluate_every = 0: it must be at least 1.',
    'Trainer.pictures_every=-1': 'Trainer.pictures_every = -1: it must be at least 1.',
    "Trainer.best=('los', 'min')": "evaluation has no metric 'los'. Did you mean 'val/loss'",
    "Trainer.best=('vla/loss', 'min')": "evaluation has no metric 'vla/loss'. Did you mean 'val/loss'",
    "stopping.Patience.metric='acuracy'": "evaluation has no metric 'acuracy'. Did you mean 'val/accuracy'",
    "whole/evaluation_set.EvaluationSet.dataset='shapes/toy'": "'shapes-val' does not fit digits/toy",
    "whole/evaluation_set.EvaluationSet.split='tset'": "digits has no split 'tset'. Did you mean 'test'?",
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_are_found_before_training(
    mistake: str, everything: Path, tmp_path: Path, program: Any
) -> None:
    binding = f'--gin_bindings={"trainer." if mistake.startswith("Trainer") else ""}{mistake}'
    code, _, err = program('train', f'--gin_file={everything}', f'--run={tmp_path / "run"}', binding)
    assert code == 2
    assert MISTAKES[mistake] in err
    assert not (tmp_path / 'run').exists()


def test_a_task_without_pictures_is_refused(config_file: Any, program: Any) -> None:
    code, _, err = program(
        'train', f'--gin_file={config_file("trainer.Trainer.pictures_every = 5")}', '--dry_run'
    )
    assert code == 2
    assert 'Trainer.pictures_every: Classification makes no pictures' in err
