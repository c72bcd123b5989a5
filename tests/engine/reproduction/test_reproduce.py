"""`reproduce.sh`: a run with uncommitted changes, repeated in another clone; planted changes are named."""

import json
import shutil
from pathlib import Path
from typing import Any

import optax
import pytest

from engine.runs.run_folder import Run
from tests.engine.reproduction.projects import MODEL, Project, git


def test_a_run_with_uncommitted_changes_has_the_same_bits_in_a_fresh_clone(
    run: Path, elsewhere: Project
) -> None:
    code, _, err = elsewhere.reproduce(str(run))
    assert (code, '+        return self.output(self.dropout(x.max((1, 2))))' in err, '--trust' in err) == (
        2,
        True,
        True,
    ), err
    code, document, err = elsewhere.reproduce(str(run), '--trust')
    assert (code, document.get('verdict')) == (0, 'same_bits'), err
    assert (document['steps'], document['evaluations']) == ([1, 2, 3, 4], [2, 4])
    assert document['outputs'] == {'test': '', 'val': ''}
    assert document['changes'] == []
    folder = Path(document['reproduction'])
    assert json.loads((folder / 'verdict.json').read_text()) == document
    assert not (folder / 'code').exists()
    assert 'x.mean((1, 2))' in (elsewhere.root / MODEL).read_text()


def test_the_beginning_is_repeated(run: Path, project: Project) -> None:
    code, document, err = project.reproduce(str(run), '--steps=3')
    assert (code, document.get('verdict')) == (0, 'same_bits'), err
    assert (document['steps'], document['evaluations'], document['outputs']) == ([1, 2, 3], [2], {})
    assert document['changes'] == []
    assert Run(Path(document['reproduction']) / 'run').status()['state'] == 'paused'


def planted(project: Project, run: Path, **variables: str) -> dict[str, Any]:
    """Repeats a run with the present code, which must differ; returns the document."""
    code, document, err = project.reproduce(str(run), '--trust', '--code=present', **variables)
    assert document.get('verdict') in ('within_spread', 'different'), err
    assert code == (1 if document['verdict'] == 'different' else 0)
    assert document['distances'], document['difference']
    return document


@pytest.mark.slow
def test_the_same_present_code_gives_the_same_bits(run: Path, changed: Project) -> None:
    code, document, err = changed.reproduce(str(run), '--trust', '--code=present')
    assert (code, document.get('verdict'), document.get('changes')) == (0, 'same_bits', []), err


def test_an_epsilon_in_the_model_is_named(run: Path, changed: Project) -> None:
    old = 'self.first_norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)'
    changed.edit(MODEL, old, old.replace('rngs=rngs', 'epsilon=1e-3, rngs=rngs'))
    document = planted(changed, run)
    assert (document['first_difference']['file'], document['first_difference']['step']) == ('train.jsonl', 1)
    assert f'code: {MODEL} has changed' in document['changes']
    assert [line for line in document['changes'] if 'code:' in line] == [f'code: {MODEL} has changed']
    assert any('+' in line and 'epsilon=1e-3' in line for line in document['changes'])


@pytest.mark.slow
def test_a_momentum_that_training_does_not_see_is_named(run: Path, changed: Project) -> None:
    changed.edit(MODEL, 'momentum=0.9', 'momentum=0.95')
    document = planted(changed, run)
    assert (document['first_difference']['file'], document['first_difference']['step']) == ('val.jsonl', 2)
    assert f'code: {MODEL} has changed' in document['changes']
    assert any('momentum=0.95' in line for line in document['changes'])


@pytest.mark.slow
def test_one_image_is_named(run: Path, changed: Project) -> None:
    images = sorted((changed.root / 'data/digits/toy/images').glob('*.png'))
    labels = (changed.root / 'data/digits/toy/labels.csv').read_text()
    first = next(image for image in images if image.name in labels or image.stem in labels)
    for image in images:
        if image != first and image.read_bytes() != first.read_bytes():
            shutil.copyfile(image, first)
            break
    code, document, err = changed.reproduce(str(run), '--trust', '--code=present')
    assert (code, document['verdict']) == (1, None), err
    assert 'toy/images differs from checksums.tsv' in document['difference']
    shutil.rmtree(changed.workspace / 'data')
    registered, _, err = changed.run('dataset', 'build', 'digits', '--config=toy', '--register_checksums')
    assert registered == 0, err
    code, document, err = changed.reproduce(str(run), '--trust', '--code=present')
    assert (code, document.get('verdict')) == (1, 'different'), err
    # The image is one of the test set, so the logs are equal.
    assert (document['first_difference'], document['distances']) == (None, [])
    assert document['difference'].startswith('outputs/test: inputs.npy was')
    assert any(line.startswith('data: digits') for line in document['changes']), document['changes']


@pytest.mark.slow
def test_the_version_of_a_package_is_named(run: Path, changed: Project, tmp_path: Path) -> None:
    packages = tmp_path / 'packages'
    package = Path(str(optax.__file__)).parent
    shutil.copytree(package, packages / 'optax')
    [about] = package.parent.glob('optax-*.dist-info')
    shutil.copytree(about, packages / 'optax-9.8.7.dist-info')
    path = packages / 'optax' / '_src' / 'transform.py'
    text = path.read_text()
    assert 'jnp.sqrt(v + eps_root) + eps)' in text
    path.write_text(text.replace('jnp.sqrt(v + eps_root) + eps)', 'jnp.sqrt(v + eps_root) + eps + 0.01)'))
    document = planted(changed, run, PYTHONPATH=str(packages))
    assert document['first_difference']['step'] == 2  # the first step is seen after the first update
    assert f'packages: optax: {optax.__version__} -> 9.8.7' in document['changes']


@pytest.mark.slow
def test_a_flag_of_xla_is_named(run: Path, changed: Project) -> None:
    flag = '--xla_cpu_enable_fast_math=true'
    _, document, err = changed.reproduce(str(run), '--trust', XLA_FLAGS=flag)
    assert document['first_difference'], err
    assert f'flags: XLA_FLAGS: none -> {flag}' in document['changes']
    assert f'flags: XLA_FLAGS: none -> {flag}' in err.partition('step 1')[0]  # before it trains


@pytest.mark.slow
def test_an_edited_record_is_named(run: Path, elsewhere: Project, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / 'run'))
    diff = copy / 'uncommitted.diff'
    diff.write_text(diff.read_text().replace('x.max((1, 2))', 'x.min((1, 2))'))
    code, document, err = elsewhere.reproduce(str(copy), '--trust')
    assert document.get('first_difference'), err
    assert 'code: uncommitted.diff has changed since the run recorded it' in document['changes']
    assert f'code: {MODEL} has changed' in document['changes']
    assert code == (1 if document['verdict'] == 'different' else 0)


def test_a_commit_that_is_not_here_is_refused(run: Path, project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / 'other', tmp_path / 'workspace')
    shutil.copytree(project.root, other.root, ignore=shutil.ignore_patterns('.git', '__pycache__'))
    git(other.root, 'init', '-q')
    git(other.root, 'add', 'README.md')
    git(other.root, 'commit', '-q', '-m', 'Begin')
    code, _, err = other.reproduce(str(run), '--trust')
    assert (code, 'does not have commit' in err, 'git fetch --all' in err) == (2, True, True), err
