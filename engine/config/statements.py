"""Gin's statements as data: each binding with its value and its place.

Gin's own parser reads the text. Its delegate here only records references and macros, so that nothing is
imported or built, and every statement can be checked before Gin reads it again.
"""

import io
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gin.config_parser
from gin.config_parser import BindingStatement, ImportStatement, IncludeStatement

from engine.config import messages
from engine.errors import UserError

Key = tuple[str, Any, str]


@dataclass(frozen=True)
class Location:
    """The place of a statement.

    Attributes:
      file: the path, or the command-line binding itself.
      line: counted from 1; 0 for the command line.
      included: whether another file includes this file. False if the user named it.
    """

    file: str
    line: int
    included: bool = False

    def __str__(self) -> str:
        return f'{self.file}:{self.line}' if self.line else self.file


@dataclass(frozen=True)
class Reference:
    """The value `@scope/module.name`, or `@scope/module.name()` which calls it.

    Attributes:
      text: scope and name, as written.
      evaluate: whether the name is called.
      target: the class or function; None until the name is resolved.
    """

    text: str
    evaluate: bool
    target: Any = None

    @property
    def scope(self) -> str:
        """The part before the last slash."""
        return self.text.rpartition('/')[0]

    @property
    def selector(self) -> str:
        """The part after the last slash."""
        return self.text.rpartition('/')[2]

    def __str__(self) -> str:
        return f'@{self.text}' + '()' * self.evaluate


@dataclass(frozen=True)
class Macro:
    """The value `%NAME`."""

    name: str

    def __str__(self) -> str:
        return f'%{self.name}'


@dataclass(frozen=True)
class Binding:
    """One statement: `scope/selector.parameter = value`, or `NAME = value`, which defines a macro.

    Attributes:
      scope: the part before the last slash, '' if there is none.
      selector: the class or function as written, or the name of the macro.
      parameter: the parameter of the class or function; '' for a macro.
      target: the class or function; None for a macro.
      value: the value, with `Reference` and `Macro` in it.
      location: where the statement is written.
      parent: the binding of a base class from which the target inherits this one; None for its own.
    """

    scope: str
    selector: str
    parameter: str
    target: Any
    value: Any
    location: Location
    parent: 'Binding | None' = None

    @property
    def key(self) -> Key:
        """The identity of the bound parameter or macro. Of two bindings with one key the later wins."""
        return (self.scope, self.target, self.parameter) if self.target else ('', None, str(self))

    @property
    def owner(self) -> str:
        """The class or function as written, with its scope; the name of a macro."""
        return f'{self.scope}/{self.selector}' if self.scope else self.selector

    def __str__(self) -> str:
        return self.owner + (f'.{self.parameter}' if self.parameter else '')


class _Recorder(gin.config_parser.ParserDelegate):
    """Keeps references and macros as they are written."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Any:
        return Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> Any:
        return Macro(macro_name)


def parse(text: str, name: str) -> Iterator[Any]:
    """Yields Gin's statements.

    Args:
      text: of a config.
      name: of its file, for messages.

    Raises:
      UserError: a statement has a syntax error. The message names file and line.
    """
    file = io.StringIO(text)
    file.name = name  # type: ignore[attr-defined]  # Gin takes the name of the file from here
    try:
        yield from gin.config_parser.ConfigParser(file, _Recorder())
    except (SyntaxError, tokenize.TokenError) as error:
        raise UserError(messages.syntax_error(error, text, name)) from None
    except RecursionError:
        raise UserError(f'{name}:1: a value is nested too deeply to be read.') from None


@dataclass
class Outline:
    """What a config says, read without importing anything.

    Attributes:
      modules: what it imports.
      calls: classes and functions that it binds or refers to, by whole names, each with parameters and their
        values. A parameter may be bound several times, in several scopes.
      macros: the values of its macros, by name.
      includes: the files that it includes.
    """

    modules: list[str] = field(default_factory=list)
    calls: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    macros: list[tuple[str, Any]] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)


def outline(text: str, name: str) -> Outline:
    r"""Returns what a config imports, binds and refers to.

    >>> outline('import optax as o\no.adamw.b1 = 0.9', 'config.gin').calls
    {'optax.adamw': [('b1', 0.9)]}

    Args:
      text: of a config.
      name: of its file, for messages.

    Raises:
      UserError: a statement has a syntax error.
    """
    known, names = Outline(), dict[str, str]()
    statements = list(parse(text, name))
    for statement in statements:
        if isinstance(statement, IncludeStatement):
            known.includes.append(statement.filename)
        elif isinstance(statement, ImportStatement):
            known.modules.append(statement.module)
            names[statement.bound_name()] = _named_module(statement)
    for statement in statements:
        if isinstance(statement, BindingStatement):
            _add_binding(known, statement, names)
    return known


def _named_module(statement: ImportStatement) -> str:
    """Returns the module that the name of an import means: `import a.b` gives a name to `a` alone."""
    return statement.module if statement.is_from or statement.alias else statement.bound_name()


def _add_binding(known: Outline, statement: BindingStatement, names: Mapping[str, str]) -> None:
    """Adds a binding, and what its value refers to, to an outline."""

    def called(selector: str) -> list[tuple[str, Any]]:
        first, dot, rest = selector.partition('.')
        return known.calls.setdefault(names.get(first, first) + dot + rest, [])

    for leaf in leaves(statement.value):
        if isinstance(leaf, Reference):
            called(leaf.selector)
    if statement.arg_name:
        called(statement.selector).append((statement.arg_name, statement.value))
    else:
        known.macros.append((statement.selector, statement.value))


def transform(value: Any, function: Callable[[Any], Any]) -> Any:
    """Applies a function to the leaves of nested lists, tuples and dicts."""
    if isinstance(value, list | tuple):
        return type(value)(transform(item, function) for item in value)
    if isinstance(value, dict):
        return {transform(key, function): transform(item, function) for key, item in value.items()}
    return function(value)


def leaves(value: Any) -> list[Any]:
    """Returns the leaves of nested lists, tuples and dicts."""
    items: list[Any] = []
    transform(value, items.append)
    return items


def referenced(bindings: Iterable[Binding]) -> list[Any]:
    """Returns the classes and functions to which the values of bindings refer."""
    values = (leaf for binding in bindings for leaf in leaves(binding.value))
    return [leaf.target for leaf in values if isinstance(leaf, Reference)]


def written(value: Any) -> str:
    """Returns a value as a config writes it.

    >>> written((1, Macro('STEPS'), [Reference('optax.adamw', evaluate=False)]))
    '(1, %STEPS, [@optax.adamw])'
    """
    if isinstance(value, list | tuple):
        items = ', '.join(written(item) for item in value)
        return f'[{items}]' if isinstance(value, list) else f'({items}{"," * (len(value) == 1)})'
    if isinstance(value, dict):
        return '{' + ', '.join(f'{written(key)}: {written(item)}' for key, item in value.items()) + '}'
    return str(value) if isinstance(value, Reference | Macro) else repr(value)
