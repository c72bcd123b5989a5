"""A temporary repository with datasets created by `new`, and a temporary workspace where they are built."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.datasets import new
from engine.datasets.load import prepare


@dataclass(frozen=True)
class DatasetSandbox:
    """The folders of the repository and of the workspace."""

    repository: Path
    workspace: Path

    def folder(self, name: str) -> Path:
        """Returns a dataset's folder in the repository."""
        return self.repository / 'data' / name

    def workspace_folder(self, name: str) -> Path:
        """Returns a dataset's folder in the workspace."""
        return self.workspace / 'data' / name


@contextmanager
def new_datasets(folder: Path, **kinds: str) -> Iterator[DatasetSandbox]:
    """Creates datasets and builds their configs `full` and `toy`: new_datasets(folder, petals='images').

    Python imports a dataset once, so each test module needs its own names.
    """
    sandbox = DatasetSandbox(folder / 'repository', folder / 'workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('engine.workspace.REPOSITORY', sandbox.repository)
        patch.setenv('WORKSPACE', str(sandbox.workspace))
        patch.syspath_prepend(sandbox.repository)
        (sandbox.repository / 'data').mkdir(parents=True)
        for name, kind in kinds.items():
            new.create(name, kind)
            for config in ('full', 'toy'):
                prepare(f'{name}/{config}')
        yield sandbox
