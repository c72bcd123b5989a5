"""What the tests of forks share: real git repositories, and the scripts run in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine.forks.repository import Repository

OWN = ('README.md', 'LICENSE', 'CHANGELOG.md')


def commit_all(repository: Repository, message: str = 'Change') -> str:
    """Commits all that changed and returns the commit."""
    repository.git('add', '--all')
    repository.git('commit', '--quiet', '--allow-empty', f'--message={message}')
    return repository.git('rev-parse', 'HEAD')


def call(root: Path, script: str, *arguments: str, **changes: str) -> tuple[int, str, str]:
    """Runs a script by the Python of the tests, from the folder above; returns exit code, stdout, stderr."""
    environment = os.environ | {'ENV': 'existing', 'PYTHON': sys.executable} | changes
    command = [shutil.which('bash') or 'bash', str(root / 'scripts' / script), *arguments]
    done = subprocess.run(
        command, cwd=root.parent, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def forked(template: Repository, *arguments: str) -> Repository:
    """Returns a project that is forked from a template."""
    folder = template.root.parent / 'petals'
    code, out, err = call(template.root, 'fork.sh', 'petals', '--name=petals', *arguments)
    assert (code, out.splitlines()[-1:]) == (0, [f'project: {folder}']), err
    return Repository(folder)


def files(repository: Repository) -> set[str]:
    return set(repository.lines('ls-files', '-z'))


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
