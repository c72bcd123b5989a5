"""A training that pauses at any steps (`--until`) equals one that never paused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.files import read_json
from tests.engine.training.equal_runs import assert_equal_states
from tests.engine.training.event_runs import files, steps, train


def status(run: Path) -> tuple[str, int]:
    content = read_json(run / 'status.json')
    return content['state'], content['step']


def pauses(run: Path, path: Path, *until: int) -> Iterator[int]:
    """Trains up to each of the steps, and yields the step at which the run pauses."""
    for step in until:
        assert train(path, run, f'--until={step}') == 0
        state, paused = status(run)
        assert state == 'paused'
        yield paused


def test_a_paused_run_goes_on_to_the_bit(everything: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / 'paused'
    reached = list(pauses(run, everything, 1, 4, 7))  # calls end after steps 2, 3, 4, 5, 6 and 8
    assert reached == [2, 4, 8]
    assert not [*(run / 'outputs').glob('*/*.npy')]
    assert max(steps(run, 'latest')) == 8
    assert train(everything, run) == 0
    assert files(run) == files(whole)
    assert_equal_states(run, whole)


def test_a_run_that_has_paused_there_does_nothing(
    everything: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / 'paused'
    assert list(pauses(run, everything, 3)) == [3]
    before = {path: path.stat().st_mtime_ns for path in run.rglob('*')}
    for until in (3, 2):
        assert train(everything, run, f'--until={until}') == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob('*')} == before
    assert 'has paused at step 3 already' in capsys.readouterr().out


def test_the_end_comes_before_a_pause(everything: Path, whole: Path, tmp_path: Path) -> None:
    """Early stopping and the last step end a run, even where it would pause."""
    run, last = tmp_path / 'ended', status(whole)[1]
    assert train(everything, run, f'--until={last}') == 0
    assert status(run) == ('finished', last)
    assert files(run) == files(whole)


@pytest.mark.parametrize('step', ['0', '-3'])
def test_a_step_before_the_first_is_refused(
    everything: Path, tmp_path: Path, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(everything, tmp_path / 'run', f'--until={step}') == 2
    assert f'--until={step}: the step to pause after must be at least 1' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()
