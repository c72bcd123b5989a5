from pathlib import Path

import pytest

from engine.errors import UserError
from engine.sweeps import rungs
from engine.sweeps.objective import Objective
from tests.engine.sweeps.sample_sweeps import begun, finish

EVERY_20 = range(20, 1000, 20)


@pytest.mark.parametrize(
    ('evaluations', 'steps', 'runs', 'keep', 'expected'),
    [
        (EVERY_20, 1000, 27, 3, [40, 120, 340]),
        (EVERY_20, 1000, 26, 3, [120, 340]),  # 26 runs, 9, 3
        (EVERY_20, 1000, 3, 3, [340]),
        (EVERY_20, 1000, 8, 2, [140, 260, 500]),
        (range(1, 9), 9, 27, 3, [1, 3]),  # two rungs fall on the first evaluation
        ([20, 39, 59, 79], 80, 4, 2, [20, 59]),  # epochs of 19.6 steps
        ([400], 1000, 100, 10, [400]),
    ],
)
def test_rungs_fit_steps_evaluations_and_runs(
    evaluations: list[int], steps: int, runs: int, keep: int, expected: list[int]
) -> None:
    assert rungs.chosen(evaluations, steps, runs, keep) == expected


@pytest.mark.parametrize(('evaluations', 'runs', 'message'), [((), 9, 'no evaluation'), (EVERY_20, 2, '2')])
def test_a_halving_that_cannot_choose_is_refused(evaluations: list[int], runs: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rungs.chosen(evaluations, 1000, runs, 3)


@pytest.mark.parametrize(('steps', 'message'), [([20, 1000], 'not below 1000'), ([10, 40], 'step 20')])
def test_rungs_of_the_command_line_are_checked(steps: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        rungs.check(steps, EVERY_20, 1000)
    rungs.check([20, 980], EVERY_20, 1000)


@pytest.mark.parametrize(('mode', 'best'), [('min', ['2', '4', '5']), ('max', ['1', '3', '4'])])
def test_the_best_at_the_rung_survive_in_their_order_and_failed_ones_never(
    tmp_path: Path, mode: str, best: list[str]
) -> None:
    sweep = begun(tmp_path, 'A=0..6', halving=3, rungs=[10])
    last = {0: None, 1: 5.0, 2: 1.0, 3: 5.0, 4: 2.0, 5: 1.0, 6: 0.0}
    for run, value in zip(sweep.proposals(), last.values(), strict=True):
        finish(sweep, run, {5: 9.0, 10: value, 15: 100.0 * (value or 1)}, step=10)  # 15 is not of the rung
    sweep.end(f'{sweep.proposals()[6].name}@10', state='failed')
    chosen = rungs.survivors(sweep, sweep.proposals(), 10, 3, Objective('loss', mode))
    assert [run.values(sweep.axes)['A'] for run in chosen] == best


def test_equal_runs_survive_in_the_order_of_their_proposals(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'A=0..3')
    for run in sweep.proposals():
        finish(sweep, run, {10: 1.0}, step=10)
    assert rungs.survivors(sweep, sweep.proposals(), 10, 2, Objective('loss', 'min')) == sweep.proposals()[:2]


def test_no_sound_run_ends_the_halving(tmp_path: Path) -> None:
    sweep = begun(tmp_path, 'A=0..3')
    for run in sweep.proposals():
        finish(sweep, run, {10: None}, step=10)
    with pytest.raises(UserError, match='loss at step 10'):
        rungs.survivors(sweep, sweep.proposals(), 10, 2, Objective('loss', 'min'))
