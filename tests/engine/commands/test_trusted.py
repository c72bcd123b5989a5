"""A run from elsewhere is refused until the user trusts it, and nothing of it is imported before."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import files
from engine.commands import trusted
from engine.errors import UserError
from engine.runs.run_folder import Run
from engine.runs.safety import trust
from tests.conftest import Program

CONFIG = """\
from __gin__ import dynamic_registration
from research.models import mlp
import subprocess as s
import os.path
import planted

COMMAND = 'touch /tmp/x'

mlp.MLP.width = 8
here/mlp.MLP.width = 16
mlp.MLP.depth = @there/s.getoutput()
s.getoutput.cmd = %COMMAND
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace for each test, so that it has made no runs but its own."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    return tmp_path / 'workspace'


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the module `planted` writes as soon as it is imported."""
    mark = tmp_path / 'mark'
    (tmp_path / 'planted.py').write_text(f'open({str(mark)!r}, "w").close()\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'planted', raising=False)
    return mark


def made(folder: Path, text: str = 'STEPS = 1\n') -> Run:
    """Makes a run in the present workspace."""
    folder.mkdir(parents=True)
    run = Run(folder)
    run.save_config(lambda path: path.write_text(text))
    return run


def from_elsewhere(folder: Path, text: str = CONFIG) -> Run:
    """Makes a run that another workspace made."""
    folder.mkdir(parents=True)
    (folder / 'config.gin').write_text(text)
    files.write_json(folder / 'status.json', {'id': 'of another'})
    return Run(folder)


def refusal(run: Run) -> str:
    with pytest.raises(UserError) as error:
        trusted.check(run, trusted=False)
    return str(error.value)


COMMANDS = {
    'train --run': lambda run: ('train', f'--run={run}'),
    'train --resume': lambda run: ('train', f'--resume={run}'),
    'train --gin_file': lambda run: ('train', f'--gin_file={run}/config.gin', '--dry_run'),
    'predict': lambda run: ('predict', str(run)),
    'predict other data': lambda run: ('predict', str(run), '--dataset=digits/toy'),
    'release': lambda run: ('release', str(run), '--name=a', '--version=1'),
    'verify': lambda run: ('verify', str(run)),
    'check': lambda run: ('check', f'--gin_file={run}/config.gin'),
    'compile': lambda run: ('compile', f'--gin_file={run}/config.gin'),
    'eval': lambda run: ('evaluate', str(run), f'--gin_file={run}/config.gin'),
    'compare': lambda run: ('compare', str(run), f'--gin_file={run}/config.gin'),
}


@pytest.mark.parametrize('command', COMMANDS.values(), ids=COMMANDS)
def test_no_program_imports_what_a_run_from_elsewhere_names(
    command: Callable[[Path], tuple[str, ...]], planted: Path, tmp_path: Path, program: Program
) -> None:
    run = from_elsewhere(tmp_path / 'run')
    before = files.sha256(run.folder / 'status.json')
    code, _, err = program(*command(run.folder))
    assert code == 2
    assert f'{run.folder} was not made in this workspace' in err
    assert '  planted (a package)\n' in err
    assert 'pass --trust' in err
    assert 'planted' not in sys.modules
    assert not planted.exists()
    assert [path.name for path in sorted(run.folder.iterdir())] == ['config.gin', 'status.json']
    assert files.sha256(run.folder / 'status.json') == before
    _, _, err = program(*command(run.folder), '--trust')
    assert f'trusted from now on: {run.folder} (config.gin)\nimports\n' in err
    assert planted.exists()
    trusted.check(run, trusted=False)


def test_the_message_shows_what_the_config_imports_and_calls(tmp_path: Path) -> None:
    message = refusal(from_elsewhere(tmp_path / 'run'))
    start, end = message.index('imports'), message.index('Read this')
    assert message[start:end] == (
        'imports\n'
        '  research.models.mlp (this repository)\n'
        "  subprocess (Python's library)\n"
        "  os.path (Python's library)\n"
        '  planted (a package)\n'
        'calls, or passes on to what it calls\n'
        '  research.models.mlp.MLP(width=8, width=16, depth=@there/s.getoutput())\n'
        '  subprocess.getoutput(cmd=%COMMAND)\n'
        'where\n'
        "  COMMAND = 'touch /tmp/x'\n"
    )


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('import os as research\nresearch.system.command = "ls"\n', "  os.system(command='ls')\n"),
        ('import a.b\nimport a.c\n', '  a.b (a package)\n  a.c (a package)\n'),
        ('X = [{"k": (@os.getcwd(),)}]\nimport os\n', '  os.getcwd()\n'),
        ('import os\nos.system:\n  command = """a\nb"""\n', "  os.system(command='a\\nb')\n"),
        ('X = "' + 'x' * 5000 + '"\n', 'x' * 299 + '... (5002 characters)\n'),
    ],
)
def test_no_way_of_writing_hides_a_call(text: str, shown: str, tmp_path: Path) -> None:
    assert shown in refusal(from_elsewhere(tmp_path / 'run', text))


def test_trust_is_asked_for_once(trained: Path, tmp_path: Path, own: Path, program: Program) -> None:
    run = shutil.copytree(trained, tmp_path / 'run')
    assert program('verify', str(run))[0] == 2
    assert not (own / trust.FOLDER).exists()
    code, out, err = program('verify', str(run), '--trust')
    assert (code, 'equal: ' in out) == (0, True)
    assert '  research.models.mlp (this repository)\n' in err
    code, out, err = program('verify', str(run))
    assert (code, 'equal: ' in out, 'trusted' in err) == (0, True, False)


def test_a_run_of_this_workspace_is_known(own: Path) -> None:
    trusted.check(made(own / 'runs/mine'), trusted=False)
    trusted.check_configs([own / 'runs/mine/config.gin'], trusted=False)


def test_configs_outside_of_runs_are_the_users_own(tmp_path: Path) -> None:
    (tmp_path / 'config.gin').write_text(CONFIG)
    trusted.check_configs([tmp_path / 'config.gin', tmp_path / 'nowhere.gin'], trusted=False)


def test_moved_runs_and_workspaces_stay_trusted(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(own / 'runs/mine')
    shutil.copytree(run.folder, tmp_path / 'copy')
    trusted.check(Run(tmp_path / 'copy'), trusted=False)
    own.rename(tmp_path / 'moved')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'moved'))
    trusted.check(Run(tmp_path / 'moved/runs/mine'), trusted=False)
    (tmp_path / 'moved/runs/mine/status.json').unlink()  # then the place counts
    trusted.check(Run(tmp_path / 'moved/runs/mine'), trusted=False)
    (tmp_path / 'link').symlink_to(tmp_path / 'moved')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'link'))
    trusted.check(Run(tmp_path / 'moved/runs/mine'), trusted=False)


def test_a_run_that_lost_its_id_is_judged_by_its_content(own: Path, tmp_path: Path) -> None:
    run = made(own / 'runs/mine')
    for name, damage in {
        'lost': '',
        'cut': '{"id": "',
        'edited': '{"id": "of another", "seal": "1"}',
    }.items():
        copy = Run(shutil.copytree(run.folder, tmp_path / name))
        (copy.folder / 'status.json').write_text(damage)
        trusted.check(copy, trusted=False)
        copy.config.write_text(CONFIG)
        assert 'planted' in refusal(copy)


@pytest.mark.parametrize('flag', ['--run', '--resume'])
def test_a_run_without_any_record_of_its_own_is_refused(
    flag: str, tmp_path: Path, planted: Path, program: Program
) -> None:
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/config.gin').write_text(CONFIG)
    code, _, err = program('train', f'{flag}={tmp_path}/run')
    assert (code, 'was not made in this workspace' in err, planted.exists()) == (2, True, False)


def test_another_workspace_with_an_equal_run_does_not_make_it_ours(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = made(own / 'runs/theirs')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'mine'))
    made(tmp_path / 'mine/runs/mine')
    assert 'was not made' in refusal(theirs)


def test_an_edited_config_is_refused_whatever_its_status_says(own: Path) -> None:
    run = made(own / 'runs/mine')
    status = run.status()
    run.config.write_text(CONFIG)
    run.write_status(**status | {'config_sha256': files.sha256(run.config)})
    run.check_config()
    assert 'planted' in refusal(run)


def test_a_config_with_includes_is_refused_even_if_trusted(tmp_path: Path) -> None:
    run = from_elsewhere(tmp_path / 'run', "include 'more.gin'\n" + CONFIG)
    with pytest.raises(UserError, match=r'config\.gin includes more\.gin\. The config of a run is complete'):
        trusted.check(run, trusted=True)


def test_changed_code_of_a_run_is_found_where_it_is_applied(own: Path) -> None:
    run = made(own / 'runs/mine')
    (run.folder / 'uncommitted.diff').write_text('as it was\n')
    trust.vouch_for(run.folder / 'uncommitted.diff')
    trusted.check(run, trusted=False, files=trust.RECORD)
    (run.folder / 'uncommitted.diff').write_text('other\n')
    trusted.check(run, trusted=False)
    with pytest.raises(UserError, match=r'does not list its uncommitted\.diff'):
        trusted.check(run, trusted=False, files=trust.RECORD)


def test_changed_sources_of_a_run_are_found_where_they_are_restored(own: Path) -> None:
    run = made(own / 'runs/mine')
    (run.folder / 'sources/research').mkdir(parents=True)
    (run.folder / 'sources/research/model.py').write_text('x = 1\n')
    (run.folder / 'sources/data').symlink_to('/nowhere')
    trust.vouch_for(run.folder / 'sources')
    trusted.check(run, trusted=False, files=trust.RECORD)
    (run.folder / 'sources/research/more.py').write_text('x = 2\n')
    with pytest.raises(UserError, match=r'does not list its sources\.'):
        trusted.check(run, trusted=False, files=trust.RECORD)
    trusted.check(run, trusted=True, files=trust.RECORD)
    trusted.check(run, trusted=False, files=trust.RECORD)


def test_all_code_of_a_trained_run_is_in_the_record(
    trained: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(workspace))
    trusted.check(Run(trained), trusted=False, files=trust.RECORD)
    assert _lines()[0].keys() == {'time', 'id', 'run', 'file', 'sha256'}


def _lines() -> list[dict[str, str]]:
    folder = Path(os.environ['WORKSPACE']) / trust.FOLDER
    return [json.loads(line) for path in folder.iterdir() for line in path.read_text().splitlines() if line]


def test_damage_of_the_record_costs_one_line(own: Path) -> None:
    first = made(own / 'runs/1')
    (path,) = (own / trust.FOLDER).iterdir()
    with path.open('ab') as file:
        file.write(b'\xff\n[]\n{"id": ')  # a kill while a line was written
    second = made(own / 'runs/2', 'STEPS = 2\n')
    for run in (first, second):
        trusted.check(run, trusted=False)


def test_the_record_is_private_and_does_not_grow(own: Path) -> None:
    run = made(own / 'runs/mine')
    for _ in range(3):
        run.save_config(lambda path: path.write_text('STEPS = 1\n'))
    assert len(_lines()) == 1
    (path,) = (own / trust.FOLDER).iterdir()
    assert [entry.stat().st_mode & 0o777 for entry in (path.parent, path)] == [0o700, 0o600]


def test_the_folders_of_other_processes_are_not_recorded(own: Path, tmp_path: Path) -> None:
    from engine.processes.process_group import _work_folder

    (tmp_path / 'run/logs').mkdir(parents=True)
    with _work_folder(tmp_path / 'run', is_first=False) as folder:
        Run(folder).save_config(lambda path: path.write_text('STEPS = 1\n'))
    assert not (own / trust.FOLDER).exists()


def test_a_workspace_that_cannot_be_written_does_not_stop_a_training(
    tmp_path: Path, own: Path, said: list[str]
) -> None:
    own.mkdir()
    (own / trust.FOLDER).write_text('a file')
    made(tmp_path / 'elsewhere')
    assert said == [
        f'warning: {own / trust.FOLDER} cannot be written: File exists. Later commands will ask for --trust.'
    ]
