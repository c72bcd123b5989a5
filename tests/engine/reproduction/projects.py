"""Clones of the repository with workspaces of their own, in which programs run as users start them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from engine.workspace import REPOSITORY

MODEL = 'research/models/convnet.py'
CONFIG = """
include 'base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import convnet
from engine.parts import classification
import optax

STEPS = 4
BATCH_SIZE = 8

trainer.Trainer:
  dataset = 'digits/toy'
  task = @classification.Classification()
  evaluate_every = 2

classification.Classification:
  model = @convnet.ConvNet
  optimizer = @optax.adamw
  learning_rate = 0.03

convnet.ConvNet.width = 4
convnet.ConvNet.stages = 1
"""
_UNSET = ('XLA_FLAGS', 'PYTHONPATH', 'JAX_NUM_CPU_DEVICES')
_IGNORED = ('.git', '.venv*', 'workspace', '__pycache__', '.*_cache', '.hypothesis', 'site')


class Project(NamedTuple):
    """A clone of the repository and a workspace."""

    root: Path
    workspace: Path

    def start(self, script: str, *arguments: str, **variables: str) -> 'subprocess.Popen[str]':
        """Starts a program in a process group of its own."""
        own = {'WORKSPACE': str(self.workspace), 'ENV': 'existing', 'PYTHON': sys.executable}
        inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
        return subprocess.Popen(
            [str(self.root / 'scripts' / f'{script}.sh'), *arguments],
            env={**inherited, **own, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Returns exit code, stdout and stderr of a program."""
        process = self.start(script, *arguments, **variables)
        out, err = process.communicate()
        return process.returncode, out, err

    def train(self, name: str, *arguments: str, config: str = 'tiny') -> Path:
        """Trains a config, by default the tiny one; returns the run folder."""
        folder = self.workspace / 'runs' / name
        code, _, err = self.run('train', f'--gin_file=configs/{config}.gin', f'--run={folder}', *arguments)
        assert code == 0, err
        return folder

    def reproduce(self, *arguments: str, **variables: str) -> tuple[int, dict[str, Any], str]:
        """Returns exit code, document and stderr."""
        code, out, err = self.run('reproduce', *arguments, '--json', **variables)
        return code, json.loads(out or '{}'), err

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces a text in a file."""
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def worktrees(self) -> list[str]:
        """Returns the folders that git lists."""
        out = git(self.root, 'worktree', 'list', '--porcelain')
        return [line.removeprefix('worktree ') for line in out.splitlines() if line.startswith('worktree ')]


def git(folder: Path, *arguments: str) -> str:
    author = ('-c', 'user.name=A', '-c', 'user.email=a@example.org')
    command = ['git', '-C', str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def clone(project: Project, folder: Path) -> Project:
    """Clones a project. The workspace shares its compiled programs alone, which saves a third of the time."""
    git(folder.parent, 'clone', '-q', str(project.root), str(folder))
    workspace = folder.with_name(f'{folder.name}-workspace')
    workspace.mkdir()
    (workspace / 'cache').symlink_to(project.workspace / 'cache')
    return Project(folder, workspace)


def copy(folder: Path) -> Project:
    """Copies the repository, without git, and adds a tiny config."""
    root = folder / 'project'
    shutil.copytree(REPOSITORY, root, ignore=shutil.ignore_patterns(*_IGNORED))
    (root / 'configs' / 'tiny.gin').write_text(CONFIG)
    return Project(root, folder / 'workspace')


def commit(project: Project) -> Project:
    """Makes a repository with one commit of a project."""
    git(project.root, 'init', '-q', '-b', 'main')
    git(project.root, 'add', '-A')
    git(project.root, 'commit', '-q', '-m', 'Begin')
    return project
