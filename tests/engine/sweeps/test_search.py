"""The runs of a sweep do not depend on the workers. Optuna proposes; nothing trains."""

import json
import random
from pathlib import Path
from statistics import mean

import pytest

from engine.sweeps import search
from engine.sweeps.sweep_folder import PROPOSALS, Sweep
from tests.engine.sweeps.sample_sweeps import begun, far_from, finish

AXES = ('RATE=1e-5..1e-1:log', 'WIDTH=8,16,32', 'DEPTH=1..4')
loss = far_from(1e-3)


def work(sweep: Sweep, workers: int, seed: int) -> None:
    """Proposes and ends all runs, of which up to `workers` are open at once, in a random order."""
    generator, taken = random.Random(seed), []
    ended = set()
    while True:
        left = [run for run in sweep.proposals() if run.name not in ended and run not in taken]
        if len(taken) < workers and left:
            taken.append(left[0])
        elif len(taken) < workers and search.propose(sweep):
            continue
        elif taken:
            run = taken.pop(generator.randrange(len(taken)))
            finish(sweep, run, {4: loss(sweep, run)})
            ended.add(run.name)
        else:
            return


@pytest.fixture(scope='module')
def by_one_worker(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    sweep = begun(tmp_path_factory.mktemp('one'), *AXES, search='tpe', trials=24)
    work(sweep, workers=1, seed=0)
    return sweep


@pytest.mark.parametrize(('workers', 'seed'), [(3, 1), (3, 2), (4, 3), (9, 4)])
def test_tpe_proposes_the_same_runs_to_any_number_of_workers(
    by_one_worker: Sweep, tmp_path: Path, workers: int, seed: int
) -> None:
    sweep = begun(tmp_path, *AXES, search='tpe', trials=24)
    work(sweep, workers, seed)
    assert sweep.proposals() == by_one_worker.proposals()
    assert len({run.name for run in sweep.proposals()}) == 24


def test_tpe_looks_where_runs_were_good(by_one_worker: Sweep) -> None:
    losses = [loss(by_one_worker, run) for run in by_one_worker.proposals()]
    assert mean(losses[14:]) < 0.6 * mean(losses[:10])  # the first ten are random


def test_another_seed_proposes_other_runs(by_one_worker: Sweep, tmp_path: Path) -> None:
    sweep = begun(tmp_path, *AXES, search='tpe', trials=24, seed=1)
    assert sweep.proposals()[0] != by_one_worker.proposals()[0]


def test_all_values_are_of_their_axes(by_one_worker: Sweep) -> None:
    values = [run.values(by_one_worker.axes) for run in by_one_worker.proposals()]
    assert {each['WIDTH'] for each in values} <= {'8', '16', '32'}
    assert {each['DEPTH'] for each in values} <= {'1', '2', '3', '4'}
    assert all(1e-5 <= float(each['RATE']) <= 1e-1 for each in values)


def test_a_proposal_waits_for_the_results_that_it_needs(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'RATE=1e-5..1e-1:log', search='tpe', trials=9, parallel=2)
    assert search.propose(sweep)  # two may be open
    assert not search.propose(sweep)
    first, second = sweep.proposals()
    finish(sweep, second, {4: 1.0})
    assert not search.propose(sweep)  # the third needs the first
    finish(sweep, first, {4: 1.0})
    assert search.propose(sweep)


def test_a_failed_run_and_one_without_a_metric_are_no_results_and_stop_nothing(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'RATE=1e-5..1e-1:log', search='tpe', trials=14, parallel=1)
    while len(sweep.proposals()) < 14:
        run = sweep.proposals()[-1]
        if len(sweep.proposals()) % 3:
            finish(sweep, run, {4: None if len(sweep.proposals()) % 2 else 1.0})
        else:
            sweep.end(run.name, state='failed')
        assert search.propose(sweep)


def test_no_run_is_proposed_twice_and_a_small_space_ends_the_search(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'A=1,2', 'B=0..2', search='tpe', trials=20, parallel=1)
    while True:
        finish(sweep, sweep.proposals()[-1], {4: 1.0})
        if not search.propose(sweep):
            break
    assert len({run.name for run in sweep.proposals()}) == len(sweep.proposals()) == 6


def test_two_workers_that_write_the_same_trial_and_a_torn_line_do_no_harm(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'RATE=1e-5..1e-1:log', search='tpe', trials=9, parallel=4)
    search.propose(sweep)
    before, path = sweep.proposals(), sweep.folder / PROPOSALS
    with path.open('a') as file:
        file.write(path.read_text().splitlines()[-1] + '\n{"trial": 2, "run": "c0f')
    assert sweep.proposals() == before
    search.propose(sweep)
    assert len(sweep.proposals()) == 3
    assert [json.loads(line)['origin'] for line in path.read_text().splitlines() if line.endswith('}')] == [
        'tpe'
    ] * 4


def test_values_keep_how_they_are_written(tmp_path: Path) -> None:
    texts = {'A': "'a,b',(1, 2),None", 'B': '1e-3,0.001,1', 'C': '1e2,5', 'D': '@optax.adam,@optax.sgd'}
    vary = [f'{name}={text}' for name, text in texts.items()]
    sweep = begun(tmp_path, *vary, search='tpe', trials=15, parallel=1)
    while len(sweep.proposals()) < 15:
        finish(sweep, sweep.proposals()[-1], {4: len(sweep.proposals())})
        assert search.propose(sweep)
    axes = sweep.axes
    for run in sweep.proposals():
        assert all(run.values(axes)[axis.name] in axis.values for axis in axes)
