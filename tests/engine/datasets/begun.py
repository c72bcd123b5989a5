"""A repository of a test's own, with datasets begun by `new`, built in a workspace of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.datasets import new
from engine.datasets.building import build


@dataclass(frozen=True)
class Begun:
    """Where it is: the repository, and the workspace."""

    repository: Path
    workspace: Path

    def folder(self, name: str) -> Path:
        """Returns a dataset's folder in the repository."""
        return self.repository / 'data' / name

    def bytes(self, name: str) -> Path:
        """Returns a dataset's folder in the workspace."""
        return self.workspace / 'data' / name


@contextmanager
def begun(folder: Path, **kinds: str) -> Iterator[Begun]:
    """Begins datasets and builds their configs `full` and `toy`: begun(folder, petals='images').

    Python imports a dataset once: its name must be another in each test module.
    """
    made = Begun(folder / 'repository', folder / 'workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('engine.workspace.REPOSITORY', made.repository)
        patch.setenv('WORKSPACE', str(made.workspace))
        patch.syspath_prepend(made.repository)
        (made.repository / 'data').mkdir(parents=True)
        for name, kind in kinds.items():
            new.make(name, kind)
            for config in ('full', 'toy'):
                build.prepare(f'{name}/{config}')
        yield made
