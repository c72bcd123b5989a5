"""Reads config files with their includes, the bindings of the command line, and Gin's operative config."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gin.config_parser import BindingStatement, ImportStatement, IncludeStatement

from engine.config.messages import COMMAND_LINE
from engine.config.names import ImportedNames, resolved
from engine.config.statements import Binding, Location, parse
from engine.errors import UserError, did_you_mean, nearest
from engine.workspace import REPOSITORY

DYNAMIC_REGISTRATION = 'from __gin__ import dynamic_registration'


@dataclass(frozen=True)
class GinText:
    """One file, or all bindings of the command line.

    Attributes:
      text: for Gin to parse. Includes are blanked; on the command line the imports come first.
      imports: the import statements, in order, as text.
      bindings: the bindings, in order.
    """

    text: str
    imports: tuple[str, ...]
    bindings: tuple[Binding, ...]


# Files.


def read_file(path: Path, included: bool = False, including: tuple[Path, ...] = ()) -> list[GinText]:
    """Reads a file and the files that it includes.

    Args:
      path: of an existing file.
      included: whether another file includes it.
      including: the files that include it, outermost first.

    Returns:
      The included files, then the file itself.

    Raises:
      UserError: a statement is wrong. The message names file and line.
    """
    return _FileReader(path, included, including).read()


class _FileReader:
    """Reads one file, statement by statement."""

    def __init__(self, path: Path, included: bool, including: tuple[Path, ...]):
        self.path = path
        self.name = _display(path)
        self.text = path.read_text(encoding='utf-8')
        self.is_included = included
        self.including = including
        self.lines = self.text.splitlines(keepends=True)
        self.names = ImportedNames()
        self.imports: list[str] = []
        self.bindings: list[Binding] = []
        self.included_texts: list[GinText] = []

    def read(self) -> list[GinText]:
        for statement in parse(self.text, self.name):
            self._add(statement, Location(self.name, statement.location.line_num, self.is_included))
        if self.bindings and DYNAMIC_REGISTRATION not in self.imports:
            raise UserError(f'{self.name}: add the line `{DYNAMIC_REGISTRATION}` at its top, below includes.')
        _refuse_duplicates(self.bindings)
        text = GinText(''.join(self.lines), tuple(self.imports), tuple(self.bindings))
        return [*self.included_texts, text]

    def _add(self, statement: Any, location: Location) -> None:
        if isinstance(statement, IncludeStatement):
            self._include(statement.filename, location)
        elif isinstance(statement, ImportStatement):
            self.names.add(statement, location)
            self.imports.append(statement.format())
        elif isinstance(statement, BindingStatement):
            self.bindings.append(resolved(statement, self.names, location))
        else:  # the heading of a block, such as `trainer.Trainer:`
            self.names.resolve(statement.selector, location)

    def _include(self, file: str, location: Location) -> None:
        if self.bindings or self.imports:
            raise UserError(f'{location}: includes come first in a file: move this line to the top.')
        target = find_file(self.path.parent / file, f'{location}: include {file!r}')
        including = (*self.including, self.path.resolve())
        if target.resolve() in including:
            raise UserError(f'{location}: {file} includes itself: remove this line.')
        self.included_texts += read_file(target, True, including)
        self.lines[location.line - 1] = '\n'


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
    return [GinText('\n'.join([*lines, *bindings, '']), (), tuple(resolved_bindings))]


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
