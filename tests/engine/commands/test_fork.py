"""Projects forked from this template, in real git repositories: refused, begun, trained, updated."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.commands import fork
from engine.forks.repository import Repository
from engine.workspace import REPOSITORY
from tests.engine.test_readme import clone

IDENTITY = '[user]\n  name = Ada\n  email = ada@example.org\n[safe]\n  directory = *\n'
OWN = ('README.md', 'LICENSE', 'CHANGELOG.md')


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only settings of git's that hold for a user."""
    settings = tmp_path / 'gitconfig'
    settings.write_text(IDENTITY)
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', str(settings))
    return settings


def commit_all(repository: Repository, message: str = 'Change') -> str:
    """Commits all that changed and returns the commit."""
    repository.git('add', '--all')
    repository.git('commit', '--quiet', '--allow-empty', f'--message={message}')
    return repository.git('rev-parse', 'HEAD')


@pytest.fixture
def template(tmp_path: Path) -> Repository:
    """A clone of this repository that has committed what here may not be committed yet."""
    Repository(tmp_path).git('clone', '--quiet', '--no-local', '--no-checkout', str(REPOSITORY), 'template')
    made = Repository(tmp_path / 'template')
    made.git('remote', 'remove', 'origin')
    clone(made.root)
    commit_all(made)
    return made


def call(root: Path, script: str, *arguments: str, **changes: str) -> tuple[int, str, str]:
    """Runs a script by the Python of the tests, from the folder above; returns exit code, stdout, stderr."""
    environment = os.environ | {'ENV': 'existing', 'PYTHON': sys.executable} | changes
    command = [shutil.which('bash') or 'bash', str(root / 'scripts' / script), *arguments]
    done = subprocess.run(
        command, cwd=root.parent, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def begun(template: Repository, *arguments: str) -> Repository:
    """Returns a project that is forked from a template."""
    folder = template.root.parent / 'petals'
    code, out, err = call(template.root, 'fork.sh', 'petals', '--name=petals', *arguments)
    assert (code, out.splitlines()[-1:]) == (0, [f'project: {folder}']), err
    return Repository(folder)


def files(repository: Repository) -> set[str]:
    return set(repository.lines('ls-files', '-z'))


# --- what is refused


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
    'a folder within the template': (nothing, ['template/petals', '--name=petals'], 'lies within'),
    'the template itself': (nothing, ['template', '--name=petals'], 'lies within'),
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
    assert (code, err.startswith('error: there is no git on PATH.')) == (2, True), err


def test_an_author_is_asked_for(template: Repository, identity: Path) -> None:
    identity.write_text('[user]\n  useConfigOnly = true\n')
    code, _, err = call(template.root, 'fork.sh', 'petals', '--name=petals')
    assert (code, 'git config --global user.name' in err) == (2, True), err


# --- what is begun


def test_nothing_is_installed_for_a_fork(template: Repository) -> None:
    assert call(template.root, 'fork.sh', 'my petals', '--name=petals', ENV='')[0] == 0
    assert call(template.root.parent / 'my petals', 'update.sh', ENV='')[0] == 0
    assert not list(template.root.parent.glob('*/.venv*'))


def test_a_fork_that_keeps_the_examples_differs_in_what_is_its_own(template: Repository) -> None:
    project = begun(template, '--title=Petals  "at" dawn', '--holder=Jane Doe')
    changed = project.lines('diff', '--name-only', '-z', 'HEAD~1')
    assert {'CHANGELOG.md', *changed} == {*OWN, 'pyproject.toml'}  # an empty one, in a fork of a fork too
    assert project.git('rev-parse', 'HEAD~1') == template.git('rev-parse', 'HEAD')
    assert project.git('status', '--porcelain', '--branch') == '## main'
    assert project.git('remote', 'get-url', 'template') == str(template.root)
    told = {name: (project.root / name).read_text() for name in changed}
    assert told['README.md'].startswith('# Petals "at" dawn\n')
    assert f'Begun from {fork.named(template, "HEAD")[:-12]}' in told['README.md']
    assert 'Jane Doe' in told['LICENSE'] and '[yyyy]' not in told['LICENSE']
    assert 'name = "petals"\n' in told['pyproject.toml']
    assert 'description = "Petals \\"at\\" dawn"\n' in told['pyproject.toml']


def test_git_names_the_holder_and_the_name_is_the_title(template: Repository) -> None:
    project = begun(template)
    assert 'Ada' in (project.root / 'LICENSE').read_text()
    assert (project.root / 'README.md').read_text().startswith('# petals\n')


def test_dropped_examples_leave_the_engine_and_what_tests_a_projects_files(template: Repository) -> None:
    kept = files(begun(template, '--examples=drop'))
    folders = ('configs', 'data', 'research/models', 'playground', 'benchmarks', 'tests')
    assert {file for file in kept if file.startswith(folders)} == {
        'configs/base.gin',
        'configs/debug.gin',
        'research/models/__init__.py',
        'tests/__init__.py',
        'tests/conftest.py',
        'tests/test_configs.py',
        'tests/test_imports.py',
    }
    assert {file for file in files(template) - kept if not file.startswith(folders)} == {
        'docs/report.png',
        'scripts/benchmark.sh',
        'scripts/examples.txt',
        'scripts/torture.sh',
    }


def test_what_is_listed_as_an_example_is_there(template: Repository) -> None:
    listed = [spec.removeprefix(':!') for spec in fork.examples(template, 'HEAD')]
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
    project = begun(template)
    assert project.git('remote', 'get-url', 'template') == (origin if remembered else str(template.root))
    assert (f' of {origin}' in (project.root / 'README.md').read_text()) == remembered


def test_a_password_stays_out_of_the_readme(template: Repository) -> None:
    template.git('remote', 'add', 'origin', 'https://ada:secret@example.org/template.git')
    readme = (begun(template).root / 'README.md').read_text()
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
def test_the_templates_own_notice_is_kept(case: str) -> None:
    text, expected = LICENSES[case]
    assert fork.licensed(text, 'Copyright 2026 Jane') == expected


# --- what is updated


def edit(repository: Repository, path: str, change: Callable[[str], str]) -> None:
    file = repository.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(change(file.read_text() if file.exists() else ''))


def append(repository: Repository, path: str, text: str) -> None:
    edit(repository, path, lambda before: before + text)


def updated(project: Repository, code: int = 0) -> str:
    """Runs `update.sh` and returns what it says."""
    ended, out, err = call(project.root, 'update.sh')
    assert ended == code, out + err
    return out + err


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
        'not committed (engine/commands/train.py): they could get mixed up',
    ),
    'a detached HEAD': (detached, 2, 'git switch <branch>'),
    'another history': (other_history, 2, 'no history in common'),
    'no template': (lambda project: shutil.rmtree(project.root.parent / 'template'), 1, 'git fetch failed'),
}


@pytest.mark.parametrize('obstacle', OBSTACLES)
def test_an_update_is_refused(obstacle: str, template: Repository) -> None:
    prepare, code, message = OBSTACLES[obstacle]
    project = begun(template)
    prepare(project)
    before = project.git('rev-parse', 'HEAD')
    assert message in updated(project, code)
    assert project.git('rev-parse', 'HEAD') == before


def test_nothing_new_is_said(template: Repository) -> None:
    project = begun(template)
    before = project.git('rev-parse', 'HEAD')
    assert updated(project).startswith('Nothing is new: ')
    assert project.git('rev-parse', 'HEAD') == before


def test_conflicts_are_told_and_a_merge_is_under_way(template: Repository) -> None:
    project = begun(template)
    for each, name in ((template, 'theirs'), (project, 'mine')):
        edit(each, 'engine/commands/train.py', lambda text, name=name: f'# {name}\n{text}')
        append(each, f'docs/{name}.md', name)
        commit_all(each)
    before = project.git('rev-parse', 'HEAD')
    told = updated(project, 1)
    assert told.startswith('error: ') and '\n  engine/commands/train.py\n' in told and 'theirs.md' not in told
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
    project = begun(template)
    append(template, 'research/new.py', 'theirs = True\n')
    commit_all(template)
    append(project, 'research/new.py', 'mine = True\n')
    before = project.git('rev-parse', 'HEAD')
    assert 'research/new.py' in updated(project, 1)
    assert (project.root / 'research/new.py').read_text() == 'mine = True\n'
    (project.root / 'research/new.py').unlink()
    assert (project.git('status', '--porcelain'), project.git('rev-parse', 'HEAD')) == ('', before)
    updated(project)


def test_what_a_project_deleted_stays_deleted(template: Repository) -> None:
    project = begun(template)
    project.git('rm', '-q', '-r', 'data/digits', 'tests/data')
    commit_all(project)
    for _ in range(2):
        append(template, 'data/digits/README.md', 'More.\n')
        append(template, 'configs/new.gin', '# New.\n')
        commit_all(template)
        updated(project)
        assert not {file for file in files(project) if file.startswith('data/digits')}
        assert 'configs/new.gin' in files(project)  # of a fork that keeps the examples


def test_what_is_no_example_can_be_deleted_too(template: Repository) -> None:
    project = begun(template, '--examples=drop')
    project.git('rm', '-q', 'configs/debug.gin')
    commit_all(project)
    append(template, 'configs/debug.gin', '# More.\n')
    commit_all(template)
    updated(project)
    assert 'configs/debug.gin' not in files(project)


def test_a_version_that_changes_nothing_here_is_merged_too(template: Repository) -> None:
    project = begun(template, '--examples=drop')
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
    project = begun(shallow)
    append(template, 'research/new.py', 'new = True\n')
    commit_all(template)
    project.git('remote', 'set-url', 'template', str(template.root))
    assert updated(project).startswith('Merged ')
    assert 'research/new.py' in files(project)


# --- all of it: what a researcher adds, trains and evaluates, and then a newer template

BUILDER = '''
"""TFDS builder of `leaves`: bright and dark ones."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

HERE = Path(__file__).parent
SPLITS = {'train': range(0, 12), 'val': range(12, 16), 'test': range(16, 20)}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `full` and `toy` from the same 20 photographs."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ('full', 'toy')]  # noqa: RUF012

    def raw_examples(self) -> dict[str, list[tuple[str, Path, str]]]:
        """Returns id, image and label of each example by split."""
        folder = Path(self.data_dir_root).parent / str(self.builder_config_name)
        shutil.copytree(HERE / 'toy', folder, dirs_exist_ok=True)
        files = {int(path.stem.split('-')[0]): path for path in folder.glob('*.jpg')}
        return {
            split: [(files[i].stem, files[i], files[i].stem.split('-')[1]) for i in numbers]
            for split, numbers in SPLITS.items()
        }

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            'image': tfds.features.Image(shape=(16, 16, 3), encoding_format='jpeg'),
            'label': tfds.features.ClassLabel(names=['bright', 'dark']),
            'id': tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: list[tuple[str, Path, str]]) -> Iterator[tuple[str, dict]]:
        for identity, path, label in examples:
            yield identity, {'image': path, 'label': label, 'id': identity}
'''

MODEL = '''
"""One linear layer."""

import math

import jax
from flax import nnx


class Linear(nnx.Module):
    """One matrix, for images of any shape."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        self.output = nnx.Linear(math.prod(input_shape), outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, outputs] for x f32 [B, ...]."""
        return self.output(x.reshape(x.shape[0], -1))
'''

TASK = '''
"""One against the rest: a yes or no for each class."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class OneAgainstRest(Supervised):
    """Binary cross-entropy, summed over the classes, on `image` and `label`."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset."""
        shape = spec.example['image'].shape
        return self.model(input_shape=shape, outputs=len(spec.class_names), rngs=rngs)

    def inputs(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1."""
        return batch['image'].astype(jnp.float32) / 127.5 - 1

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the loss of each example, f32 [B]."""
        targets = jax.nn.one_hot(batch['label'], output.shape[-1])
        return {'loss': optax.sigmoid_binary_cross_entropy(output, targets).sum(-1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the logits f32 [B, classes]."""
        return {'logits': output.astype(jnp.float32)}

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description('classification', {'logits': 'log-odds of each class'}, {'labels': 'label'})
'''

CONFIG = """
# Leaves, one linear layer: is a leaf bright or dark?
#   scripts/train.sh --gin_file=configs/leaves.gin

include 'base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import linear
from research.tasks import one_against_rest
import optax

STEPS = 20                         # steps
BATCH_SIZE = 4                     # examples

trainer.Trainer:
  dataset = 'leaves'
  task = @one_against_rest.OneAgainstRest()

one_against_rest.OneAgainstRest:
  model = @linear.Linear
  optimizer = @optax.adamw
  learning_rate = 1e-3
"""

ADDED = {
    'data/leaves/leaves_dataset_builder.py': BUILDER,
    'research/models/linear.py': MODEL,
    'research/tasks/one_against_rest.py': TASK,
    'configs/leaves.gin': CONFIG,
}


def add_research(project: Repository) -> set[str]:
    """Adds a dataset, a model, a task and a config; returns the new files."""
    for path, text in ADDED.items():
        append(project, path, text.lstrip())
    toy = project.root / 'data/leaves/toy'
    toy.mkdir()
    for i in range(20):
        noise = np.random.default_rng(i).integers(0, 100, (16, 16, 3), np.uint8)
        bright = i % 2 == 0
        Image.fromarray(noise + 100 * np.uint8(bright)).save(
            toy / f'{i}-{"bright" if bright else "dark"}.jpg'
        )
    # As near to an example as a file can be: git must not take it for that, moved.
    (project.root / 'data/leaves/CITATIONS.bib').write_bytes(
        (REPOSITORY / 'data/digits/CITATIONS.bib').read_bytes()
    )
    return {path.relative_to(project.root).as_posix() for path in toy.iterdir()} | {
        *ADDED,
        'data/leaves/CITATIONS.bib',
    }


def renew(template: Repository, version: str) -> None:
    """Commits a later version of the template, in which all changes that a project may have or lack."""
    edit(template, 'pyproject.toml', lambda text: re.sub(r'(?<=\nversion = ).*', f'"{version}"', text))
    append(template, 'pyproject.toml', f'\n[tool.new-{version.replace(".", "-")}]\n')
    for path in (
        *OWN,
        'data/digits/CITATIONS.bib',
        'research/models/mlp.py',
        'tests/engine/commands/test_train.py',
    ):
        append(template, path, f'# {version}\n')
    append(template, 'engine/training/trainer.py', f'# {version}\n')
    for path in ('engine/new.py', 'configs/new.gin', 'data/new/README.md', 'tests/test_new.py'):
        append(template, path, f'# {version}\n')
    if (template.root / 'configs/digits_mlp.gin').exists():
        template.git('mv', 'configs/digits_mlp.gin', 'configs/renamed.gin')
    commit_all(template)


def contents(project: Repository, paths: set[str]) -> dict[str, bytes]:
    return {path: (project.root / path).read_bytes() for path in paths}


def test_a_project_of_ones_own(template: Repository, workspace: Path) -> None:
    project = begun(template, '--examples=drop')
    assert call(project.root, 'test.sh', '--numprocesses=0')[0] == 0

    added = add_research(project)
    status = project.lines('status', '--porcelain', '--untracked-files=all', '-z')
    assert set(status) == {f'?? {path}' for path in added}
    commit_all(project)

    code, out, err = call(project.root, 'train.sh', '--gin_file=petals/configs/leaves.gin')
    assert code == 0, err
    run = Path(out.splitlines()[-1].removeprefix('run: '))
    assert run.parent == workspace / 'runs/petals/leaves'
    code, out, err = call(project.root, 'eval.sh', str(run / 'outputs/test'))
    assert (code, 'leaves, test, 4 examples, petals' in out) == (0, True), err
    code, out, err = call(project.root, 'test.sh', '--numprocesses=0')
    assert code == 0, out + err

    mine = contents(project, {*OWN, *added})
    for version in ('0.2.0', '0.3.0'):
        before = files(project)
        renew(template, version)
        new = template.git('rev-parse', 'HEAD')
        assert updated(project).startswith(f'Merged {fork.named(template, new)}.')
        assert project.git('rev-parse', 'HEAD^2') == new
        assert project.git('status', '--porcelain') == ''
        assert files(project) == before | {'engine/new.py'}
        assert contents(project, set(mine)) == mine
        theirs = {'engine/training/trainer.py', 'engine/new.py'}
        assert contents(project, theirs) == contents(template, theirs)
        settings = tomllib.loads((project.root / 'pyproject.toml').read_text())
        assert [settings['project'][key] for key in ('name', 'version')] == ['petals', '0.1.0']
        assert f'new-{version.replace(".", "-")}' in settings['tool']
    assert updated(project).startswith('Nothing is new: ')
