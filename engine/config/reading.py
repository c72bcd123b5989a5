"""Reads config files with their includes, the bindings of the command line, and Gin's operative config."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gin.config_parser import BindingStatement, ImportStatement, IncludeStatement

from engine.config import source_text
from engine.config.messages import COMMAND_LINE
from engine.config.names import DYNAMIC_REGISTRATION, ImportedNames, resolved
from engine.config.statements import Binding, Location, parse
from engine.errors import UserError, did_you_mean, nearest
from engine.workspace import REPOSITORY


@dataclass(frozen=True)
class GinText:
    """One file, or all bindings of the command line.

    Attributes:
      name: of the file, for messages; `COMMAND_LINE` for the command line.
      text: for Gin to parse. Includes are blanked; on the command line the imports come first.
      imports: the import statements, in order, as text.
      bindings: the bindings, in order.
    """

    name: str
    text: str
    imports: tuple[str, ...]
    bindings: tuple[Binding, ...]


# Files.


class ConfigFiles:
    """Config files and what they include. A file counts once, at its first place.

    Attributes:
      texts: the files that have been read, in the order in which their bindings win.
      notes: on files that the user names though they have been read already.
    """

    def __init__(self) -> None:
        self.texts: list[GinText] = []
        self.notes: list[str] = []
        self._first_places: dict[tuple[int, int], str] = {}

    def add(self, path: Path) -> None:
        """Reads a file that the user names, after the files that it includes.

        Raises:
          UserError: a statement is wrong. The message names file and line.
        """
        if not self.read(path, '--gin_file'):
            first = self._first_places[_identity(path)]
            self.notes.append(f'--gin_file={_display(path)} counts at its first place, {first}.')

    def read(self, path: Path, place: str, including: tuple[Path, ...] = ()) -> bool:
        """Reads a file unless it has been read; returns whether it was new.

        Args:
          path: of an existing file. Links and other paths to it are the same file.
          place: of the statement or flag that names the file.
          including: the files that include it, outermost first.
        """
        if _identity(path) in map(_identity, including):
            chain = ' -> '.join(map(_display, (*including, path)))
            raise UserError(f'{place}: {_display(path)} includes itself: {chain}. Remove this line.')
        if _identity(path) in self._first_places:
            return False
        self._first_places[_identity(path)] = place
        self.texts.append(_FileReader(path, including, self).read())
        return True


def read_files(paths: Sequence[Path]) -> ConfigFiles:
    """Reads files, each after the files that it includes.

    Args:
      paths: of existing files. The bindings of later ones win.

    Raises:
      UserError: a statement is wrong. The message names file and line.
    """
    files = ConfigFiles()
    for path in paths:
        files.add(path)
    return files


def _identity(path: Path) -> tuple[int, int]:
    """Returns the same for every path to a file, through whatever links."""
    status = path.stat()
    return status.st_dev, status.st_ino


class _FileReader:
    """Reads one file, statement by statement."""

    def __init__(self, path: Path, including: tuple[Path, ...], files: ConfigFiles):
        self.path = path
        self.name = _display(path)
        self.text = source_text.read(path, self.name)
        self.including = including
        self.files = files
        self.names = ImportedNames()
        self.imports: list[str] = []
        self.bindings: list[Binding] = []
        self.first_line = 0  # of what is not an include

    def read(self) -> GinText:
        for statement in parse(self.text, self.name):
            self._add(statement, Location(self.name, statement.location.line_num, bool(self.including)))
        if self.bindings and DYNAMIC_REGISTRATION not in self.imports:
            raise UserError(
                f'{self.name}:1: add the line `{DYNAMIC_REGISTRATION}` at its top, below includes.'
            )
        _refuse_duplicates(self.bindings)
        return GinText(self.name, self._without_includes(), tuple(self.imports), tuple(self.bindings))

    def _add(self, statement: Any, location: Location) -> None:
        if isinstance(statement, IncludeStatement):
            self._include(statement.filename, location)
            return
        self.first_line = self.first_line or location.line
        if isinstance(statement, ImportStatement):
            self.names.add(statement, location)
            self.imports.append(statement.format())
        elif isinstance(statement, BindingStatement):
            self.bindings.append(resolved(statement, self.names, location))
        else:  # the heading of a block, such as `trainer.Trainer:`
            self.names.resolve(statement.selector, location)

    def _include(self, file: str, location: Location) -> None:
        if self.first_line:
            raise UserError(f'{location}: includes come first in a file: move this line to the top.')
        target = find_file(self.path.parent / file, f'{location}: include {file!r}')
        self.files.read(target, str(location), (*self.including, self.path))

    def _without_includes(self) -> str:
        """Returns the text for Gin: includes, which come first, are blanked; lines keep their numbers."""
        if not self.first_line:
            return ''
        lines = self.text.split('\n')[self.first_line - 1 :]
        return '\n' * (self.first_line - 1) + '\n'.join(lines)


def _refuse_duplicates(bindings: Sequence[Binding]) -> None:
    firsts: dict[Any, Binding] = {}
    for binding in bindings:
        first = firsts.setdefault(binding.key, binding)
        if first is not binding:
            raise UserError(
                f'{binding.location}: {binding} is bound twice, first at {first.location}: '
                'remove one of the two.'
            )


def find_file(path: Path, context: str) -> Path:
    """Returns `path` if it is a file.

    Raises:
      UserError: it is not. The message begins with `context` and suggests the nearest config.
    """
    if path.is_file():
        return path
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f'{context}: there is no folder {_display(folder)}.')
    siblings = [sibling.name for sibling in folder.glob('*.gin')]
    elsewhere = [_display(config) for config in (REPOSITORY / 'configs').rglob('*.gin')]
    candidates = siblings if nearest(path.name, siblings) else [*siblings, *elsewhere]
    raise UserError(f'{context}: no such file. {did_you_mean(path.name, candidates)}')


def _display(path: Path) -> str:
    """Returns a path relative to the working directory, if it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


# The command line.


def read_command_line(bindings: Sequence[str], texts: Sequence[GinText]) -> list[GinText]:
    """Reads the bindings of the command line.

    Args:
      bindings: statements of Gin. They may name what the files import, and all that Python can import.
      texts: the files.

    Returns:
      One text, or an empty list without bindings.

    Raises:
      UserError: a statement is wrong.
    """
    if not bindings:
        return []
    names = ImportedNames(import_missing=True)
    imports = [line for text in texts for line in text.imports]
    for line in dict.fromkeys(imports):
        for statement in parse(line, COMMAND_LINE):
            names.add(statement, Location(COMMAND_LINE, line=0))
    resolved_bindings = [binding for text in bindings for binding in _read_bindings(text, names)]
    _refuse_duplicates(resolved_bindings)
    lines = dict.fromkeys([DYNAMIC_REGISTRATION, *imports, *names.added_imports])
    return [GinText(COMMAND_LINE, '\n'.join([*lines, *bindings, '']), (), tuple(resolved_bindings))]


def _read_bindings(text: str, names: ImportedNames) -> list[Binding]:
    """Reads one `--gin_bindings`, which may hold several lines."""
    location = Location(f'{COMMAND_LINE} {text!r}', line=0)
    bindings = []
    for statement in parse(text, COMMAND_LINE):
        if not isinstance(statement, BindingStatement):
            raise UserError(
                f'{COMMAND_LINE}: {text!r}: not a binding. Write one, as {COMMAND_LINE}="STEPS = 100".'
            )
        bindings.append(resolved(statement, names, location))
    return bindings


# Gin's operative config.


def read_operative(text: str) -> list[Binding]:
    """Returns the bindings of Gin's operative config, which has neither includes nor blocks."""
    names, bindings = ImportedNames(), []
    for statement in parse(text, 'config.gin'):
        location = Location('config.gin', statement.location.line_num)
        if isinstance(statement, ImportStatement):
            names.add(statement, location)
        else:
            bindings.append(resolved(statement, names, location))
    return bindings
