"""Small git repositories with the code of a project."""

import subprocess
from pathlib import Path

# What a training imports, and what it does not.
SOURCES = {
    'engine/errors.py': 'import os\n',
    'engine/commands/train.py': 'from engine import errors\n',
    'research/model.py': 'WIDTH = 8\n',
    'configs/base.gin': 'SEED = 0\n',
    'data/digits/builder.py': '"""A builder."""\n',
    'data/digits/toy/0.png': 'a picture\n',
}


def git(repository: Path, *arguments: str) -> str:
    """Runs git as somebody called Ada, and returns its output."""
    identity = ('-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'core.autocrlf=false')
    command = ['git', '-C', str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def contents(repository: Path) -> dict[str, bytes]:
    """Returns the content of each file, and the target of each link, by path."""
    paths = [path for path in repository.rglob('*') if '.git' not in path.relative_to(repository).parts]
    links = {path: str(path.readlink()).encode() for path in paths if path.is_symlink()}
    files = {path: path.read_bytes() for path in paths if path.is_file() and path not in links}
    return {path.relative_to(repository).as_posix(): content for path, content in (files | links).items()}
