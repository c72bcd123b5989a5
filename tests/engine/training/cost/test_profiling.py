"""Traces of a range of steps: their files, the table of operations, and the messages about ranges."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import jax
import pytest

from engine.errors import UserError
from engine.runs import json_lines
from engine.training.cost import operations, profiling
from engine.training.cost.operations import _Event, _own_times
from engine.training.events import Events


def events(steps: int = 100, group: int = 1, save_every: int = 100) -> Events:
    return Events(steps=steps, ends_epoch=lambda _: False, steps_per_dispatch=group, save_every=save_every)


@pytest.mark.parametrize(
    ('steps', 'group', 'save_every'),
    [(None, 1, 100), ((0, 1), 1, 100), ((0, 100), 7, 100), ((10, 30), 10, 100), ((13, 15), 10, 15)],
)
def test_ranges_that_work(steps: Any, group: int, save_every: int) -> None:
    """In the last case, a save is due inside the group, so it runs as single steps."""
    if steps == (0, 100):
        assert events(100, group).group(98) == 1  # the rest are single steps
    profiling.check(steps, events(group=group, save_every=save_every))


@pytest.mark.parametrize('steps', [(100, 110), (-1, 5), (5, 5), (7, 3), (50, 101)])
def test_a_range_outside_of_the_training_is_refused(steps: Any) -> None:
    with pytest.raises(UserError, match=r'has the steps 0 to 100\. Give the steps .* such as \(90, 100\)'):
        profiling.check(steps, events())


@pytest.mark.parametrize(
    ('steps', 'wanted'), [((5, 20), '0 or 10'), ((10, 25), '20 or 30'), ((12, 18), '10 or 20')]
)
def test_a_range_inside_of_a_group_is_refused(steps: Any, wanted: str) -> None:
    with pytest.raises(UserError, match=rf'as a whole\. Give {wanted} instead'):
        profiling.check(steps, events(group=10))
    profiling.check((10, 30), events(group=10))


def test_operations_inside_of_others_count_once() -> None:
    """A loop from 0 to 10 holds two operations, one of which holds another one; the next follows it."""
    times = [(0, 10, 'loop'), (1, 4, 'a'), (2, 3, 'b'), (5, 8, 'a'), (10, 12, 'c')]
    own: dict[str, float] = {}
    for (name, _), seconds in _own_times(_Event((name, ''), start, end) for start, end, name in times):
        own[name] = own.get(name, 0) + seconds * 1e9
    assert own == pytest.approx({'loop': 4, 'a': 5, 'b': 1, 'c': 2})


@pytest.fixture(scope='module')
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs, the first one with a trace of the steps 6 to 9."""
    from tests.conftest import run_program, write_config

    folder = tmp_path_factory.mktemp('profiled')
    config = write_config(folder)
    for name, bindings in (('traced', ['--gin_bindings=trainer.Trainer.profile = (6, 9)']), ('plain', [])):
        assert run_program('train', f'--gin_file={config}', f'--run={folder / name}', *bindings) == 0
    return folder / 'traced', folder / 'plain'


def test_a_trace_changes_nothing(profiled: tuple[Path, Path]) -> None:
    traced, plain = (json_lines.read(run / 'logs' / 'train.jsonl') for run in profiled)
    assert traced == plain
    assert not (profiled[1] / 'debug' / 'profile').exists()


def test_the_files_of_a_trace(profiled: tuple[Path, Path]) -> None:
    """What TensorBoard and Perfetto read, and the table; three steps were traced."""
    folder = profiled[0] / 'debug' / 'profile'
    (trace,) = folder.glob('plugins/profile/*/*.xplane.pb')
    (perfetto,) = folder.glob('plugins/profile/*/perfetto_trace.json.gz')
    with gzip.open(perfetto) as file:
        names = {event.get('name') for event in json.load(file)['traceEvents']}
    with (folder / 'operations.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert 0 < len(rows) <= 10
    assert [row['operation'] for row in rows] == [each.name for each in operations.dearest_operations(trace)]
    assert {row['operation'] for row in rows} <= names
    seconds = [float(row['seconds']) for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    assert 0 < sum(float(row['share']) for row in rows) <= 1.001
    calls = {int(row['calls']) for row in rows if row['program'] == 'jit_train_steps'}
    assert calls <= {3 * jax.local_device_count() * turns for turns in range(1, 20)}
    text = (folder / 'operations.txt').read_text()
    assert text.splitlines()[1].startswith(rows[0]['operation'])


def test_a_run_continues_with_another_range(profiled: tuple[Path, Path], program: Any) -> None:
    """A profile is not part of what a run is; a range before the step of the resume traces nothing."""
    traced, _ = profiled
    before = sorted((traced / 'debug' / 'profile').rglob('*'))
    for steps in ((0, 3), (6, 9)):
        bindings = [f'--gin_bindings=trainer.Trainer.profile = {steps}', '--gin_bindings=STEPS = 14']
        config = f'--gin_file={traced.parent / "small.gin"}'
        code, _, error = program('train', config, f'--run={traced}', *bindings)
        assert (code, error) == (0, '')
    assert sorted((traced / 'debug' / 'profile').rglob('*')) == before
