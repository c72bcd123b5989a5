"""Whole runs by each order: resumed to the bit, and refused with an edited list."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import files
from engine.datasets.load import load
from engine.training import trainer
from tests.conftest import run_program, write_config
from tests.engine.processes.test_processes import codes, losses, train
from tests.engine.training.equal_runs import assert_equal, stop_after

ORDERS = {
    'Weighted': "orders.Weighted.file = '{folder}/weights.csv'",
    'Balanced': "orders.Balanced.field = 'label'",
    'Curriculum': "orders.Curriculum:\n  field = 'label'\n  steps = 9",
    'Sequential': '',
}


def ordered_config(folder: Path, name: str) -> Path:
    """Writes a config that trains by an order, and a list of weights."""
    write_weights(folder / 'weights.csv', period=3)
    return write_config(
        folder,
        'from engine.parts import orders',
        f'trainer.Trainer.order = @orders.{name}()',
        ORDERS[name].format(folder=folder),
    )


def write_weights(path: Path, period: int) -> None:
    ids = load('digits/toy').split('train').ids
    rows = [f'{identity},{1 + index % period}' for index, identity in enumerate(ids)]
    path.write_text('\n'.join(['id,weight', *rows, '']))


def train_whole_and_stop(folder: Path, name: str) -> list[str]:
    """Trains a run as a whole and stops another one after step 11; returns the arguments of the latter."""
    flag = f'--gin_file={ordered_config(folder, name)}'
    assert run_program('train', flag, f'--run={folder / "whole"}') == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert run_program('train', flag, f'--run={folder / "run"}') == 75
    return [flag, f'--run={folder / "run"}']


def test_a_run_by_a_list_resumes_to_the_bit_with_this_list_alone(tmp_path: Path, program: Any) -> None:
    resume, weights = train_whole_and_stop(tmp_path, 'Weighted'), tmp_path / 'weights.csv'
    name, old = f'{weights} (Trainer.order)', files.sha256(weights)
    assert files.read_json(tmp_path / 'run/environment.json')['order'] == {str(weights): old}
    write_weights(weights, period=2)
    for arguments in (('train', *resume), ('verify', str(tmp_path / 'whole'))):
        code, _, err = program(*arguments)
        assert code == 2
        assert f'data: {name}: {old} -> {files.sha256(weights)}' in err
        assert f'Restore {weights}.' in err
    weights.unlink()
    code, _, err = program('train', *resume)
    assert (code, f'{weights} does not exist' in err) == (2, True), err
    write_weights(weights, period=3)
    assert program('train', *resume)[0] == 0
    assert_equal(tmp_path / 'whole', tmp_path / 'run')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['Balanced', 'Curriculum', 'Sequential'])
def test_a_run_by_any_order_resumes_to_the_bit(name: str, tmp_path: Path, program: Any) -> None:
    resume = train_whole_and_stop(tmp_path, name)
    assert program('train', *resume)[0] == 0
    assert_equal(tmp_path / 'whole', tmp_path / 'run')
    code, out, err = program('verify', str(tmp_path / 'run'), '--outputs')
    assert (code, 'equal: steps' in out) == (0, True), err


@pytest.mark.slow
@pytest.mark.parametrize('name', ORDERS)
def test_two_processes_train_what_one_does(name: str, tmp_path: Path) -> None:
    path = ordered_config(tmp_path, name)
    for count in (1, 2):
        assert codes(train(path, tmp_path / f'{count}', count)) == [0] * count
    np.testing.assert_allclose(losses(tmp_path / '2'), losses(tmp_path / '1'), rtol=1e-4)
