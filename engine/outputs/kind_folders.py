"""The kinds of outputs that exist: one folder each, in the engine and in the code of a project.

A name that comes from a file, such as a manifest, is looked up among the folders on disk before anything is
imported. An unknown name therefore imports nothing.
"""

import importlib
from pathlib import Path
from typing import Any

from engine.errors import UserError, did_you_mean
from engine.outputs.kind import Kind
from engine.workspace import REPOSITORY

# Packages of kinds and their folders.
PACKAGES: dict[str, Path] = {
    'engine.kinds': REPOSITORY / 'engine/kinds',
    'research.kinds': REPOSITORY / 'research/kinds',
}


def names() -> list[str]:
    """Returns the names of all kinds, sorted.

    Raises:
      UserError: two folders have the same name.
    """
    return sorted(_packages())


def declaration(kind: str) -> Kind:
    """Returns the declaration of a kind.

    >>> declaration('regression').from_data
    ('targets',)

    Raises:
      UserError: the kind is unknown, or its folder does not declare it.
    """
    return load(kind, '__init__', 'KIND')


def file(kind: str) -> Path:
    """Returns the file that declares a kind, relative to the repository.

    >>> file('regression').as_posix()
    'engine/kinds/regression/__init__.py'

    Raises:
      UserError: the kind is unknown.
    """
    path = _folder(kind) / '__init__.py'
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def load(kind: str, module: str, name: str) -> Any:
    """Imports a module of a kind's folder and returns an object that it defines.

    Args:
      kind: name of the kind.
      module: name of the module.
      name: name of the object.

    Raises:
      UserError: the kind is unknown, or its folder lacks the module or the object.
    """
    path = _folder(kind) / f'{module}.py'
    if not path.is_file():
        raise UserError(f'{path} does not exist. Write it; docs/kinds.md shows how.')
    package = _packages()[kind]
    loaded = importlib.import_module(package if module == '__init__' else f'{package}.{module}')
    if not hasattr(loaded, name):
        raise UserError(f'{path} defines no {name}. Define it; docs/kinds.md shows how.')
    return getattr(loaded, name)


def load_optional(kind: str, module: str, name: str) -> Any:
    """Returns what `load` does, None if the kind's folder lacks the module."""
    return load(kind, module, name) if (_folder(kind) / f'{module}.py').is_file() else None


def _folder(kind: str) -> Path:
    packages = _packages()
    if kind not in packages:
        raise UserError(f'unknown kind of outputs {kind!r:.100}. {did_you_mean(kind, packages)}')
    return PACKAGES[packages[kind].rpartition('.')[0]] / kind


def _packages() -> dict[str, str]:
    """Returns the package of each kind, by the kind's name."""
    packages: dict[str, str] = {}
    for parent, folder in PACKAGES.items():
        for kind in sorted(path.parent.name for path in folder.glob('*/__init__.py')):
            if kind in packages:
                raise UserError(
                    f'{folder / kind} has the name of a kind of the engine. Give your kind a name of its own.'
                )
            packages[kind] = f'{parent}.{kind}'
    return packages
