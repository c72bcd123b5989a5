"""What a sweep ends in: its runs in JSON, the best one, and Optuna's plots of runs written by hand."""

import json
import re
from pathlib import Path

import pytest

from engine.sweeps import optuna_study, plots, report
from engine.sweeps.sweep_folder import Sweep
from tests.engine.sweeps.sample_sweeps import begun, far_from, finish

LOSS = far_from(1e-3)


@pytest.fixture(scope='module')
def ended(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    sweep = begun(
        tmp_path_factory.mktemp('ended'),
        'RATE=1e-4..1e-1:log:4',
        "NAME='a','b'",
        'ONE=5',
        rungs=[4],
        halving=2,
    )
    *runs, failed, paused = sweep.proposals()
    for run in runs:
        finish(sweep, run, {4: 9.0, 8: LOSS(sweep, run)})
    finish(sweep, paused, {4: 7.0}, step=4)
    sweep.end(failed.name, state='failed', exit_code=1, message='error: NaN')
    return sweep


def test_the_document_of_the_runs(ended: Sweep) -> None:
    documents = [run.as_json() for run in report.runs(ended)]
    assert documents[2]['parameters'] == {'RATE': 0.001, 'NAME': "'a'", 'ONE': 5}
    assert (documents[2]['state'], documents[2]['value']) == ('finished', 0.0)
    assert (documents[6]['state'], documents[6]['message']) == ('failed', 'error: NaN')
    assert (documents[7]['state'], documents[7]['rung'], documents[7]['value']) == ('paused', 4, 7.0)
    assert report.counts(report.runs(ended)) == {'finished': 6, 'paused': 1, 'failed': 1}


def test_failed_runs_are_told_by_their_reason(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'A=0..4')
    messages = ['x\nerror: NaN at step 3.\nmore', 'error: NaN at step 3.', '', 'Killed\n', 'TypeError: y\n\n']
    for run, message in zip(sweep.proposals(), messages, strict=True):
        sweep.end(run.name, state='failed', exit_code=1, message=message)
    reasons = report.failures(report.runs(sweep))
    assert {reason: [run.written for run in runs] for reason, runs in reasons.items()} == {
        'NaN at step 3.': ['A = 0', 'A = 1'],
        'the training was killed and said nothing': ['A = 2'],
        'Killed': ['A = 3'],
        'TypeError: y': ['A = 4'],
    }


def test_the_best_run_is_the_first_of_the_best_finished_ones(ended: Sweep) -> None:
    best = report.best(report.runs(ended), ended.objective)
    assert best and best.written == "RATE = 0.001, NAME = 'a', ONE = 5"
    assert report.best(report.runs(ended), None) is None


def test_plots_of_optuna_are_figures_and_one_page(ended: Sweep) -> None:
    written = plots.write(ended, ended.objective)  # type: ignore[arg-type]
    names = {path.name for path in written}
    assert names == {'plots.html'} | {f'{name}.{form}' for name in plots.HEADINGS for form in ('svg', 'png')}
    page = written[0].read_text()
    assert all(heading in page for heading in map(str, plots.HEADINGS.values()))
    assert 'loss: the best value of each run. Lower is better.' in page
    assert 'ONE' not in page  # it has one value, which tells nothing
    history = (ended.folder / 'plots/history.svg').read_text()
    assert 'Best Value' in history


def test_a_sweep_without_two_results_has_no_plots(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'A=0..2')
    for run in sweep.proposals():
        finish(sweep, run, {4: 1.0})  # all the same
    assert plots.write(sweep, sweep.objective) == []  # type: ignore[arg-type]


def test_the_journal_is_a_study_that_optuna_reads(ended: Sweep) -> None:
    assert ended.objective
    for _ in range(2):  # it is replaced
        optuna_study.write_journal(ended, ended.objective)
    optuna = optuna_study.optuna()
    backend = optuna_study.optuna('storages.journal').JournalFileBackend(str(ended.folder / 'journal.log'))
    study = optuna.load_study(study_name='s', storage=optuna.storages.JournalStorage(backend))
    states = [trial.state.name for trial in study.trials]
    assert states == ['COMPLETE'] * 6 + ['FAIL', 'PRUNED']
    assert study.best_trial.params == {'RATE': 0.001, 'NAME': "'a'", 'ONE': 5}
    assert study.best_value == 0.0
    assert study.direction.name == 'MINIMIZE'
    assert study.trials[0].intermediate_values == {4: 9.0, 8: 1.0}
    lines = (ended.folder / 'journal.log').read_text().splitlines()
    assert all(json.loads(line) for line in lines)
    assert not [path for path in ended.folder.iterdir() if re.search(r'tmp|lock', path.name)]
