"""Copies for TensorBoard, read by tensorboardX's protocol buffers."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.mirrors import destination
from tests.conftest import Program
from tests.engine.mirrors import preempted_run
from tests.engine.sample_runs import append, write_run
from tests.engine.training.observers.test_tensorboard import Event, records


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """Returns all scalars in the order in which TensorBoard reads them."""
    return [
        (value.tag, event.step, value.simple_value)
        for path in sorted(folder.rglob('events.*'))
        for event in map(Event.FromString, records(path))
        for value in event.summary.value
    ]


def expected(run: Path) -> Counter:
    curves = preempted_run.expected(run)
    return Counter(
        (tag, step, float(np.float32(value))) for tag, line in curves.items() for step, value in line
    )


def mirror(program: Program, run: Path, place: Path, *more: str) -> str:
    code, out, err = program('mirror', str(run), '--to=tensorboard', f'--at={place}', *more)
    assert (code, err) == (0, '')
    return out


def of_metrics(folder: Path) -> Counter:
    return Counter(scalar for scalar in scalars(folder) if not scalar[0].startswith('performance/'))


def test_a_preempted_run_is_one_curve_at_any_time(program: Program, tmp_path: Path) -> None:
    run, place = tmp_path / 'run', tmp_path / 'tb'
    for _ in preempted_run.killed_and_continued(run):
        assert ' numbers\n' in mirror(program, run, place)
        assert 'nothing new' in mirror(program, run, place)
    assert of_metrics(place) == expected(run)
    assert max(Counter((tag, step) for tag, step, _ in scalars(place)).values()) == 1
    assert len(list(place.rglob('events.*'))) == 5


def test_a_copy_is_replaced_if_the_run_was_trained_again(program: Program, tmp_path: Path) -> None:
    run, place = write_run(tmp_path / 'run'), tmp_path / 'tb'
    mirror(program, run, place)
    preempted_run.train_again(run)
    assert 'earlier copy replaced' in mirror(program, run, place)
    assert of_metrics(place) == expected(run)


@pytest.mark.parametrize('damage', ['unfinished', 'lost mark', 'lost copy'])
def test_an_unfinished_copy_is_replaced(program: Program, tmp_path: Path, damage: str) -> None:
    run, place = write_run(tmp_path / 'run'), tmp_path / 'tb'
    mirror(program, run, place)
    [mark] = place.rglob('mirror.json')
    if damage == 'unfinished':
        mark.write_text('{}')
    elif damage == 'lost mark':
        mark.write_text('{"tables": {"train": [5, "')
    else:
        shutil.rmtree(mark.parent)
    mirror(program, run, place)
    assert of_metrics(place) == expected(run)


def test_folders_of_others_are_never_replaced(program: Program, tmp_path: Path, monkeypatch) -> None:
    """Here the copy would take the place of the run itself."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    run = write_run(tmp_path / 'runs/a')
    before = sorted(run.rglob('*'))
    code, _, err = program('mirror', str(run), '--to=tensorboard', f'--at={tmp_path / "runs"}')
    assert (code, 'it has no mirror.json. Choose another folder.' in err) == (2, True)
    assert sorted(run.rglob('*')) == before


def test_all_runs_are_copied_and_told(program: Program, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    for name in ('a', 'b/c'):
        write_run(tmp_path / 'workspace/runs' / name)
    code, out, err = program('mirror', str(tmp_path / 'workspace/runs'), '--to=tensorboard')
    assert (code, err) == (0, '')
    place = tmp_path / 'workspace/mirrors/tensorboard'
    *copied, look, mirror = out.splitlines()
    assert [line.split(':')[0] for line in copied] == ['a', 'b/c']
    assert look.endswith(f'tensorboard --logdir {place}')
    assert mirror == f'mirror: {place}'
    assert {path.parent.relative_to(place).as_posix() for path in place.rglob('events.*')} == {'a', 'b/c'}


def test_a_metric_that_begins_late_and_odd_values(program: Program, tmp_path: Path) -> None:
    run, place = write_run(tmp_path / 'run', 4), tmp_path / 'tb'
    mirror(program, run, place)
    append(
        run, 'train', '{"step": 5, "loss": null, "top@5": 1e30}\n{"step": 6, "loss": NaN, "top@5": true}\n'
    )
    mirror(program, run, place)
    late = [scalar for scalar in scalars(place) if scalar[1] > 4 and scalar[0].startswith('train/')]
    assert late == [('train/top@5', 5, float(np.float32(1e30))), ('train/top@5', 6, 1.0)]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{run}'], '--to'),
        (['{run}', '--to=tensorbord'], 'tensorboard'),
        (['{run}x', '--to=tensorboard'], "Did you mean 'run'?"),
        (['--to=tensorboard'], 'RUN'),
    ],
)
def test_mistakes(program: Program, tmp_path: Path, arguments: list[str], message: str) -> None:
    run = write_run(tmp_path / 'run')
    code, out, err = program('mirror', *(argument.format(run=run) for argument in arguments))
    assert (code, out, err.startswith('error: '), message in err) == (2, '', True, True)


def test_a_package_that_is_not_installed_is_named(program: Program, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'wandb', None)
    code, _, err = program('mirror', str(write_run(tmp_path / 'run')), '--to=wandb')
    assert (code, 'lacks the package wandb' in err, '.venv-mirrors' in err) == (2, True, True)


def test_a_package_for_newer_pythons_is_told() -> None:
    with pytest.raises(UserError, match=r'nowhere needs Python 9\.1 or newer.*Set MIRRORS_PYTHON'):
        destination.package('nowhere', oldest=(9, 1))
