"""Newer versions of the template, merged into projects in real git repositories."""

import shutil

import pytest

from engine.forks.repository import Repository
from tests.engine.forks.forked import append, commit_all, edit, files, forked, updated


def no_remote(project: Repository) -> None:
    project.git('remote', 'remove', 'template')


def half_changed(project: Repository) -> None:
    append(project, 'engine/commands/train.py', '#\n')


def detached(project: Repository) -> None:
    project.git('checkout', '--quiet', '--detach')


def other_history(project: Repository) -> None:
    other = project.root.parent / 'other'
    project.git('init', '--quiet', str(other))
    commit_all(Repository(other))
    project.git('remote', 'set-url', 'template', str(other))


OBSTACLES = {
    'no remote': (no_remote, 2, 'git remote add --no-tags template <address>'),
    'uncommitted changes': (
        half_changed,
        2,
        'not committed (engine/commands/train.py): they would be mixed with',
    ),
    'a detached HEAD': (detached, 2, 'git switch <branch>'),
    'another history': (other_history, 2, 'no history in common'),
    'no template': (lambda project: shutil.rmtree(project.root.parent / 'template'), 1, 'git fetch failed'),
}


@pytest.mark.parametrize('obstacle', OBSTACLES)
def test_an_update_is_refused(obstacle: str, template: Repository) -> None:
    prepare, code, message = OBSTACLES[obstacle]
    project = forked(template)
    prepare(project)
    before = project.git('rev-parse', 'HEAD')
    assert message in updated(project, code)
    assert project.git('rev-parse', 'HEAD') == before


def test_nothing_new_is_reported(template: Repository) -> None:
    project = forked(template)
    before = project.git('rev-parse', 'HEAD')
    assert updated(project).startswith('Nothing is new: ')
    assert project.git('rev-parse', 'HEAD') == before


def test_conflicts_are_listed_and_a_merge_is_under_way(template: Repository) -> None:
    project = forked(template)
    for repository, name in ((template, 'theirs'), (project, 'mine')):
        edit(repository, 'engine/commands/train.py', lambda text, name=name: f'# {name}\n{text}')
        append(repository, f'docs/{name}.md', name)
        commit_all(repository)
    before = project.git('rev-parse', 'HEAD')
    message = updated(project, 1)
    assert (
        message.startswith('error: ')
        and '\n  engine/commands/train.py\n' in message
        and 'theirs.md' not in message
    )
    assert 'a merge is under way' in updated(project, 2)
    project.git('merge', '--abort')
    assert (project.git('status', '--porcelain'), project.git('rev-parse', 'HEAD')) == ('', before)
    updated(project, 1)
    edit(project, 'engine/commands/train.py', lambda _: 'settled = True\n')
    project.git('add', 'engine/commands/train.py')
    project.git('commit', '--quiet', '--no-edit')
    parents = [before, template.git('rev-parse', 'HEAD')]
    assert project.git('log', '-1', '--format=%P').split() == parents
    assert {'docs/mine.md', 'docs/theirs.md'} <= files(project)
    assert updated(project).startswith('Nothing is new: ')


def test_a_file_in_the_way_is_not_overwritten(template: Repository) -> None:
    project = forked(template)
    append(template, 'research/new.py', 'theirs = True\n')
    commit_all(template)
    append(project, 'research/new.py', 'mine = True\n')
    before = project.git('rev-parse', 'HEAD')
    assert 'research/new.py' in updated(project, 1)
    assert (project.root / 'research/new.py').read_text() == 'mine = True\n'
    (project.root / 'research/new.py').unlink()
    assert (project.git('status', '--porcelain'), project.git('rev-parse', 'HEAD')) == ('', before)
    updated(project)


def test_deleted_files_stay_deleted(template: Repository) -> None:
    project = forked(template)
    project.git('rm', '-q', '-r', 'data/digits', 'tests/data')
    commit_all(project)
    for _ in range(2):
        append(template, 'data/digits/README.md', 'More.\n')
        append(template, 'configs/new.gin', '# New.\n')
        commit_all(template)
        updated(project)
        assert not {file for file in files(project) if file.startswith('data/digits')}
        assert 'configs/new.gin' in files(project)  # of a fork that keeps the examples


def test_other_files_than_examples_stay_deleted_too(template: Repository) -> None:
    project = forked(template, '--examples=drop')
    project.git('rm', '-q', 'configs/debug.gin')
    commit_all(project)
    append(template, 'configs/debug.gin', '# More.\n')
    commit_all(template)
    updated(project)
    assert 'configs/debug.gin' not in files(project)


def test_a_version_that_changes_nothing_here_is_merged_too(template: Repository) -> None:
    project = forked(template, '--examples=drop')
    append(template, 'data/digits/README.md', 'More.\n')
    commit_all(template)
    before = project.git('rev-parse', 'HEAD^{tree}')
    assert updated(project).startswith('Merged ')
    assert project.git('rev-parse', 'HEAD^{tree}') == before
    assert updated(project).startswith('Nothing is new: ')


def test_a_shallow_clone_with_a_detached_head_can_be_forked(template: Repository) -> None:
    above = Repository(template.root.parent)
    above.git('clone', '--quiet', '--depth=1', f'file://{template.root}', 'shallow')
    shallow = Repository(above.root / 'shallow')
    shallow.git('checkout', '--quiet', '--detach')
    project = forked(shallow)
    append(template, 'research/new.py', 'new = True\n')
    commit_all(template)
    project.git('remote', 'set-url', 'template', str(template.root))
    assert updated(project).startswith('Merged ')
    assert 'research/new.py' in files(project)


def test_a_projects_own_tests_are_never_touched(template: Repository) -> None:
    project = forked(template)
    append(project, 'tests/research/test_mine.py', 'mine = True\n')
    commit_all(project)
    before = {path for path in files(project) if path.startswith(('tests/research', 'tests/data'))}
    for path in ('tests/research/test_playground.py', 'tests/data/test_digits.py', 'tests/data/test_new.py'):
        append(template, path, '# Theirs.\n')
    append(template, 'tests/engine/test_files.py', '# Theirs.\n')
    commit_all(template)
    assert updated(project).startswith('Merged ')
    changed = set(project.lines('diff', '--name-only', '-z', 'HEAD~1'))
    assert changed == {'tests/engine/test_files.py'}
    assert before <= files(project)
