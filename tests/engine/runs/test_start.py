"""What decides whether a run begins, continues or is refused, row by row of the table in `start.py`."""

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs import start
from engine.runs.environment.differences import Changes, Differences
from engine.runs.run_folder import Run
from engine.runs.run_state import RunState
from engine.runs.start import Decision
from tests.engine.runs.test_run_folder import DIGITS

RATE = {'mlp.MLP.rate': ('0.1', '0.2')}
MORE_STEPS = {start.STEPS: ('10', '20')}
FEWER_STEPS = {start.STEPS: ('20', '10')}
OTHERS = {
    'data': {'digits': ('0123', '4567')},
    'code': {'research/models/mlp.py': ('0123', '4567')},
    'packages': {'optax': ('0.2.7', '0.2.8')},
    'flags': {'jax_enable_x64': (False, True)},
}
MACHINE = {'host': ('a', 'b'), 'devices': (1, 2)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that was interrupted."""
    run = Run.begin(DIGITS, tmp_path / 'run')
    run.save_config(lambda path: path.write_text('STEPS = 10\n'))
    run.record_data(DIGITS)
    run.write_status(state=RunState.INTERRUPTED)
    return run


def decided(
    run: Run | None,
    config: Changes | None = None,
    accept_changes: bool = False,
    damage: str = '',
    strict: bool = False,
    machine: Changes | None = None,
    **numeric: Changes,
) -> Decision:
    numeric |= {'config': config} if config else {}
    return start.decide(run, Differences(numeric, machine or {}), accept_changes, strict, lambda _: damage)


def test_without_a_run_one_begins() -> None:
    assert decided(None) == Decision.BEGIN


def test_an_unfinished_run_continues(run: Run) -> None:
    assert decided(run) == Decision.RESUME


def test_a_finished_run_has_nothing_left_unless_it_is_damaged(run: Run, said: list[str]) -> None:
    run.write_status(state=RunState.FINISHED)
    assert decided(run) == Decision.NOTHING_LEFT
    assert decided(run, damage='train.jsonl has changed') == Decision.RESUME
    assert said == ['this run was finished and has been damaged since: train.jsonl has changed']


@pytest.mark.parametrize('state', [RunState.FINISHED, RunState.INTERRUPTED])
def test_more_steps_continue_a_run(state: RunState, run: Run) -> None:
    run.write_status(state=state)
    assert decided(run, MORE_STEPS) == Decision.RESUME


@pytest.mark.parametrize('accept_changes', [False, True])
def test_more_steps_do_not_revive_a_run_that_stopped(accept_changes: bool, run: Run, said: list[str]) -> None:
    run.write_status(state=RunState.FINISHED, stopped={'step': 8, 'reason': 'no better val loss'})
    assert decided(run, MORE_STEPS, accept_changes) == Decision.NOTHING_LEFT
    assert said[0].startswith('note: this run has stopped at step 8: no better val loss. More steps do not')
    assert decided(run) == Decision.NOTHING_LEFT
    assert decided(run, MORE_STEPS, damage='train.jsonl has changed') == Decision.RESUME
    with pytest.raises(UserError, match='other config'):
        decided(run, RATE | MORE_STEPS)
    assert decided(run, RATE | MORE_STEPS, accept_changes=True) == Decision.RESUME_CHANGED
    run.write_status(state=RunState.RUNNING)
    assert decided(run, MORE_STEPS) == Decision.RESUME


@pytest.mark.parametrize('changes', [RATE, FEWER_STEPS, RATE | MORE_STEPS])
def test_another_config_must_be_accepted(changes: Changes, run: Run) -> None:
    with pytest.raises(UserError) as error:
        decided(run, changes)
    for name, (old, new) in changes.items():
        assert f'  config: {name}: {old} -> {new}\n' in str(error.value)
    assert decided(run, changes, accept_changes=True) == Decision.RESUME_CHANGED


SHOWN = {
    'data': '  data: digits: 0123 -> 4567\nRestore the data: scripts/dataset.sh check digits reports',
    'code': '  code: research/models/mlp.py has changed\nRestore the code: commit unknown',
    'packages': '  packages: optax: 0.2.7 -> 0.2.8\nRestore the packages: requirements.lock of the run',
    'flags': '  flags: jax_enable_x64: False -> True\nRestore the flags.',
}


@pytest.mark.parametrize('subject', OTHERS)
def test_whatever_changes_numbers_must_be_accepted(subject: str, run: Run) -> None:
    with pytest.raises(UserError) as error:
        decided(run, **{subject: OTHERS[subject]})
    assert f'has been trained with other {subject}:\n' in str(error.value)
    assert SHOWN[subject] in str(error.value)
    with pytest.raises(UserError):
        decided(run, MORE_STEPS, **{subject: OTHERS[subject]})
    accepted = decided(run, accept_changes=True, **{subject: OTHERS[subject]})
    assert accepted == Decision.RESUME_CHANGED


def test_a_finished_run_stays_finished_and_says_what_has_changed(run: Run, said: list[str]) -> None:
    run.write_status(state=RunState.FINISHED)
    assert decided(run, code=OTHERS['code'], machine=MACHINE) == Decision.NOTHING_LEFT
    (note,) = said
    assert note.endswith('has changed since. code: research/models/mlp.py has changed')
    with pytest.raises(UserError, match='other code'):
        decided(run, code=OTHERS['code'], damage='train.jsonl has changed')
    with pytest.raises(UserError, match='other data'):
        decided(run, data=OTHERS['data'])
    assert decided(run, accept_changes=True, code=OTHERS['code']) == Decision.RESUME_CHANGED


def test_another_machine_is_a_warning_unless_it_is_refused(run: Run) -> None:
    assert decided(run, machine=MACHINE) == Decision.RESUME
    assert decided(run, machine=MACHINE, strict=True, accept_changes=True) == Decision.RESUME
    with pytest.raises(UserError, match=r'machine: host: a -> b\n  machine: devices: 1 -> 2\n'):
        decided(run, machine=MACHINE, strict=True)
    (warning,) = start.warnings(Differences(machine=MACHINE))
    assert 'host: a -> b; devices: 1 -> 2' in warning
    assert start.warnings(Differences()) == []
    assert start.warnings(Differences(unknown='no record')) == ['warning: no record.']


def test_the_command_line_names_an_existing_run_or_a_new_one(run: Run, tmp_path: Path) -> None:
    assert start.existing_run(None, None) is None
    assert start.existing_run(None, str(tmp_path / 'new')) is None
    assert start.existing_run(None, str(run.folder)) == run
    assert start.existing_run(str(run.folder), None) == run
    with pytest.raises(UserError, match='nowhere is not a run'):
        start.existing_run('nowhere', None)
    with pytest.raises(UserError, match='Pass only one of them'):
        start.existing_run('a', 'b')


def test_a_name_that_no_run_can_have_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
    wrong = {
        '': 'is empty',
        str(run.config / 'below'): 'config.gin is not a folder',
        str(tmp_path / 'dangling'): 'is a link that leads nowhere',
        str(tmp_path / ('x' * 256)): 'is longer than 255 bytes',
    }
    for name, message in wrong.items():
        with pytest.raises(UserError, match=f'--run.*{message}'):
            start.existing_run(None, name)
        with pytest.raises(UserError, match=f'--resume.*{message}'):
            start.existing_run(name, None)


def test_an_edited_config_is_refused(run: Run) -> None:
    run.config.write_text('STEPS = 11\n')
    with pytest.raises(UserError, match='has changed since the run began'):
        start.existing_run(str(run.folder), None)
