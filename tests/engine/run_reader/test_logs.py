import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import UserError
from engine.files import short_names
from engine.render.durations import duration
from engine.run_reader import curves, logs, smoothing, summary
from tests.engine.sample_runs import append, write_lines, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / 'run')


def drawn(*folders: Path) -> set[str]:
    """Draws all there is to draw, whole; returns the names of the figures."""
    figures = curves.figures({folder.name: logs.read(folder) for folder in folders})
    for draw in figures.values():
        draw().draw_without_rendering()
    return set(figures)


def test_a_whole_run_is_read_as_it_was_written(run: Path):
    result = logs.read(run)
    assert (result.state, result.done, result.steps, result.best) == ('finished', 20, 20, ('score', 'max'))
    assert result.notes == ()
    assert result.train['loss'].to_dict() == {step: 1 / step for step in range(1, 21)}
    assert result.time.loc[8].to_dict() == {
        'examples_per_second': 108.0,
        'total': 10.0,
        'data': 1.0,
        'steps': 7.0,
        'evaluation': 2.0,
        'checkpoint': 0.0,
        'log': 0.0,
    }
    assert drawn(run) == {'loss', 'score', 'examples_per_second', 'where_the_time_went'}


def test_the_tables(run: Path):
    runs = {'a': logs.read(run)}
    assert [cell.shown for cell in summary.progress(runs).rows[0]] == [
        *('a', 'finished', '20 of 20', '5.0', '112', '50.0 s'),
        *('10.0 %', '70.0 %', '20.0 %', '0.0 %', '0.0 %'),
    ]
    assert [[cell.shown for cell in row] for row in summary.metrics(runs).rows] == [
        ['loss', 'a', 'lower', '0.1', '20', '0.1', '20'],
        ['score', 'a', 'higher', '12', '12', '4', '20'],
    ]


@pytest.mark.parametrize(
    ('metric', 'better'),
    [('loss', 'lower'), ('bits_per_byte', 'lower'), ('mean_iou', 'higher'), ('real_logit', '')],
)
def test_which_values_are_better(run: Path, metric: str, better: str):
    assert summary.direction(metric, logs.read(run)) == better


@pytest.mark.parametrize('best', ["('val/score', 'max')", "('score', 'max')"])
def test_metrics_of_several_sets(best: str, run: Path):
    names = ['val/loss', 'val/score', 'photos-test/loss', 'photos-test/score']
    write_lines(run, 'val', [{'step': s, 'epoch': s / 4} | dict.fromkeys(names, 1 / s) for s in (4, 8)])
    config = run / 'config.gin'
    config.write_text(config.read_text().replace("('score', 'max')", best))
    result = logs.read(run)
    assert result.best == (best.split("'")[1], 'max')
    rows = [[cell.shown for cell in row[:4]] for row in summary.metrics({'a': result}).rows]
    assert rows == [
        ['val/loss', 'a', 'lower', '0.125'],
        ['val/score', 'a', 'higher', '0.25'],
        ['photos-test/loss', 'a', 'lower', '0.125'],
        ['photos-test/score', 'a', 'higher', '0.25'],
    ]
    figures = list(curves.figures({'a': result}))
    assert figures[:3] == ['loss', 'photos-test/loss', 'val/loss']
    assert drawn(run) == {'loss', *names, 'examples_per_second', 'where_the_time_went'}


def test_a_run_that_stopped_early_says_why(tmp_path: Path):
    stopped = {'step': 20, 'reason': 'no better val loss in 5 evaluations'}
    run = write_run(tmp_path / 'run', stopped=stopped)
    config = run / 'config.gin'
    config.write_text(config.read_text().replace('STEPS = 20', 'STEPS = 900'))
    for said in (summary.terminal({'a': logs.read(run)}), summary.markdown({'a': logs.read(run)})):
        assert 'a: stopped at step 20: no better val loss in 5 evaluations' in said
        assert '20, stopped' in said
        assert '900' not in said
    again = write_run(
        tmp_path / 'resumed', stopped=stopped, state='running', heartbeat='2020-01-01T00:00:00+00:00'
    )
    resumed = logs.read(again)
    assert not resumed.stopped


@pytest.mark.parametrize(
    ('seconds', 'said'),
    [
        (0.04, '0.0 s'),
        (59.94, '59.9 s'),
        (59.96, '1 min 00 s'),
        (119.7, '2 min 00 s'),
        (3599.6, '1 h 00 min'),
        (7500, '2 h 05 min'),
    ],
)
def test_durations(seconds: float, said: str):
    assert duration(seconds) == said


def test_a_torn_last_line_is_left_out_and_said(run: Path):
    append(run, 'train', '{"step": 21, "lo')
    result = logs.read(run)
    assert result.done == 20
    assert result.notes == ('train.jsonl: its last line is torn and left out',)


@pytest.mark.parametrize(
    'line',
    [
        '{"step": 1',
        '[1]',
        '{"step": "1"}',
        '{"step": true}',
        '{"step": -1}',
        '{}',
        '[' * 9999,
        '\0',
        '{"step": 1e400}',
    ],
)
def test_a_damaged_line_is_left_out_and_said(run: Path, line: str):
    append(run, 'val', f'{line}\n')
    result = logs.read(run)
    assert len(result.val) == 5
    assert result.notes == ('val.jsonl: 1 damaged line left out',)


def test_of_a_step_written_twice_the_later_line_counts(run: Path):
    append(run, 'train', '{"step": 3, "epoch": 0.75, "loss": 9.0}\n')
    result = logs.read(run)
    assert result.train.loc[3].to_dict() == {'epoch': 0.75, 'loss': 9.0}
    assert result.train.index.is_monotonic_increasing
    assert result.notes == ('train.jsonl: 1 line repeated; the later one counts',)


@pytest.mark.parametrize('value', ['null', 'NaN', '-Infinity', '"a"', '[1]', '1e308', '1' + '0' * 400])
def test_what_is_no_finite_number_is_a_gap_and_said(run: Path, value: str):
    append(run, 'train', f'{{"step": 21, "epoch": 5.25, "loss": {value}}}\n')
    result = logs.read(run)
    assert result.train['loss'].tolist()[:-1] == [1 / step for step in range(1, 21)]
    assert math.isnan(result.train['loss'].tolist()[-1])
    assert result.notes == ('train.jsonl: loss has no finite number in 1 line, first at step 21',)
    assert 'loss' in drawn(run)


@pytest.mark.parametrize(
    'name', ['logs/train.jsonl', 'logs/val.jsonl', 'logs/performance.jsonl', 'status.json', 'config.gin']
)
@pytest.mark.parametrize('state', ['is missing', 'is empty'])
def test_a_file_that_is_missing_or_empty_is_said(run: Path, name: str, state: str):
    path = run / name
    path.unlink()
    if state == 'is empty':
        path.touch()
    result = logs.read(run)
    assert result.notes == (f'{path.name} {state}',)
    assert drawn(run) >= ({'loss'} if 'performance' in name else {'loss', 'where_the_time_went'})
    assert summary.terminal({'a': result})


def test_a_run_that_wrote_nothing_yet(tmp_path: Path):
    (tmp_path / 'config.gin').touch()
    result = logs.read(tmp_path)
    assert (result.state, result.done, result.steps) == ('unknown', 0, None)
    assert len(result.notes) == 5
    assert drawn(tmp_path) == set()
    assert summary.terminal({'a': result}).startswith('run')


def test_names_that_would_do_harm_are_escaped(run: Path):
    append(run, 'val', '{"step": 21, "epoch": 5.25, "loss": 1.0, "score": 1.0, "\\ud800\\u001b": 1.0}\n')
    result = logs.read(run)
    said = summary.terminal({'a': result})
    assert r"'\ud800\x1b'" in said
    assert said.replace('\n', '').isprintable()
    assert r"'\ud800\x1b'" in drawn(run)


def test_how_a_run_ended_is_said(tmp_path: Path):
    now = datetime.now(UTC).isoformat()
    cases = {
        'failed': (
            {'state': 'failed', 'error': 'no\x1b[31m space'},
            r"it ended by an error: 'no\x1b[31m space'",
        ),
        'alive': ({'state': 'running', 'heartbeat': now}, 'still running: this is how far it is'),
        'killed': ({'state': 'running', 'heartbeat': '2020-01-01T00:00:00+00:00'}, 'killed, it seems'),
        'timeless': ({'state': 'running', 'heartbeat': 7}, 'status.json says running, without a time'),
    }
    for name, (status, note) in cases.items():
        (said,) = logs.read(write_run(tmp_path / name, **status)).notes
        assert note in said


def test_two_runs_of_different_length_are_drawn_over_each_other(run: Path, tmp_path: Path):
    short = write_run(tmp_path / 'short', steps=8)
    runs = {folder.name: logs.read(folder) for folder in (run, short)}
    figure = curves.metric('loss', runs)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ('step', 'loss')
    assert axes.get_xlim()[1] >= 20
    assert [label.get_text() for label in figure.legends[0].get_texts()] == ['run', 'short', 'validation']
    assert len({line.get_color() for line in axes.lines}) == 2


@pytest.mark.parametrize(
    ('every', 'expected'),
    [
        ([1], ['each step', 'mean of 40 steps', 'validation']),
        ([10], ['mean of 10 steps', 'mean of 40 steps', 'validation']),
        ([15], ['mean of 15 steps', 'mean of 30 steps', 'validation']),
        ([50], ['mean of 50 steps', 'validation']),
        ([1, 10], ['run0', 'run1', 'each step', 'mean of 40 steps', 'validation', 'mean of 10 steps']),
    ],
)
def test_the_legend_says_how_many_steps_a_mean_is_of(every: list[int], expected: list[str], tmp_path: Path):
    runs = {}
    for index, count in enumerate(every):
        folder = write_run(tmp_path / f'run{index}', steps=20)
        with (folder / 'config.gin').open('a') as file:
            file.write(f'trainer.Trainer.log_every = {count}\n')
        ends = range(count, 2001, count)
        write_lines(folder, 'train', [{'step': s, 'epoch': s / 4, 'loss': 1 / s} for s in ends])
        runs[folder.name] = logs.read(folder)
    figure = curves.metric('loss', runs)
    assert [label.get_text() for label in figure.legends[0].get_texts()] == expected
    assert [runs[name].log_every for name in runs] == every


def test_ten_thousand_evaluations_are_drawn_with_few_points(run: Path):
    write_lines(run, 'val', [{'step': s, 'loss': 1 / s} for s in range(1, 10_001)])
    times = [{'step': s, 'examples_per_second': 1.0 * s, 'seconds': {'total': 1.0}} for s in range(1, 10_001)]
    write_lines(run, 'performance', times)
    read = logs.read(run)
    assert read.val['loss'].loc[10_000] == 1e-4
    for draw in (curves.metric('loss', {'a': read}), curves.throughput({'a': read})):
        assert max(len(np.asarray(line.get_xdata())) for line in draw.axes[0].lines) <= smoothing.MAX_POINTS


def test_a_long_line_is_thinned_and_keeps_its_extremes_and_gaps():
    values = pd.Series(range(100_000), dtype=float)
    values[50_000:60_000] = math.nan
    values[777] = -5.0
    thin = smoothing.thinned(values)
    assert len(thin) == smoothing.MAX_POINTS
    assert (thin.min(), thin.max()) == (-5.0, 99_999.0)
    assert thin.loc[51_000:59_000].isna().all()
    assert smoothing.thinned(values.head(10)).equals(values.head(10))


def test_the_running_mean_equals_the_obvious_one_and_forgets_a_spike():
    values = pd.Series([4.0, 8.0, math.nan, 1.0, 1e30, 5.0, 3.0, 4.0], index=range(1, 9))
    expected = [6.0, 6.0, math.nan, (1 + 1e30) / 2, (6 + 1e30) / 3, (8 + 1e30) / 3, 4.0, 3.5]
    pd.testing.assert_series_equal(
        smoothing.running_mean(values, 3), pd.Series(expected, values.index), rtol=1e-12
    )


def test_the_running_mean_of_a_long_line_is_thinned():
    values = pd.Series(range(10_001), dtype=float)
    mean = smoothing.running_mean(values, 100)
    assert len(mean) <= smoothing.MAX_POINTS
    assert mean.loc[6000] == values[5950:6050].mean()


def test_runs_are_found_below_a_folder_and_once(tmp_path: Path):
    folders = [write_run(tmp_path / 'runs' / name) for name in ('a', 'b')]
    (folders[0] / 'outputs').mkdir()
    write_run(folders[0] / 'outputs' / 'inner')
    result = logs.find([folders[1], tmp_path])
    assert result == [folders[1], folders[0]]
    assert short_names(result) == ['b', 'a']


@pytest.mark.parametrize(('name', 'message'), [('rum', "Did you mean 'run'?"), ('empty', 'contains no run')])
def test_where_there_is_no_run(run: Path, name: str, message: str):
    (run.parent / 'empty').mkdir()
    with pytest.raises(UserError, match=message.replace('?', r'\?')):
        logs.find([run.parent / name])
