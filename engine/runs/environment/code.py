"""The code that trains: the files of this repository that it imports, with a digest of each.

Imports are followed in the source, without running it. A digest covers the syntax tree without docstrings and
positions, so comments and layout do not count. Files that no import reaches do not count either.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from engine import workspace
from engine.runs.environment import syntax
from engine.runs.environment.disk_cache import DiskCache
from engine.runs.environment.syntax import Summary
from engine.runs.garbage import collection_paused

MAIN = 'engine.commands.train'  # what every training imports, whatever its config
ENGINE = 'engine'


@dataclass(frozen=True)
class Code:
    """The code that trains.

    Attributes:
      files: path in the repository to digest.
      external: the top packages outside the repository that the code imports.
    """

    files: dict[str, str]
    external: frozenset[str]

    @property
    def digest(self) -> str:
        """One digest over all files."""
        lines = ''.join(f'{path} {digest}\n' for path, digest in self.files.items())
        return _digest(lines.encode('utf-8', 'surrogateescape'))


def of(modules: Iterable[str], root: Path | None = None, program: str = MAIN) -> Code:
    """Returns the code that some modules and a program import, by default the one that trains.

    >>> 'research/models/mlp.py' in of(['research.models.mlp']).files
    True

    Args:
      modules: names of modules in the repository or elsewhere. Names that do not exist are ignored.
      root: the folder that holds `engine/`; None: this repository.
      program: the module of the program.
    """
    cache = DiskCache(syntax)
    closure = _Closure(root or workspace.REPOSITORY, cache)
    with collection_paused():
        closure.add([program, *modules])
    cache.save()
    return Code(dict(sorted(closure.files.items())), frozenset(closure.external))


def digest(path: Path) -> str:
    """Returns the digest of one file of the code, as `Code.files` has it."""
    content = path.read_bytes()
    summary = syntax.summary(content, imports_alone=True) if path.suffix == '.py' else None
    return summary.digest if summary else _digest(content)


class _Closure:
    """Collects the files that modules import, directly or through others."""

    def __init__(self, root: Path, cache: DiskCache):
        self.root, self._cache = root, cache
        self.files: dict[str, str] = {}
        self.external: set[str] = set()
        self._seen: set[str] = set()
        self._names: dict[Path, set[str]] = {}  # of the files and folders in a folder

    def add(self, modules: Iterable[str]) -> None:
        """Adds modules, the packages that hold them, and all that they import."""
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name in self._seen:
                continue
            self._seen.add(name)
            if not self._is_inside(name.partition('.')[0]):
                self.external.add(name.partition('.')[0])
                continue
            waiting += filter(None, [name.rpartition('.')[0]])
            for path in self._sources(name):
                waiting += self._add_file(path, name)

    def _is_inside(self, top: str) -> bool:
        """Whether a top package or module is one of the repository."""
        names = self._listed(self.root)
        return f'{top}.py' in names or (top in names and (self.root / top).is_dir())

    def _sources(self, module: str) -> list[Path]:
        """Returns the file of a module, or its compiled libraries; none if a name is no module."""
        *parents, name = module.split('.')
        folder = self.root.joinpath(*parents)
        names = self._listed(folder)
        if name in names and '__init__.py' in self._listed(folder / name):
            return [folder / name / '__init__.py']
        if f'{name}.py' in names:
            return [folder / f'{name}.py']
        if name in names and (folder / name).is_dir():
            return []
        return sorted(folder / file for file in names if fnmatchcase(file, f'{escape(name)}.*.so'))

    def _listed(self, folder: Path) -> set[str]:
        """Returns the names in a folder, none if it is not one."""
        if folder not in self._names:
            try:
                self._names[folder] = set(os.listdir(folder))  # noqa: PTH208 (names, not paths)
            except (OSError, ValueError):
                self._names[folder] = set()
        return self._names[folder]

    def _add_file(self, path: Path, module: str) -> list[str]:
        """Adds a file and the data that it names. Returns the modules that it imports."""
        name = path.relative_to(self.root).as_posix()
        content = path.read_bytes()
        is_engine = module.partition('.')[0] == ENGINE  # the engine reads no files of its own to train
        summary = self._summary(content, is_engine) if path.suffix == '.py' else None
        if summary is None:
            self.files[name] = _digest(content)
            return []
        self.files[name] = summary.digest
        for file in self._named_files(summary.paths, path.parent):
            self.files[file.relative_to(self.root).as_posix()] = _digest(file.read_bytes())
        dynamic = [found for text in summary.dynamic_imports for found in self._modules(text)]
        return [*syntax.imported(summary.imports, module, path.stem == '__init__'), *dynamic]

    def _summary(self, content: bytes, imports_alone: bool) -> Summary | None:
        """Returns what a source file says. A file is parsed once, and again when its content is another."""

        def summarised() -> dict[str, Any] | None:
            summary = syntax.summary(content, imports_alone)
            return summary and asdict(summary)

        values = self._cache.result(content + bytes([imports_alone]), summarised)
        return values and Summary.from_json(values)

    def _named_files(self, texts: Iterable[str], folder: Path) -> Iterator[Path]:
        """Yields the files that a source names, relative to its own folder or to the repository."""
        for text in texts:
            for parent in (folder, self.root):
                path = (parent / text).resolve()
                is_data = path.suffix not in ('.py', '.md') and path.is_relative_to(self.root)
                if is_data and path.is_file():
                    yield path

    def _modules(self, text: str) -> list[str]:
        """Returns the modules that a dynamic import names: one, or all of a package for `package.*`."""
        if not text.endswith('.*'):
            return [text]
        package = text.removesuffix('.*')
        folder = self.root.joinpath(*package.split('.'))
        return [package, *(f'{package}.{path.stem}' for path in sorted(folder.glob('*.py')))]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[: syntax.DIGEST_LENGTH]
