"""The code that trains: the files of this repository that it imports, with a digest of each.

Imports are followed in the source, without running it. A digest covers the syntax tree without docstrings and
positions, so comments and layout do not count. Files that no import reaches do not count either.
"""

import ast
import gc
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import workspace
from engine.runs.environment import syntax

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


def of(modules: Iterable[str]) -> Code:
    """Returns the code that some modules and the training program import.

    >>> 'research/models/mlp.py' in of(['research.models.mlp']).files
    True

    Args:
      modules: names of modules in the repository or elsewhere. Names that do not exist are ignored.
    """
    closure = _Closure(workspace.REPOSITORY)
    with _without_garbage_collection():
        closure.add([MAIN, *modules])
    return Code(dict(sorted(closure.files.items())), frozenset(closure.external))


class _Closure:
    """Collects the files that modules import, directly or through others."""

    def __init__(self, root: Path):
        self.root = root
        self.files: dict[str, str] = {}
        self.external: set[str] = set()
        self._seen: set[str] = set()
        self._inside: dict[str, bool] = {}

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
        if top not in self._inside:
            path = self.root / top
            self._inside[top] = path.is_dir() or path.with_suffix('.py').is_file()
        return self._inside[top]

    def _sources(self, module: str) -> list[Path]:
        """Returns the file of a module, or its compiled libraries; none if a name is no module."""
        path = self.root.joinpath(*module.split('.'))
        for source in (path / '__init__.py', path.with_name(f'{path.name}.py')):
            if source.is_file():
                return [source]
        return sorted(path.parent.glob(f'{path.name}.*.so')) if not path.is_dir() else []

    def _add_file(self, path: Path, module: str) -> list[str]:
        """Adds a file and the data that it names. Returns the modules that it imports."""
        name = path.relative_to(self.root).as_posix()
        content = path.read_bytes()
        try:
            tree = ast.parse(content) if path.suffix == '.py' else None
            summary = syntax.summary(tree) if tree else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = summary = None
        if tree is None or summary is None:
            self.files[name] = _digest(content)
            return []
        self.files[name] = summary.digest
        if module.partition('.')[0] == ENGINE:  # the engine reads no files of its own to train
            return syntax.imported(summary.imports, module, path.stem == '__init__')
        for file in self._named_files(tree, path.parent):
            self.files[file.relative_to(self.root).as_posix()] = _digest(file.read_bytes())
        dynamic = [found for text in syntax.dynamic_imports(tree) for found in self._modules(text)]
        return [*syntax.imported(summary.imports, module, path.stem == '__init__'), *dynamic]

    def _named_files(self, tree: ast.Module, folder: Path) -> Iterator[Path]:
        """Yields the files that a source names, relative to its own folder or to the repository."""
        for text in syntax.paths(tree):
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


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Stops the garbage collector, which would search all of JAX again and again while files are parsed."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
