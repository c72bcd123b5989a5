from pathlib import Path

import pytest

from engine.sweeps import objective
from engine.sweeps.objective import Objective
from tests.engine.sample_runs import write_lines, write_run


def test_the_best_value_of_all_evaluations_counts(tmp_path: Path) -> None:
    run = write_run(tmp_path / 'run')
    write_lines(run, 'val', [{'step': step, 'loss': loss} for step, loss in ((4, 3.0), (8, 1.0), (12, None))])
    assert Objective('loss', 'min').best(run) == 1.0
    assert Objective('loss', 'max').best(run) == 3.0
    assert Objective('loss', 'min').at(run, 9) == 1.0
    assert Objective('loss', 'min').at(run, 12) is None
    assert Objective('loss', 'min').at(run, 3) is None
    assert Objective('accuracy', 'max').best(run) is None
    assert Objective('loss', 'min').best(tmp_path / 'no run') is None


def test_a_name_without_a_set_is_that_of_the_first_set(tmp_path: Path) -> None:
    run = write_run(tmp_path / 'run')
    write_lines(run, 'val', [{'step': 4, 'val/loss': 1.0, 'other/loss': 2.0}])
    assert Objective('loss', 'min').best(run) == 1.0
    assert Objective('other/loss', 'min').best(run) == 2.0


@pytest.mark.parametrize(
    ('text', 'expected'),
    [('accuracy', Objective('accuracy', 'max')), ('-val/loss', Objective('val/loss', 'min'))],
)
def test_a_minus_means_lower_is_better(text: str, expected: Objective) -> None:
    assert objective.parse(text) == expected
