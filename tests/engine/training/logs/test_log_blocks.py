"""A line of the log is a mean over a block of steps: the same bytes, wherever a run was killed."""

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs import json_lines
from engine.training import trainer
from engine.training.logs.metric_log import MetricLog, digests
from engine.training.logs.metrics import BlockMeans, StepMetrics
from tests.conftest import run_program, write_config
from tests.engine.random_cases import random_cases
from tests.engine.training.equal_runs import assert_equal, assert_equal_states, stop_after

LOG_EVERY = 'trainer.Trainer.log_every = 3'
Record = Mapping[str, str]


def lines(run: Path, name: str = 'train') -> list[dict[str, Any]]:
    return json_lines.read(run / 'logs' / f'{name}.jsonl')


def obvious_means(steps: list[dict[str, Any]], every: int) -> list[dict[str, Any]]:
    """Returns the lines that blocks of `every` steps make of a line for each step."""
    blocks = [steps[start : start + every] for start in range(0, len(steps), every)]
    means = []
    for block in blocks:
        means.append({'step': block[-1]['step'], 'epoch': block[-1]['epoch']})
        for name in block[0].keys() - {'step', 'epoch'}:
            values = [line[name] for line in block if line[name] is not None]
            total = values[0] if values else math.nan
            for value in values[1:]:
                total += value
            means[-1][name] = total / len(values) if values else None
    return means


# Means alone, without a training.


def metrics(first: int, last: int) -> StepMetrics:
    """Returns made-up metrics of steps, in single precision; some are not finite."""
    steps = np.arange(first, last + 1)
    losses = np.where(steps % 5 == 2, np.nan, np.sin(steps) * 10.0 ** (steps % 7)).astype(np.float32)
    return StepMetrics(first, {'loss': losses, 'rate': np.where(steps % 3 == 1, -0.0, 0.1)})


def log_session(
    folder: Path,
    every: int,
    last: int,
    saved: dict[int, Record],
    start: int,
    parts: list[int],
    save_every: int,
) -> None:
    """Logs steps as a training does that begins at a saved step and is killed after the last of its parts.

    Args:
      folder: of the logs.
      every: steps of a line.
      last: the last step of the training.
      saved: records of checkpoints, by step; this session adds its own.
      start: the checkpoint to begin from.
      parts: the number of steps whose metrics are fetched together, for each fetch.
      save_every: steps between checkpoints.
    """
    log = MetricLog(
        folder, start, lambda step: step / 4, BlockMeans(every, last, saved[start].get('block', ''))
    )
    step = start
    for count in parts:
        end = min(step + count, last, (step // save_every + 1) * save_every)  # a save fetches all before it
        if end > step:
            log.write_steps(metrics(step + 1, end))
        step = end
        if step == last or step % save_every == 0:
            saved[step] = log.record()
    log.close()


@random_cases(60)
@given(data=st.data())
def test_a_log_is_the_same_however_often_a_run_was_killed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    every, last, save_every = (data.draw(st.integers(1, most)) for most in (7, 30, 9))
    whole, killed = (tmp_path_factory.mktemp(name) for name in ('whole', 'killed'))
    log_session(whole, every, last, {0: {}}, 0, [1] * last, save_every)
    expected = obvious_means([step_line(step) for step in range(1, last + 1)], every)
    assert json_lines.read(whole / 'train.jsonl') == expected
    saved: dict[int, Record] = {0: {}}
    for _ in range(data.draw(st.integers(1, 5))):
        first_end = data.draw(st.integers(1, last))  # of a run whose number of steps is raised later
        start = data.draw(st.sampled_from([step for step in saved if step <= first_end]))
        saved = {step: record for step, record in saved.items() if step <= start}
        parts = data.draw(st.lists(st.integers(1, 6), max_size=12))
        log_session(killed, every, first_end, saved, start, parts, save_every)
        recorded = {step: record for step, record in saved.items() if step}
        for step, found in digests(killed, recorded).items():
            assert found.items() <= recorded[step].items()
    log_session(killed, every, last, saved, max(saved), [1] * last, save_every)
    assert (killed / 'train.jsonl').read_bytes() == (whole / 'train.jsonl').read_bytes()


def step_line(step: int) -> dict[str, Any]:
    [(_, values)] = metrics(step, step).lines()
    return {'step': step, 'epoch': step / 4} | {k: json_lines.json_value(v) for k, v in values.items()}


def test_sums_are_in_double_precision_and_a_single_value_keeps_its_sign() -> None:
    block = BlockMeans(10, 99)
    values = [2.0**24, *[1.0] * 9]
    [(step, means)] = block.add(StepMetrics(1, {'loss': np.array(values, np.float32)}))
    assert (step, means) == (10, {'loss': (2**24 + 9) / 10})
    [(_, means)] = BlockMeans(1, 99).add(StepMetrics(1, {'loss': np.array([-0.0])}))
    assert math.copysign(1, means['loss']) == -1


def test_a_block_that_changes_its_length_holds_the_steps_since_the_line_before(tmp_path: Path) -> None:
    """As after --accept_changes: the checkpoint of step 10 lies inside the block of steps 9 to 12."""
    saved: dict[int, Record] = {0: {}}
    log_session(tmp_path, 4, 20, saved, 0, [10], 10)
    log_session(tmp_path, 3, 20, saved, 10, [10], 10)
    assert [line['step'] for line in json_lines.read(tmp_path / 'train.jsonl')] == [4, 8, 12, 15, 18, 20]
    [mean] = obvious_means([step_line(step) for step in range(9, 13)], 4)
    assert json_lines.read(tmp_path / 'train.jsonl')[2] == mean


# Whole trainings: 14 steps in blocks of 3; checkpoints after 5, 10 and 14; evaluations after 4, 8, 12 and 14.


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs: `whole`, and `stopped` after step 11, whose best checkpoint is that of step 8."""
    folder = tmp_path_factory.mktemp('blocks')
    config = write_config(folder, LOG_EVERY)
    assert run_program('train', f'--gin_file={config}', f'--run={folder / "whole"}') == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert run_program('train', f'--gin_file={config}', f'--run={folder / "stopped"}') == 75
    return folder


@pytest.fixture
def copied(runs: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies a run: copied('whole') -> folder."""
    return lambda name: Path(shutil.copytree(runs / name, tmp_path / name))


def test_lines_are_the_means_of_the_steps(runs: Path, trained: Path) -> None:
    whole = runs / 'whole'
    assert lines(whole) == obvious_means(lines(trained), 3)
    assert [line['step'] for line in lines(whole)] == [3, 6, 9, 12, 14]
    assert (whole / 'logs/val.jsonl').read_bytes() == (trained / 'logs/val.jsonl').read_bytes()


@pytest.mark.parametrize('damaged', ['', 'latest/10'])
def test_a_stopped_run_ends_equal(damaged: str, runs: Path, copied: Any, program: Any) -> None:
    run = copied('stopped')
    if damaged:
        next((run / 'checkpoints' / damaged / 'default').iterdir()).unlink()
    code, out, err = program('train', f'--run={run}')
    assert (code, f'Resuming after step {5 if damaged else 10}' in out) == (0, True), err
    assert_equal(runs / 'whole', run)


def test_more_steps_complete_the_last_block(
    runs: Path, copied: Any, config_file: Any, program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The run with more steps is stopped after its short line was removed, and resumes without a warning."""
    config, run = config_file(LOG_EVERY, STEPS='STEPS = 16'), copied('whole')
    assert program('train', f'--gin_file={config}', f'--run={tmp_path / "longer"}')[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(14))
        assert program('train', f'--gin_file={config}', f'--run={run}')[0] == 75
    assert [line['step'] for line in lines(run)] == [3, 6, 9, 12]
    code, out, err = program('train', f'--run={run}')
    assert (code, 'Resuming after step 14' in out, 'have changed' in out + err) == (0, True, False), err
    logs = [(folder / 'logs/train.jsonl').read_bytes() for folder in (run, tmp_path / 'longer')]
    assert logs[0] == logs[1]
    assert_equal_states(tmp_path / 'longer', run)


@pytest.mark.parametrize('damage', ['edited', 'removed'])
def test_a_damaged_short_line_is_noticed_and_written_again(
    damage: str, runs: Path, copied: Any, program: Any
) -> None:
    run = copied('whole')
    log = run / 'logs/train.jsonl'
    *others, last = log.read_text().splitlines(keepends=True)
    log.write_text(''.join(others) + (last.replace('"loss": ', '"loss": 1') if damage == 'edited' else ''))
    code, out, err = program('train', f'--run={run}')
    assert (code, 'has been damaged since' in out + err) == (0, True)
    assert_equal(runs / 'whole', run)
    assert 'has been damaged' not in ''.join(program('train', f'--run={run}')[1:])


@pytest.mark.parametrize(
    ('name', 'flags', 'expected'),
    [
        ('whole', [], 'steps 11 to 12, the evaluation after step 12'),
        ('whole', ['--from=0', '--steps=2'], 'steps 1 to 3, no evaluation'),
        ('whole', ['--from=0', '--steps=4'], 'steps 1 to 6, the evaluation after step 4'),
        ('whole', ['--from=10', '--steps=9'], 'steps 11 to 14, the evaluations after steps 12 and 14'),
        ('whole', ['--from=14'], 'the evaluation after step 14'),
        ('stopped', ['--from=5', '--steps=9'], 'steps 6 to 9, the evaluation after step 8'),
    ],
)
def test_whole_lines_are_verified(
    name: str, flags: list[str], expected: str, runs: Path, program: Any
) -> None:
    code, out, err = program('verify', str(runs / name), *flags)
    assert (code, out.splitlines()[-1]) == (0, f'equal: {expected}, every metric to the bit'), err


def test_the_line_that_differs_is_named_with_its_steps(copied: Any, program: Any) -> None:
    log = copied('whole') / 'logs/train.jsonl'
    written = log.read_text().splitlines(keepends=True)
    log.write_text(''.join([*written[:3], written[3].replace('"loss": ', '"loss": 1'), written[4]]))
    code, out, _ = program('verify', str(log.parent.parent))
    assert (code, out.splitlines()[-1].split(' was')[0]) == (1, 'steps 10 to 12: loss')


def test_a_line_counts_skipped_steps_as_a_share(config_file: Any, tmp_path: Path, program: Any) -> None:
    more = ("trainer.Trainer.nonfinite = 'skip'", 'trainer.Trainer.best = None')
    path = config_file(LOG_EVERY, *more, RATE='RATE = 1e30')
    code, _, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    logged = lines(tmp_path / 'run')
    assert [line['skipped'] for line in logged] == [2 / 3, 1, 1, 1, 1]
    assert [line['loss'] is None for line in logged] == [False, True, True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize('end', [8, 12])
def test_several_steps_per_dispatch(
    end: int, config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_file('trainer.Trainer.log_every = 4', 'trainer.Trainer.steps_per_dispatch = 2')
    whole, killed = (f'--run={tmp_path / name}' for name in ('whole', 'killed'))
    assert program('train', f'--gin_file={config}', whole)[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(end))
        assert program('train', f'--gin_file={config}', killed)[0] == 75
    code, _, err = program('train', killed)
    assert code == 0, err
    assert_equal(tmp_path / 'whole', tmp_path / 'killed')
    expected = 'equal: steps 1 to 14, the evaluations after steps 4, 8, 12 and 14, every metric to the bit'
    code, out, _ = program('verify', str(tmp_path / 'killed'), '--from=0', '--steps=14')
    assert out.splitlines()[-1] == expected


def test_a_number_below_one_is_refused(config_file: Any, program: Any) -> None:
    code, _, err = program('train', f'--gin_file={config_file("trainer.Trainer.log_every = 0")}')
    assert (code, 'Trainer.log_every = 0: it must be at least 1.' in err) == (2, True)
