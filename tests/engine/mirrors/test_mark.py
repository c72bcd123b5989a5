"""A mark tells what is new, and when a copy must be replaced."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.mirrors import mark
from engine.mirrors.mirrored_run import MirroredRun
from tests.engine.random_cases import random_cases

NUMBERS = st.lists(st.floats(-10, 10) | st.just(float('nan')), min_size=1, max_size=8)


def run(values: list[float], config: str = '', **more: list[float]) -> MirroredRun:
    columns = {'train/loss': values} | {f'train/{name}': column for name, column in more.items()}
    table = pd.DataFrame(columns, index=pd.RangeIndex(1, len(values) + 1, name='step'))
    tables = {'train': table, 'val': table[:0], 'performance': pd.DataFrame()}
    return MirroredRun('run', config, {}, 'running', tables, 0.0, pd.Series(dtype=float))


def stored(of: MirroredRun) -> mark.Mark:
    return json.loads(json.dumps(mark.of(of)))


@random_cases(30)
@given(values=NUMBERS, cut=st.integers(0, 8))
def test_a_longer_run_fits_and_its_later_rows_are_new(values: list[float], cut: int) -> None:
    earlier = stored(run(values[:cut]))
    assert mark.fits(earlier, run(values))
    assert mark.rows_after(earlier, run(values))['train']['train/loss'].to_numpy() == pytest.approx(
        values[cut:], nan_ok=True
    )


@random_cases(30)
@given(values=NUMBERS, place=st.integers(0, 7))
def test_another_number_does_not_fit(values: list[float], place: int) -> None:
    other = values.copy()
    other[place % len(values)] = 11.0
    assert not mark.fits(stored(run(values)), run([*other, 1.0]))


@pytest.mark.parametrize(
    'changed',
    [run([1.0]), run([1.0, 2.0], config='A = 1'), run([1.0, 2.0, 3.0], score=[1.0, 1.0, 1.0])],
    ids=['shorter', 'another config', 'a new metric of old steps'],
)
def test_what_else_does_not_fit(changed: MirroredRun) -> None:
    assert not mark.fits(stored(run([1.0, 2.0])), changed)


def test_a_metric_that_begins_later_fits() -> None:
    nan = float('nan')
    assert mark.fits(stored(run([1.0, 2.0])), run([1.0, 2.0, 3.0], score=[nan, nan, 1.0]))


@pytest.mark.parametrize(
    'damaged',
    [{}, {'tables': []}, {'tables': {'train': 3}}, {'tables': {'train': ['a', 'b']}}, {'tables': {}}],
)
def test_a_damaged_mark_never_fits(damaged: dict) -> None:
    assert not mark.fits(damaged, run([1.0]))
    assert not mark.fits({'config': mark.of(run([1.0]))['config'], **damaged}, run([1.0]))


def test_rows_of_a_real_file_are_unchanged_by_reading_again(tmp_path: Path) -> None:
    (tmp_path / 'mark.json').write_text(json.dumps(mark.of(run([0.1, 1 / 3, 1e-300]))))
    assert json.loads((tmp_path / 'mark.json').read_text()) == mark.of(run([0.1, 1 / 3, 1e-300]))
