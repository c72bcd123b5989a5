"""Projects forked from this template, in real git repositories: refused or created."""

import json
import shutil
from pathlib import Path

import pytest

from engine.forks import own_files
from engine.forks.repository import Repository
from engine.forks.template import example_pathspecs, version_name
from tests.engine.forks.forked import OWN, append, call, commit_all, files, forked

# --- refused


def not_empty(template: Repository) -> None:
    (template.root.parent / 'petals').mkdir()
    (template.root.parent / 'petals/thesis.txt').touch()


def dirty(template: Repository) -> None:
    (template.root / 'configs/new.gin').touch()


def no_repository(template: Repository) -> None:
    shutil.rmtree(template.root / '.git')


def nothing(template: Repository) -> None:
    del template


MISTAKES = {
    'a folder in use': (not_empty, ['petals', '--name=petals'], 'petals exists and is not empty'),
    'a folder within the template': (nothing, ['template/petals', '--name=petals'], 'is inside the template'),
    'the template itself': (nothing, ['template', '--name=petals'], 'is inside the template'),
    'a name of two words': (nothing, ['petals', '--name=My petals'], "How about 'My-petals'?"),
    'a name that is a path': (nothing, ['petals', '--name=../petals'], "How about 'petals'?"),
    'no name': (nothing, ['petals'], 'required: --name'),
    'another choice': (nothing, ['petals', '--name=petals', '--examples=some'], "invalid choice: 'some'"),
    'uncommitted changes': (dirty, ['petals', '--name=petals'], 'not committed (configs/new.gin): '),
    'an archive': (no_repository, ['petals', '--name=petals'], 'Get the template by git clone'),
}  # fmt: skip


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_fork_is_refused(mistake: str, template: Repository) -> None:
    prepare, arguments, message = MISTAKES[mistake]
    prepare(template)
    before = sorted(template.root.parent.rglob('*'))
    code, out, err = call(template.root, 'fork.sh', *arguments)
    assert (code, out, err.count('\n')) == (2, '', 1)
    assert err.startswith('error: ') and message in err
    assert [
        path for path in sorted(template.root.parent.rglob('*')) if '__pycache__' not in str(path)
    ] == before


def test_without_git_nothing_is_forked(template: Repository, tmp_path: Path) -> None:
    (tmp_path / 'programs').mkdir()
    (tmp_path / 'programs/dirname').symlink_to(shutil.which('dirname') or '')
    code, _, err = call(template.root, 'fork.sh', 'petals', '--name=petals', PATH=str(tmp_path / 'programs'))
    assert (code, err.startswith('error: git is not on PATH.')) == (2, True), err


def test_an_author_is_asked_for(template: Repository, identity: Path) -> None:
    identity.write_text('[user]\n  useConfigOnly = true\n')
    code, _, err = call(template.root, 'fork.sh', 'petals', '--name=petals')
    assert (code, 'git config --global user.name' in err) == (2, True), err


# --- created


def test_nothing_is_installed_for_a_fork(template: Repository) -> None:
    assert call(template.root, 'fork.sh', 'my petals', '--name=petals', ENV='')[0] == 0
    assert call(template.root.parent / 'my petals', 'update.sh', ENV='')[0] == 0
    assert not list(template.root.parent.glob('*/.venv*'))


def test_a_fork_with_examples_differs_in_its_own_files(template: Repository) -> None:
    project = forked(template, '--title=Petals  "at" dawn', '--holder=Jane Doe')
    changed = project.lines('diff', '--name-only', '-z', 'HEAD~1')
    assert {'CHANGELOG.md', *changed} == {*OWN, 'pyproject.toml'}  # an empty one, in a fork of a fork too
    assert project.git('rev-parse', 'HEAD~1') == template.git('rev-parse', 'HEAD')
    assert project.git('status', '--porcelain', '--branch') == '## main'
    assert project.git('remote', 'get-url', 'template') == str(template.root)
    texts = {name: (project.root / name).read_text() for name in changed}
    assert texts['README.md'].startswith('# Petals "at" dawn\n')
    assert f'Forked from {version_name(template, "HEAD")[:-12]}' in texts['README.md']
    assert 'Jane Doe' in texts['LICENSE'] and '[yyyy]' not in texts['LICENSE']
    assert 'name = "petals"\n' in texts['pyproject.toml']
    assert 'description = "Petals \\"at\\" dawn"\n' in texts['pyproject.toml']


def test_fork_and_update_answer_in_json(template: Repository) -> None:
    code, out, err = call(template.root, 'fork.sh', 'petals', '--name=petals', '--json')
    assert code == 0, err
    folder = template.root.parent / 'petals'
    assert json.loads(out) == {'project': str(folder), 'name': 'petals'}
    assert json.loads(call(folder, 'update.sh', '--json')[1]) == {'merged': None}
    append(template, 'docs/new.md', 'New.')
    new = version_name(template, commit_all(template))
    assert json.loads(call(folder, 'update.sh', '--json')[1]) == {'merged': new}


def test_a_relative_folder_is_printed_without_detours(template: Repository) -> None:
    code, out, err = call(template.root, 'fork.sh', 'template/../petals', '--name=petals')
    assert (code, out.splitlines()[-1:]) == (0, [f'project: {template.root.parent / "petals"}']), err


def test_git_names_the_holder_and_the_name_is_the_title(template: Repository) -> None:
    project = forked(template)
    assert 'Ada' in (project.root / 'LICENSE').read_text()
    assert (project.root / 'README.md').read_text().startswith('# petals\n')


def test_without_examples_the_engine_and_the_tests_of_configs_remain(template: Repository) -> None:
    kept = files(forked(template, '--examples=drop'))
    folders = ('configs', 'data', 'research', 'results', 'playground', 'benchmarks', 'tests')
    engine = {file for file in files(template) if file.startswith(('engine', 'tests/engine'))}
    assert engine <= kept
    assert {file for file in kept - engine if file.startswith(folders)} == {
        'configs/base.gin',
        'configs/debug.gin',
        'research/__init__.py',
        'tests/__init__.py',
        'tests/conftest.py',
        'tests/promotion.py',
        'tests/test_configs.py',
        'tests/test_imports.py',
    }
    assert {file for file in files(template) - kept if not file.startswith(folders)} == {
        'docs/report.png',
        'scripts/benchmark.sh',
        'scripts/examples.txt',
        'scripts/torture.sh',
    }


def test_all_listed_examples_exist(template: Repository) -> None:
    listed = [spec.removeprefix(':!') for spec in example_pathspecs(template, 'HEAD')]
    assert [spec for spec in listed if not template.lines('ls-files', '-z', '--', spec)] == []


@pytest.mark.parametrize(
    ('origin', 'remembered'),
    [
        ('https://example.org/lab/template.git', True),
        ('git@example.org:lab/template.git', True),
        ('/somewhere/template', False),
        ('../template', False),
        ('file:///somewhere/template', False),
    ],
)
def test_the_template_is_where_it_was_cloned_from(
    template: Repository, origin: str, remembered: bool
) -> None:
    template.git('remote', 'add', 'origin', origin)
    project = forked(template)
    assert project.git('remote', 'get-url', 'template') == (origin if remembered else str(template.root))
    assert (f' of {origin}' in (project.root / 'README.md').read_text()) == remembered


def test_a_password_stays_out_of_the_readme(template: Repository) -> None:
    template.git('remote', 'add', 'origin', 'https://ada:secret@example.org/template.git')
    readme = (forked(template).root / 'README.md').read_text()
    assert ' of https://example.org/template.git' in readme and 'secret' not in readme


LICENSES = {
    'a place left open': (
        '   Copyright [yyyy] [name of copyright owner]\n',
        '   Copyright 2026 Jane\n',
    ),
    'a holder': (
        'Rights\n   Copyright 2025 Lab\n',
        'Rights\n   Copyright 2026 Jane\n   Copyright 2025 Lab\n',
    ),
    'no notice': ('Of copyright.\n', 'Of copyright.\n'),
}


@pytest.mark.parametrize('case', LICENSES)
def test_the_notice_of_the_template_is_kept(case: str) -> None:
    text, expected = LICENSES[case]
    assert own_files.with_notice(text, 'Copyright 2026 Jane') == expected
