"""A template that is committed, and the only git settings that the tests see."""

from pathlib import Path

import pytest

from engine.forks.repository import Repository
from engine.workspace import REPOSITORY
from tests.engine.forks.forked import commit_all
from tests.engine.test_readme import clone

IDENTITY = '[user]\n  name = Ada\n  email = ada@example.org\n[safe]\n  directory = *\n'


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only settings of git's that hold for a user."""
    settings = tmp_path / 'gitconfig'
    settings.write_text(IDENTITY)
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', str(settings))
    return settings


@pytest.fixture
def template(tmp_path: Path) -> Repository:
    """A clone of this repository that has committed what here may not be committed yet."""
    return committed_template(tmp_path)


def committed_template(folder: Path) -> Repository:
    """Makes the clone of `template` in a folder."""
    Repository(folder).git('clone', '--quiet', '--no-local', '--no-checkout', str(REPOSITORY), 'template')
    repository = Repository(folder / 'template')
    repository.git('remote', 'remove', 'origin')
    clone(repository.root)
    commit_all(repository)
    return repository
