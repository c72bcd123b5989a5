"""A project, a run that was made with uncommitted changes, and fresh clones."""

from pathlib import Path

import pytest

from tests.engine.reproduction import projects
from tests.engine.reproduction.projects import MODEL, Project, git


@pytest.fixture(scope='session')
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one commit."""
    return projects.commit(projects.copy(tmp_path_factory.mktemp('projects')))


@pytest.fixture(scope='session')
def run(project: Project) -> Path:
    """A run of the project, made with a change that is not committed and not there any more."""
    project.edit(MODEL, 'x.mean((1, 2))', 'x.max((1, 2))')
    folder = project.train('first')
    git(project.root, 'checkout', '-q', MODEL)
    return folder


@pytest.fixture
def elsewhere(project: Project, tmp_path: Path) -> Project:
    """A fresh clone elsewhere, with a workspace of its own."""
    return projects.clone(project, tmp_path / 'clone')


@pytest.fixture
def changed(run: Path, elsewhere: Project) -> Project:
    """The clone with the changes of the run, into which one more change is planted."""
    git(elsewhere.root, 'apply', str(run / 'uncommitted.diff'))
    return elsewhere
