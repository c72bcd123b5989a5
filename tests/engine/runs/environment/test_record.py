"""environment.json and the files beside it: the code and the machine of a run, in every session."""

from pathlib import Path
from typing import Any

import pytest

from engine.files import read_json
from engine.runs.environment import git_record, history, record
from tests.engine.runs.environment.repositories import SOURCES, git


def recorded(folder: Path, **origin: Any) -> dict[str, Any]:
    """Returns environment.json after it was written."""
    record.write(folder, record.present(['research.model'], {'jax_enable_x64': False}, **origin))
    return read_json(folder / 'environment.json')


def test_the_record_has_the_code_and_the_machine(
    repository: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('LD_LIBRARY_PATH', '/site-packages/cv2/../../lib64:/opt/cuda')  # as OpenCV does
    monkeypatch.setenv('NVIDIA_TF32_OVERRIDE', '0')
    known = recorded(folder, seed=7, dataset={'name': 'digits'})
    assert (known['commit'], known['dirty']) == (git(repository, 'rev-parse', 'HEAD'), False)
    assert (known['seed'], known['dataset']) == (7, {'name': 'digits'})
    assert known['flags'] | {'NVIDIA_TF32_OVERRIDE': '0', 'jax_enable_x64': False} == known['flags']
    assert known['library_paths'] == {'LD_LIBRARY_PATH': '/opt/cuda'}
    assert {'command', 'python', 'system', 'host', 'cpus', 'threads'} <= known.keys()
    assert list(known['code']['files']) == [
        'engine/commands/train.py',
        'engine/errors.py',
        'research/model.py',
    ]
    assert (folder / 'uncommitted.diff').read_text() == ''


def test_all_packages_are_listed(repository: Path, folder: Path) -> None:
    from importlib.metadata import version

    (repository / 'research/model.py').write_text('import jax\n')
    known = recorded(folder)
    lock = (folder / 'requirements.lock').read_text().splitlines()
    assert {f'jax=={version("jax")}', f'pytest=={version("pytest")}'} <= set(lock)
    names = [line.partition('==')[0] for line in lock]
    assert names == sorted(set(names))
    assert {'jax', 'jaxlib', 'numpy'} <= known['packages'].keys()
    assert 'pytest' not in known['packages']  # the code does not use it
    assert known['packages']['jax'] == version('jax')


def copied(folder: Path) -> set[str]:
    """Returns the sources that a run keeps."""
    files = (path for path in folder.rglob('*') if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix() for path in files}


def test_what_git_cannot_record_is_said_and_copied(repository: Path, folder: Path, said: list[str]) -> None:
    (repository / '.git').rename(repository / 'git')
    (repository / 'data/digits/raw').symlink_to(folder.parent)  # the originals, which may be huge
    (repository / 'data/digits/lost').symlink_to(folder / 'nowhere')
    known = recorded(folder)
    assert (known['commit'], known['dirty']) == (None, None)
    assert known['git_problem'].startswith('not a git repository')
    assert copied(folder / 'sources') == {name for name in SOURCES if 'toy' not in name}
    assert not (folder / 'uncommitted.diff').exists()
    assert {'packages', 'flags', 'host', 'code'} <= known.keys()
    (line,) = said
    assert line.startswith('warning: git cannot record the code: not a git repository')
    assert line.endswith(f'{folder / "sources"} holds a copy.')


def test_what_the_diff_leaves_out_is_said(repository: Path, folder: Path, said: list[str]) -> None:
    for number in range(7):
        (repository / f'{number}.key').write_text('hunter2\n')
    assert recorded(folder)['not_in_diff'] == [f'{number}.key' for number in range(7)]
    assert '0.key, 1.key, 2.key, 3.key, 4.key and 2 more. So it does not give the code' in said[0]


def test_each_session_says_what_its_diff_lacks(repository: Path, folder: Path) -> None:
    (repository / '.env').write_text('KEY=1\n')
    for _ in range(3):
        known = recorded(folder)
        assert history.left_out(history.latest(known)) == ['.env']
        assert history.version(history.latest(known)).endswith(' (incomplete)')
        assert history.incomplete(history.latest(known)) == (
            'uncommitted.diff lacks .env: only the names are recorded.'
        )
    (repository / '.env').unlink()
    known = recorded(folder)
    assert history.incomplete(history.latest(known)) == ''
    assert history.version(history.latest(known)) == known['commit'][:7]


def test_copied_sources_lack_secrets_and_large_files(repository: Path, folder: Path, said: list[str]) -> None:
    (repository / '.git').rename(repository / 'git')
    (repository / 'research/.env').write_text('KEY=1\n')
    (repository / 'research/keys.py').write_text(f'x = "ghp_{"a1B2" * 9}"\n')
    (repository / 'data/digits/weights.npy').write_bytes(b'x' * (git_record.MAX_BYTES + 1))
    (repository / 'configs/.ssh').mkdir()
    (repository / 'configs/.ssh/config').write_text('Host\n')
    known = recorded(folder)
    assert copied(folder / 'sources') == {name for name in SOURCES if 'toy' not in name}
    names = ('research/.env', 'research/keys.py', 'data/digits/weights.npy', 'configs/.ssh')
    assert sorted(known['not_in_sources']) == sorted(str(repository / name) for name in names)
    assert 'holds a copy, without ' in said[0]


def test_later_sessions_record_what_is_different(repository: Path, folder: Path) -> None:
    first = recorded(folder, seed=0, devices=1)
    (repository / 'research/model.py').write_text('WIDTH = 9\n')
    git(repository, 'commit', '-qam', 'second')
    now = git(repository, 'rev-parse', 'HEAD')
    recorded(folder, seed=0, devices=2)
    (repository / 'unused.txt').write_text('a new file\n')
    known = recorded(folder, seed=0, devices=2)
    assert {**known, 'continued': [], 'sha256': ''} == {**first, 'continued': [], 'sha256': ''}
    second, third = known['continued']
    assert second.keys() == {'time', 'command', 'commit', 'devices', 'code'}
    assert (second['commit'], second['devices']) == (now, 2)
    assert third.keys() == {'time', 'command', 'commit', 'dirty', 'diff_sha256'}
    assert history.latest(known)['code'] == second['code']
    assert sorted(path.name for path in folder.iterdir()) == [
        'environment.json', 'requirements.lock', 'uncommitted-3.diff', 'uncommitted.diff',
    ]  # fmt: skip
    versions = history.versions(known)
    assert versions[:2] == [first['commit'][:7], now[:7]]
    assert versions[2].startswith(f'{now[:7]}+')
    assert history.code_digests(known) == [first['code']['digest'], second['code']['digest']]


def test_a_problem_of_one_session_is_not_one_of_the_next(repository: Path, folder: Path) -> None:
    (repository / '.git').rename(repository / 'git')
    recorded(folder)
    (repository / 'git').rename(repository / '.git')
    known = recorded(folder)
    assert 'git_problem' in known
    assert 'git_problem' not in history.latest(known)
    assert history.latest(known)['commit'] == git(repository, 'rev-parse', 'HEAD')


ODD = [{}, {'continued': 'text'}, {'continued': [3, None, {'commit': 4}]}, {'code': [], 'commit': []}]


@pytest.mark.parametrize('environment', [*ODD, {'code': {'digest': 5}, 'commit': 'abc', 'diff_sha256': 7}])
def test_odd_records_count_as_unknown(environment: dict[str, Any]) -> None:
    assert history.code_digests(environment) == []
    assert history.versions(environment) in ([], ['abc+'])
    assert isinstance(history.latest(environment), dict)
