"""The commit and the diff of the code, whatever the user's settings of git are."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.runs.environment.git_record import MAX_BYTES, GitRecord, record
from tests.engine.runs.environment.repositories import contents, git

Edit = Callable[[Path], object]


def assert_the_very_code(repository: Path, known: GitRecord, place: Path) -> None:
    """The commit with the diff gives all files, to the byte."""
    assert (known.problem, known.left_out) == ('', [])
    diff = known.diff or b''
    git(place, 'clone', '-q', str(repository), 'again')
    if diff:
        command = ['git', '-C', str(place / 'again'), '-c', 'core.autocrlf=false', 'apply', '-']
        subprocess.run(command, input=diff, check=True, capture_output=True)
    assert contents(place / 'again') == contents(repository)


# What people do to their files.


def change(repository: Path) -> None:
    (repository / 'research/model.py').write_text('changed, no newline at the end')
    (repository / 'configs/base.gin').unlink()


def change_to_a_link(repository: Path) -> None:
    (repository / 'research/model.py').unlink()
    (repository / 'research/model.py').symlink_to('../configs/base.gin')
    (repository / 'new link').symlink_to('/nowhere')


def change_to_a_folder(repository: Path) -> None:
    (repository / 'research/model.py').unlink()
    (repository / 'research/model.py').mkdir()
    (repository / 'research/model.py/a.txt').write_text('a\n')


def change_a_folder_to_a_file(repository: Path) -> None:
    shutil.rmtree(repository / 'data')
    (repository / 'data').write_text('a file\n')


def change_a_folder_to_a_link(repository: Path) -> None:
    (repository / 'data').rename(repository / 'moved')
    (repository / 'data').symlink_to('moved')


def move(repository: Path) -> None:
    (repository / 'research/model.py').rename(repository / 'research/network.py')


def make_executable(repository: Path) -> None:
    (repository / 'research/model.py').chmod(0o755)


def change_lines_of_windows(repository: Path) -> None:
    (repository / 'research/model.py').write_bytes(b'one\r\ntwo \t\r\n\r\n')


def change_bytes(repository: Path) -> None:
    (repository / 'data/digits/toy/0.png').write_bytes(bytes(range(256)))
    (repository / 'data/digits/toy/1.png').write_bytes(bytes(range(255, -1, -1)))
    (repository / 'latin-1.txt').write_bytes('über\n'.encode('latin-1'))


def add_unusual_names(repository: Path) -> None:
    for name in ('a b', 'a\nb', '"a"', 'ü.md', '-a', ':(top)a', '*', 'a\tb', '日本.txt', 'a\\b', 'b/c d/e'):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(f'{name}\n')
    (repository / os.fsdecode(b'not \xff utf-8')).write_text('text\n')
    (repository / 'empty').touch()


def add_and_stage(repository: Path) -> None:
    (repository / 'new.py').write_text('first\n')
    git(repository, 'add', '.')
    (repository / 'new.py').write_text('second\n')
    (repository / 'research/model.py').unlink()


def intend_to_add(repository: Path) -> None:
    (repository / 'new.py').write_text('x = 1\n')
    git(repository, 'add', '-N', 'new.py')


def stage_a_removal(repository: Path) -> None:
    git(repository, 'rm', '-q', '--cached', 'research/model.py')
    git(repository, 'rm', '-q', 'configs/base.gin')


def hide(repository: Path) -> None:
    for flag, name in (
        ('--assume-unchanged', 'research/model.py'),
        ('--skip-worktree', 'configs/base.gin'),
    ):
        git(repository, 'update-index', flag, name)
        (repository / name).write_text('hidden change\n')


def leave_a_merge_open(repository: Path) -> None:
    for branch, text in (('one', 'WIDTH = 1\n'), ('two', 'WIDTH = 2\n')):
        git(repository, 'checkout', '-q', '-B', branch, 'HEAD' if branch == 'one' else 'HEAD~')
        (repository / 'research/model.py').write_text(text)
        git(repository, 'commit', '-qam', branch)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, 'merge', 'one')


def break_the_index(repository: Path) -> None:
    change(repository)
    (repository / '.git/index').write_bytes(b'broken')


def lose_the_index(repository: Path) -> None:
    (repository / '.git/index').unlink()


def edit_all(repository: Path) -> None:
    for edit in (change, change_lines_of_windows, change_bytes, add_unusual_names, intend_to_add):
        edit(repository)
    (repository / 'data/digits/builder.py').write_text('"""Another builder."""\n\n\n  # blank \nx = 1\n')


EDITS: tuple[Edit, ...] = (
    change, change_to_a_link, change_to_a_folder, change_a_folder_to_a_file, change_a_folder_to_a_link, move,
    make_executable, change_lines_of_windows, change_bytes, add_unusual_names, add_and_stage, intend_to_add,
    stage_a_removal, hide, leave_a_merge_open, break_the_index, lose_the_index,
    edit_all,
)  # fmt: skip


@pytest.mark.parametrize('edit', EDITS)
def test_commit_and_diff_give_the_very_code(edit: Edit, repository: Path, tmp_path: Path) -> None:
    edit(repository)
    known = record(repository)
    assert known.commit == git(repository, 'rev-parse', 'HEAD')
    assert_the_very_code(repository, known, tmp_path)
    assert known.dirty is (edit is not lose_the_index)


def test_without_changes_the_diff_is_empty(repository: Path) -> None:
    known = record(repository)
    assert (known.diff, known.dirty, known.problem) == (b'', False, '')


def test_a_project_may_lie_below_the_top_of_its_repository(repository: Path, tmp_path: Path) -> None:
    (repository / 'research/model.py').write_text('changed\n')
    (repository / 'configs/base.gin').write_text('another project\n')
    known = record(repository / 'research')
    assert b'model.py' in (known.diff or b'')
    assert b'base.gin' not in (known.diff or b'')
    git(tmp_path, 'clone', '-q', str(repository), 'again')
    (tmp_path / 'diff').write_bytes(known.diff or b'')
    git(tmp_path / 'again/research', 'apply', str(tmp_path / 'diff'))
    git(tmp_path / 'again', 'apply', '-R', '--check', str(tmp_path / 'diff'))
    assert (tmp_path / 'again/research/model.py').read_text() == 'changed\n'


# What people set. Each setting is in the user's file and in the repository's.

ATTRIBUTES = '* diff=odd text=auto eol=crlf whitespace=trailing-space\n'
SETTINGS = {
    'external': {'diff.external': 'true'},
    'noprefix': {'diff.noprefix': 'true'},
    'mnemonic': {'diff.mnemonicPrefix': 'true'},
    'prefixes': {'diff.srcPrefix': 'x/', 'diff.dstPrefix': 'y/'},
    'color': {'color.ui': 'always', 'color.diff': 'always', 'diff.colorMoved': 'zebra'},
    'context': {'diff.context': '0', 'diff.interHunkContext': '50'},
    'renames': {'diff.renames': 'copies', 'status.renames': 'copies'},
    'algorithm': {'diff.algorithm': 'patience', 'diff.indentHeuristic': 'false'},
    'submodule': {'diff.submodule': 'log', 'diff.ignoreSubmodules': 'all'},
    'relative': {'diff.relative': 'true'},
    'order': {'diff.orderFile': '/nowhere'},
    'white space': {'diff.wsErrorHighlight': 'all', 'core.whitespace': 'tab-in-indent'},
    'blank lines': {'diff.suppressBlankEmpty': 'true'},
    'apply': {'apply.whitespace': 'error-all', 'apply.ignoreWhitespace': 'change'},
    'autocrlf': {'core.autocrlf': 'true'},
    'autocrlf input': {'core.autocrlf': 'input', 'core.safecrlf': 'true'},
    'textconv': {'diff.odd.textconv': 'echo same #', 'diff.odd.binary': 'true', 'diff.odd.command': 'true'},
    'word diff': {'diff.wordRegex': '.', 'diff.dirstat': 'lines', 'diff.statGraphWidth': '3'},
    'fsmonitor': {'core.fsmonitor': 'false #', 'core.untrackedCache': 'true'},
    'hooks': {'core.hooksPath': '/nowhere', 'core.pager': 'false', 'pager.diff': 'false'},
    'excludes': {'core.excludesFile': '{home}/ignored'},
    'quotes': {'core.quotePath': 'true', 'core.ignoreStat': 'true', 'core.trustctime': 'false'},
    'split index': {'core.splitIndex': 'true', 'index.version': '4', 'feature.manyFiles': 'true'},
    'no prompt': {'alias.diff': 'status', 'advice.addEmptyPathspec': 'true', 'core.bigFileThreshold': '1'},
}  # fmt: skip
VARIABLES = {
    'GIT_EXTERNAL_DIFF': 'true',
    'GIT_DIR': '/nowhere',
    'GIT_WORK_TREE': '/nowhere',
    'GIT_INDEX_FILE': '/nowhere',
    'GIT_OBJECT_DIRECTORY': '/nowhere',
    'GIT_DIFF_OPTS': '-u0',
    'GIT_PREFIX': 'data/',
    'GIT_CONFIG_PARAMETERS': "'diff.noprefix=true'",
    'GIT_CONFIG': '/nowhere',
    'GIT_LITERAL_PATHSPECS': '1',
    'GIT_GLOB_PATHSPECS': '1',
    'GIT_TRACE': '1',
    'GIT_ATTR_NOSYSTEM': '1',
    'GIT_REDIRECT_STDOUT': '/dev/null',
    'LC_ALL': 'de_DE.UTF-8',
    'PAGER': 'false',
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user."""
    home = tmp_path / 'home'
    home.mkdir()
    monkeypatch.setenv('HOME', str(home))
    monkeypatch.setenv('XDG_CONFIG_HOME', str(home / '.config'))
    return home


@pytest.mark.parametrize('settings', SETTINGS)
def test_settings_change_nothing(settings: str, repository: Path, home: Path) -> None:
    edit_all(repository)
    attributes = home / '.config/git/attributes'
    attributes.parent.mkdir(parents=True)
    attributes.write_text(ATTRIBUTES)
    (attributes.parent / 'ignore').write_text('*.txt\n')
    (home / 'ignored').write_text('*.py\n')
    without = record(repository)
    for name, value in SETTINGS[settings].items():
        for scope in ('--global', '--local'):
            git(repository, 'config', scope, name, value.format(home=home))
    assert record(repository) == without
    assert without.diff


@pytest.mark.parametrize('variable', VARIABLES)
def test_variables_change_nothing(variable: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_all(repository)
    without = record(repository)
    monkeypatch.setenv(variable, VARIABLES[variable])
    assert record(repository) == without
    assert len(without.diff or b'') > 1000


def test_filters_of_the_user_are_kept(repository: Path, home: Path, tmp_path: Path) -> None:
    """Git LFS works by filters: what is committed is not what is on disk."""
    (repository / '.gitattributes').write_text('*.bin filter=turned\n')
    (repository / 'large.bin').write_text('abc\n')
    git(repository, 'config', '--global', 'filter.turned.clean', 'rev')
    git(repository, 'config', '--global', 'filter.turned.smudge', 'rev')
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'with a filter')
    assert git(repository, 'show', 'HEAD:large.bin') == 'cba'
    (repository / '.git/index').unlink()  # every file is read
    assert record(repository).diff == b''


def test_the_repository_is_only_read(repository: Path) -> None:
    edit_all(repository)
    before = contents(repository / '.git')
    record(repository)
    assert contents(repository / '.git') == before


# What is left out, and what cannot be recorded.

PRIVATE = ('.env', 'server.pem', 'aws_credentials', 'Client_Secret.json', 'id_rsa', 'secrets/token.txt')


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
def test_secrets_and_large_files_are_left_out_and_named(staged: bool, repository: Path) -> None:
    (repository / 'secrets').mkdir()
    for name in PRIVATE:
        (repository / name).write_text('hunter2\n')
    (repository / 'weights.npy').write_bytes(b'x' * (MAX_BYTES + 1))
    (repository / 'small.npy').write_bytes(b'x' * MAX_BYTES)
    (repository / 'ignored').write_text('hunter2\n')
    (repository / 'research/model.py').write_text('changed\n')
    if staged:
        git(repository, 'add', '.')
    known = record(repository)
    assert known.left_out == sorted([*PRIVATE, 'weights.npy'])
    diff = known.diff or b''
    assert [word in diff for word in (b'hunter2', b'weights', b'small', b'changed')] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
def test_files_whose_content_holds_a_secret_are_left_out_and_named(staged: bool, repository: Path) -> None:
    token = 'ghp_' + 'a1B2' * 9
    files = {
        'research/model.py': f'TOKEN = "{token}"\n',
        'research/utf16.txt': token.encode('utf-16'),
        'data/digits/toy/0.png': b'\0\1' + token.encode() + b'\0',
        'notes/a b.md': f'wget https://ada:correcthorse@{"files.org"}/x\n',
        'ü.yaml': 'password: hunter2000\n',
    }
    for name, content in files.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (repository / 'configs/base.gin').write_text('SEED = 1\n')
    if staged:
        git(repository, 'add', '.')
    known = record(repository)
    assert (known.problem, known.left_out) == ('', sorted(files))
    diff = known.diff or b''
    assert b'+SEED = 1' in diff
    assert [part in diff for part in (b'ghp_', b'correcthorse', b'hunter', b'GIT binary')] == [False] * 4
    assert all(name.encode() not in diff for name in files)


def test_a_secret_that_a_change_removes_stays_out_too(repository: Path) -> None:
    (repository / 'research/model.py').write_text('TOKEN = "ghp_' + 'a1B2' * 9 + '"\n')
    (repository / '.env').write_text('hunter2\n')
    (repository / 'image.bin').write_bytes(b'\0' + b'hf_' + b'a1B2' * 9)
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'a mistake')
    (repository / 'research/model.py').write_text('TOKEN = ""\n')
    (repository / '.env').unlink()
    (repository / 'image.bin').unlink()
    known = record(repository)
    assert (known.diff, known.left_out) == (b'', ['.env', 'image.bin', 'research/model.py'])


def test_a_committed_secret_far_from_the_change_does_not_matter(repository: Path, tmp_path: Path) -> None:
    lines = ['TOKEN = "ghp_' + 'a1B2' * 9 + '"', *(f'x{number} = 1' for number in range(20))]
    (repository / 'research/model.py').write_text('\n'.join(lines))
    git(repository, 'commit', '-qam', 'a mistake')
    (repository / 'research/model.py').write_text('\n'.join([*lines, 'WIDTH = 9\n']))
    known = record(repository)
    assert_the_very_code(repository, known, tmp_path)


def test_a_large_file_that_becomes_small_or_goes_stays_out(repository: Path) -> None:
    for name in ('one.npy', 'two.txt'):
        (repository / name).write_bytes(b'0123456789abcdef' * (MAX_BYTES // 16 + 1))
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'large files')
    (repository / 'one.npy').unlink()
    (repository / 'two.txt').write_text('small\n')
    (repository / 'configs/base.gin').write_text('SEED = 1\n')
    known = record(repository)
    assert known.left_out == ['one.npy', 'two.txt']
    assert len(known.diff or b'') < 1000


def test_ignored_files_that_train_are_in_the_diff(repository: Path, tmp_path: Path) -> None:
    (repository / 'ignored').write_text('x = 1\n')
    (repository / 'research/model.py').write_text('import ignored\n')
    known = record(repository, ['ignored', 'research/model.py', 'nowhere.py'])
    assert_the_very_code(repository, known, tmp_path)


def test_changes_in_other_repositories_are_named(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, 'clone', '-q', str(repository), 'library')
    git(
        repository,
        '-c',
        'protocol.file.allow=always',
        'submodule',
        '--quiet',
        'add',
        str(tmp_path / 'library'),
    )
    git(repository, 'commit', '-qm', 'with a submodule')
    assert record(repository).dirty is False
    (repository / 'library/research/model.py').write_text('changed\n')
    git(tmp_path, 'clone', '-q', str(repository), str(repository / 'nested'))
    known = record(repository)
    assert (known.left_out, known.dirty, known.problem) == (['library', 'nested/'], True, '')
    git(repository / 'library', 'commit', '-qam', 'another commit of the submodule')
    assert b'Subproject commit' in (record(repository).diff or b'')


def lose_git(repository: Path) -> None:
    os.environ['PATH'] = str(repository)


def lose_the_repository(repository: Path) -> None:
    shutil.rmtree(repository / '.git')


def begin_a_repository(repository: Path) -> None:
    lose_the_repository(repository)
    git(repository, 'init', '-q')


def break_the_head(repository: Path) -> None:
    (repository / '.git/HEAD').write_text('broken\n')


def lose_a_commit(repository: Path) -> None:
    commit = git(repository, 'rev-parse', 'HEAD')
    (repository / '.git/objects' / commit[:2] / commit[2:]).unlink()


def lose_a_tree(repository: Path) -> None:
    tree = git(repository, 'rev-parse', 'HEAD^{tree}')
    (repository / '.git/objects' / tree[:2] / tree[2:]).unlink()


PROBLEMS: dict[Edit, str] = {
    lose_git: 'git is not installed',
    lose_the_repository: 'not a git repository',
    begin_a_repository: 'there is no commit yet',
    break_the_head: 'not a git repository',
    lose_a_commit: 'there is no commit yet, or git cannot read it',
    lose_a_tree: '',
}


@pytest.mark.parametrize('damage', PROBLEMS)
def test_a_record_that_cannot_be_made_says_why(
    damage: Edit, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(repository, 'rev-parse', 'HEAD') if damage is lose_a_tree else None
    monkeypatch.setenv('PATH', os.environ['PATH'])  # restored afterwards
    damage(repository)
    known = record(repository)
    assert (known.commit, known.diff, known.dirty) == (commit, None, None)
    assert known.problem
    assert PROBLEMS[damage] in known.problem


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give files away')
def test_files_of_another_owner_are_recorded(repository: Path, home: Path) -> None:
    """As in a container. The code runs already, so git may read it too."""
    change(repository)
    for path in (repository, repository / '.git'):
        os.chown(path, 12345, 12345)
    refused = subprocess.run(['git', '-C', str(repository), 'status'], capture_output=True, check=False)
    assert refused.returncode
    known = record(repository)
    assert (known.problem, bool(known.diff)) == ('', True)
