"""Settings that would fail during or after a training are refused before it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.training.observers.observer import Observer
from tests.conftest import Program
from tests.engine.training.preflight import odd_data
from tests.engine.training.preflight.test_outputs_before_training import odd_config

DryRun = Callable[..., tuple[int, str]]


class Closed(Observer):
    """Cannot work here."""

    def check(self) -> None:
        raise UserError('the observer Closed finds its server closed. Open it.')


@pytest.fixture
def dry_run(config_file: Callable[..., Path], program: Program) -> DryRun:
    """Returns exit code and words of a dry run with more lines in the config."""

    def run(*lines: str, **replaced: str) -> tuple[int, str]:
        code, out, err = program('train', f'--gin_file={config_file(*lines, **replaced)}', '--dry_run')
        assert 'Traceback' not in out + err
        return code, out + err

    return run


SCALING = 'from engine.parts import scaling\nclassification.Classification.scale = @scaling.PerChannel()\n'
HERE = 'from tests.engine.training.preflight import test_settings_before_training as here\n'
MEANS = f'{SCALING}scaling.PerChannel:\n  mean = (0.5, 0.4, 0.4)\n  deviation = (0.2, 0.2, 0.2)'
WEIGHTS = 'classification.Classification.class_weights'
SETTINGS = {
    f'{WEIGHTS} = (1.0, 2.0)': "holds 2 numbers, but 'label' has 10 classes",
    f'{WEIGHTS} = {(*[1.0] * 9, -1.0)}': 'give finite numbers of at least 0',
    MEANS: '3 numbers, but images of the shape [8, 8, 1] have 1 channels',
    MEANS.replace('0.5, 0.4, 0.4', '0.5,'): 'PerChannel.mean has 1 numbers',
    "classification.Classification.image = 'picture'": "needs the field 'picture'",
    'classification.Classification.accumulation_steps = 3': 'accumulation_steps = 3 does not divide',
    f'{HERE}trainer.Trainer.observers = [@here.Closed()]': 'the observer Closed finds its server closed',
}


@pytest.mark.parametrize('lines', SETTINGS)
def test_settings_that_do_not_fit(lines: str, dry_run: DryRun) -> None:
    code, said = dry_run(lines)
    assert (code, SETTINGS[lines] in said) == (2, True), said


def test_weights_and_scaling_that_fit(dry_run: DryRun) -> None:
    lines = f'{SCALING}scaling.PerChannel:\n  mean = (0.5,)\n  deviation = (0.2,)'
    weights = f'classification.Classification.class_weights = {(0.5, *[1.0] * 9)}'
    code, said = dry_run(lines, weights)
    assert code == 0, said


def test_predictions_that_memory_cannot_hold(config_file: Callable[..., Path], program: Program) -> None:
    arrays = {
        'logits': ('float32', ('B', 10)),
    }
    arrays |= {f'embedding_{index}': ('float32', ('B', 2 * 10**9)) for index in range(20)}
    code, out, err = program(
        'train', f'--gin_file={odd_config(config_file, "Returns", arrays=arrays)}', '--dry_run'
    )
    assert code == 2, out + err
    assert re.search(r'GiB, for 10 examples, but this machine has [\d.,]+ GiB of memory', err), err


# Numbers that are not finite.

TASK = """
from engine.parts import regression
from tests.engine.training.preflight import odd_tasks
trainer.Trainer.task = @{task}()
{task}.model = @mlp.MLP
{task}.optimizer = @optax.sgd
{task}.learning_rate = %RATE
"""


def values(split: str, spoilt: dict[tuple[str, str], float]) -> dict[str, Any]:
    """Features, targets and a field that no task uses, of 16 examples; some numbers are spoilt."""
    random = np.random.default_rng(0)
    shapes = {'features': (16, 4), 'targets': (16, 1), 'notes': (16, 2)}
    fields = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for (where, field), value in spoilt.items():
        if where == split:
            fields[field][5, 0] = value
    return fields


Regression = Callable[..., tuple[int, str]]


@pytest.fixture
def regress(
    config_file: Callable[..., Path], program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Regression:
    """Returns exit code and words of a dry run of a regression on spoilt data."""

    def run(spoilt: dict[tuple[str, str], float], task: str = 'regression.Regression', *lines: str) -> Any:
        splits = {split: values(split, spoilt) for split in odd_data.SPLITS}
        data = odd_data.dataset(tmp_path / 'data', splits)
        monkeypatch.setattr('engine.training.experiment.load', lambda *_: data)
        path = config_file(TASK.format(task=task), *lines)
        text = path.read_text().replace('  task = @classification.Classification()\n', '')
        path.write_text(re.sub(r'classification\.Classification:\n(  .*\n)+', '', text))
        code, out, err = program('train', f'--gin_file={path}', '--dry_run')
        assert 'Traceback' not in out + err
        return code, out + err

    return run


@pytest.mark.parametrize(
    ('split', 'field', 'value'),
    [('train', 'features', np.nan), ('val', 'targets', -np.inf), ('train', 'targets', np.inf)],
)
def test_numbers_that_make_the_loss_nan(split: str, field: str, value: float, regress: Regression) -> None:
    code, said = regress({(split, field): value})
    assert code == 2, said
    assert f"{split} of odd: the field '{field}' of '{split}-5' holds NaN or infinity" in said
    assert 'makes loss' in said


@pytest.mark.parametrize(
    'spoilt',
    [{}, {('train', 'notes'): np.nan}, {('test', 'features'): np.nan}],
    ids=['none', 'unused', 'test'],
)
def test_numbers_that_reach_no_loss(spoilt: Any, regress: Regression) -> None:
    assert regress(spoilt)[0] == 0


def test_a_task_may_mask_what_is_missing(regress: Regression) -> None:
    code, said = regress({('train', 'targets'): np.nan, ('val', 'targets'): np.nan}, 'odd_tasks.Masked')
    assert code == 0, said


def test_a_training_may_skip_what_is_not_finite(regress: Regression) -> None:
    skip = "trainer.Trainer.nonfinite = 'skip'"
    code, said = regress({('train', 'targets'): np.nan}, 'regression.Regression', skip)
    assert code == 0, said


def test_a_network_of_several_inputs_trains_to_its_end(
    config_file: Callable[..., Path], program: Program, tmp_path: Path
) -> None:
    """Images, tokens and lengths go in; all of them are kept for inspection, the images as a picture."""
    path = odd_config(config_file, 'Tokens')
    text = path.read_text().replace('model = @mlp.MLP', 'model = @odd_tasks.TwoInputs')
    path.write_text(re.sub(r'mlp\.MLP\.\w+ = .*\n', '', text))
    code, out, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 0, out + err
    with np.load(tmp_path / 'run/debug/first_batch.npz') as saved:
        shapes = {name: (array.dtype.name, array.shape) for name, array in saved.items()}
    assert shapes == {
        'images': ('float32', (8, 8, 8, 1)),
        'tokens': ('int32', (8, 64)),
        'length': ('int32', (8,)),
    }
    assert (tmp_path / 'run/debug/first_batch.png').is_file()
