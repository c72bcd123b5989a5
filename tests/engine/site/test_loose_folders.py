"""Code of a project in folders without `__init__.py` is in the reference."""

from pathlib import Path

import griffe
import pytest

from docs.generator import loose_folders
from docs.generator.loose_folders import LooseFolders


def test_modules_of_folders_without_init_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        'research/models/net.py',
        'research/metrics/cost.py',
        'research/a/b/c.py',
        'research/top.py',
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('"""Text."""\n\ndef one(x: int):\n    """Returns it."""\n')
    for name in ('research/__init__.py', 'research/models/__init__.py'):
        (tmp_path / name).touch()
    monkeypatch.setattr(loose_folders, 'RESEARCH', tmp_path / 'research')
    extensions = griffe.load_extensions(LooseFolders)
    monkeypatch.chdir(tmp_path)
    package = griffe.load('research', extensions=extensions, allow_inspection=False)
    for name in ('models.net', 'metrics.cost', 'a.b.c', 'top'):
        function = package[f'{name}.one']
        assert function.path == f'research.{name}.one'
        assert function.docstring and function.docstring.value == 'Returns it.'
