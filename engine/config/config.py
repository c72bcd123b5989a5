"""Gin, made safe: reads configs, checks every statement, builds the root, explains and saves what was used.

The one module that touches Gin, and only by its public parts. Each file is read twice: first by Gin's parser
with a delegate that merely records, so that every statement is known with its file and line and can be
checked; then by Gin itself. What was used in the end is read off Gin's operative config, by the same parser.
"""

import importlib
import importlib.util
import io
import re
import shlex
import tokenize
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gin
import gin.config_parser

from engine.config import types
from engine.errors import UserError, did_you_mean, nearest
from engine.workspace import REPOSITORY

Root = TypeVar('Root')
COMMAND_LINE = '--gin_bindings'
DYNAMIC_REGISTRATION = 'from __gin__ import dynamic_registration'
REQUIRED = 'gin.REQUIRED'


@dataclass(frozen=True)
class Where:
    """The place of a statement.

    Attributes:
      file: path, or the command-line binding itself.
      line: from 1 on; 0 where there is but one.
      included: whether another file includes this one, rather than the user naming it.
    """

    file: str
    line: int
    included: bool = False

    def __str__(self) -> str:
        return f'{self.file}:{self.line}' if self.line else self.file


@dataclass(frozen=True)
class Reference:
    """`@scope/module.name` or, where `evaluate`, `@scope/module.name()`; `target` is what it names."""

    text: str
    evaluate: bool
    target: Any = None

    @property
    def scope(self) -> str:
        """What comes before the last slash."""
        return self.text.rpartition('/')[0]

    def __str__(self) -> str:
        return f'@{self.text}' + '()' * self.evaluate


@dataclass(frozen=True)
class Macro:
    """`%NAME`."""

    name: str

    def __str__(self) -> str:
        return f'%{self.name}'


@dataclass(frozen=True)
class Binding:
    """One statement `scope/selector.parameter = value`, or `NAME = value` where `target` is None: a macro."""

    scope: str
    selector: str
    parameter: str
    target: Any
    value: Any
    where: Where

    @property
    def key(self) -> tuple[str, Any, str]:
        """What it binds: of two bindings with one key, the later wins."""
        return (self.scope, self.target, self.parameter) if self.target else ('', None, str(self))

    def __str__(self) -> str:
        scope = f'{self.scope}/' if self.scope else ''
        return f'{scope}{self.selector}' + (f'.{self.parameter}' if self.parameter else '')


# Reading ----------------------------------------------------------------------------------------------------


class _Recorder(gin.config_parser.ParserDelegate):
    """Keeps references and macros as they are written."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Any:
        return Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> Any:
        return Macro(macro_name)


@dataclass(frozen=True)
class Source:
    """One file, or one command-line binding: its text and the bindings in it, resolved.

    Attributes:
      name: what messages call it.
      text: as Gin may read it: with includes blanked and, on the command line, imports put before it.
      imports: import statements, in order, as text.
      bindings: in order.
    """

    name: str
    text: str
    imports: tuple[str, ...]
    bindings: tuple[Binding, ...]


def _statements(text: str, name: str) -> Iterator[Any]:
    """Yields Gin's statements of `text`; raises `UserError` for bad syntax, with file and line."""
    file = io.StringIO(text)
    file.name = name  # type: ignore[attr-defined]  # Gin takes the name of a file from here
    try:
        yield from gin.config_parser.ConfigParser(file, _Recorder())
    except (SyntaxError, tokenize.TokenError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else error.args[1][0]
        raise UserError(_explain_syntax(error, text, name, line or 1)) from None


def _explain_syntax(error: Exception, text: str, name: str, line: int) -> str:
    lines = text.splitlines() or ['']
    written = lines[min(line, len(lines)) - 1].strip()
    bare = re.match(r'(?P<key>[\w./]+)\s*=\s*(?P<value>[A-Za-z_][\w./-]*)(?P<call>\(\))?\s*(#.*)?$', written)
    if bare:
        value, call = bare['value'], bare['call'] or ''
        word = value.capitalize()
        choices = [word] if word in ('True', 'False', 'None') else []
        choices += [
            f"'{value}' for a string",
            f'@{value}{call} for a class or function',
            f'%{value} for a macro',
        ]
        advice = f'{value}{call} is not a value. Write ' + ', or '.join(choices) + '.'
        written = f"{bare['key']} = '{value}'" if not call else f'{bare["key"]} = @{value}{call}'
    else:
        message = error.msg if isinstance(error, SyntaxError) else str(error.args[0])
        advice = f'this cannot be read: {message.splitlines()[0].rstrip(".")}.'
    if name == COMMAND_LINE:
        return f'{name}: {text.strip()!r}: {advice} In a shell: {COMMAND_LINE}={shlex.quote(written)}'
    return f'{name}:{line}: {lines[min(line, len(lines)) - 1].strip()}\n  {advice}'


def _read_file(path: Path, included: bool, chain: tuple[Path, ...] = ()) -> list[Source]:
    """Returns the sources of a file, those that it includes first."""
    text, name = path.read_text(encoding='utf-8'), _shown(path)
    names, imports, bindings, sources = _Names(), [], [], []
    lines = text.splitlines(keepends=True)
    for statement in _statements(text, name):
        where = Where(name, statement.location.line_num, included)
        if isinstance(statement, gin.config_parser.IncludeStatement):
            if bindings or imports:
                raise UserError(f'{where}: includes come first in a file: move this line to the top.')
            target = _find(path.parent / statement.filename, f'{where}: include {statement.filename!r}')
            if target.resolve() in chain:
                raise UserError(f'{where}: {statement.filename} includes itself: remove this line.')
            sources += _read_file(target, True, (*chain, path.resolve()))
            lines[where.line - 1] = '\n'
        elif isinstance(statement, gin.config_parser.ImportStatement):
            names.add(statement, where)
            imports.append(statement.format())
        elif isinstance(statement, gin.config_parser.BindingStatement):
            bindings.append(_resolved(statement, names, where))
        else:
            names.resolve(statement.selector, where)
    if bindings and DYNAMIC_REGISTRATION not in imports:
        raise UserError(f'{name}: add the line `{DYNAMIC_REGISTRATION}` at its top, below includes.')
    _refuse_duplicates(bindings)
    return [*sources, Source(name, ''.join(lines), tuple(imports), tuple(bindings))]


def _read_command_line(bindings: Sequence[str], sources: Sequence[Source]) -> list[Source]:
    """Returns the source of `--gin_bindings`: its names are what the files import, or anything importable."""
    names, imports = (
        _Names(anything=True),
        list(dict.fromkeys(line for each in sources for line in each.imports)),
    )
    for line in imports:
        for statement in _statements(line, COMMAND_LINE):
            names.add(statement, Where(COMMAND_LINE, line=0))
    resolved = []
    for text in bindings:
        where = Where(f'{COMMAND_LINE} {text!r}', line=0)
        for statement in _statements(text, COMMAND_LINE):
            if not isinstance(statement, gin.config_parser.BindingStatement):
                raise UserError(
                    f'{COMMAND_LINE}: {text!r}: not a binding. Write one, as {COMMAND_LINE}="STEPS = 100".'
                )
            resolved.append(_resolved(statement, names, where))
    _refuse_duplicates(resolved)
    imports = list(dict.fromkeys([DYNAMIC_REGISTRATION, *imports, *names.imported]))
    return (
        [Source(COMMAND_LINE, '\n'.join([*imports, *bindings]) + '\n', (), tuple(resolved))]
        if bindings
        else []
    )


def _refuse_duplicates(bindings: Sequence[Binding]) -> None:
    seen: dict[Any, Binding] = {}
    for binding in bindings:
        first = seen.setdefault(binding.key, binding)
        if first is not binding:
            raise UserError(
                f'{binding.where}: {binding} is bound twice, first at {first.where}: remove one of the two.'
            )


def _shown(path: Path) -> str:
    """Returns the path as a person would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _find(path: Path, asked: str) -> Path:
    if path.is_file():
        return path
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f'{asked}: there is no folder {_shown(folder)}.')
    beside = [each.name for each in folder.glob('*.gin')]
    elsewhere = [_shown(each) for each in (REPOSITORY / 'configs').glob('*.gin')]
    known = beside if nearest(path.name, beside) else [*beside, *elsewhere]
    raise UserError(f'{asked}: no such file. {did_you_mean(path.name, known)}')


# Names ------------------------------------------------------------------------------------------------------


class _Names:
    """What a file imports: resolves `module.name` to the class or function it names.

    With `anything`, names that were not imported are looked for among all that Python can import.
    """

    def __init__(self, anything: bool = False):
        self._modules: dict[str, Any] = {}
        self._anything = anything
        self.imported: list[str] = []

    def add(self, statement: Any, where: Where) -> None:
        """Imports what an import statement says."""
        if not statement.module.startswith('__gin__.'):
            module = _import(statement.module, where)
            self._modules[statement.bound_name()] = (
                module
                if statement.is_from or statement.alias
                else importlib.import_module(statement.bound_name())
            )

    def resolve(self, selector: str, where: Where) -> Any:
        """Returns the class or function that a selector names; raises `UserError` with the nearest name."""
        first, *rest = selector.split('.')
        if first not in self._modules and self._anything:
            self._import_longest_prefix(selector)
        if first not in self._modules:
            raise UserError(f'{where}: {self._explain_unknown(first)}')
        target, path = self._modules[first], first
        for name in rest:
            if not hasattr(target, name):
                known = [each for each in [*dir(target), *_submodules(target)] if not each.startswith('_')]
                raise UserError(f'{where}: {path} has no {name!r}. {did_you_mean(name, known)}')
            target, path = getattr(target, name), f'{path}.{name}'
        if not callable(target):
            raise UserError(
                f'{where}: {selector} is neither a class nor a function: only those can be bound.'
            )
        return target

    def _import_longest_prefix(self, selector: str) -> None:
        parts = selector.split('.')
        for length in range(len(parts) - 1, 0, -1):
            name = '.'.join(parts[:length])
            if _exists(name):
                importlib.import_module(name)
                self._modules[parts[0]] = importlib.import_module(parts[0])
                self.imported.append(f'import {name}')
                return

    def _explain_unknown(self, name: str) -> str:
        homes = [path.relative_to(REPOSITORY) for path in _our_modules() if path.stem == name]
        if homes:
            package = '.'.join(homes[0].parent.parts)
            return f'{name!r} is not imported. Add `from {package} import {name}`.'
        if _exists(name):
            return f'{name!r} is not imported. Add `import {name}`, or import the module itself.'
        modules = {path.stem for path in _our_modules()}
        return (
            f'{name!r} is not imported. {did_you_mean(name, self._modules.keys() | (modules - {"__init__"}))}'
        )


def _submodules(target: Any) -> list[str]:
    """Returns the names of the modules in a package, imported or not; none of anything else."""
    return [path.stem for folder in getattr(target, '__path__', ()) for path in Path(folder).glob('*.py')]


def _our_modules() -> list[Path]:
    return sorted(path for part in ('engine', 'research') for path in (REPOSITORY / part).rglob('*.py'))


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent does not exist, or is no package
        return False


def _import(module: str, where: Where) -> Any:
    parent, _, name = module.rpartition('.')
    if _exists(module):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise UserError(f'{where}: {module} needs {error.name!r}, which is not installed.') from None
    if parent and not _exists(parent):
        raise UserError(f'{where}: there is no module {module!r}: {parent!r} does not exist either.')
    siblings = _submodules(importlib.import_module(parent)) if parent else []
    raise UserError(f'{where}: there is no module {module!r}. {did_you_mean(name, siblings)}')


def _resolved(statement: Any, names: _Names, where: Where) -> Binding:
    """Returns a statement as a binding whose names are known to exist."""
    scope, selector, parameter = statement.scope, statement.selector, statement.arg_name
    target = names.resolve(selector, where) if parameter else None
    value = _map(statement.value, lambda each: _resolved_reference(each, names, where))
    binding = Binding(scope, selector, parameter, target, value, where)
    if target:
        _check_parameter(binding)
    return binding


def _resolved_reference(value: Any, names: _Names, where: Where) -> Any:
    if not isinstance(value, Reference):
        return value
    target = names.resolve(value.text.rpartition('/')[2], where)
    return Reference(value.text, value.evaluate, target)


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Applies `change` to the leaves of nested lists, tuples and dicts."""
    if isinstance(value, list | tuple):
        return type(value)(_map(each, change) for each in value)
    if isinstance(value, dict):
        return {_map(key, change): _map(each, change) for key, each in value.items()}
    return change(value)


def _leaves(value: Any) -> list[Any]:
    leaves: list[Any] = []
    _map(value, leaves.append)
    return leaves


# Checks that need nothing built -----------------------------------------------------------------------------


def _check_parameter(binding: Binding) -> None:
    parameters = types.signature(binding.target).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    known = [name for name, each in parameters.items() if each.kind is not each.VAR_POSITIONAL]
    if binding.parameter not in known:
        hint = did_you_mean(binding.parameter, known)
        raise UserError(f'{binding.where}: {binding.selector} has no parameter {binding.parameter!r}. {hint}')


def _check_type(binding: Binding, macros: dict[str, Binding]) -> None:
    """Raises `UserError` if the value, macros replaced by theirs, does not fit the parameter's annotation."""
    value = _expanded(binding.value, macros)
    wanted = types.of(binding.target, binding.parameter)
    if isinstance(value, Reference):
        check = types.misfit_of_made if value.evaluate else types.misfit_of_factory
        misfit = check(value.target, wanted)
    elif any(isinstance(each, Reference | Macro) for each in _leaves(value)):
        return  # what is inside is known only when it is built
    else:
        misfit = types.misfit(value, wanted)
    if misfit:
        written = value if isinstance(value, Reference) else repr(value)
        by = f' (set at {macros[binding.value.name].where})' if isinstance(binding.value, Macro) else ''
        takes = types.shown(wanted)
        raise UserError(f'{binding.where}: {binding} takes {takes}, not {written}{by}: {misfit}.')


def _expanded(value: Any, macros: dict[str, Binding]) -> Any:
    def expand(leaf: Any) -> Any:
        known = isinstance(leaf, Macro) and leaf.name in macros
        return _expanded(macros[leaf.name].value, macros) if known else leaf

    return _map(value, expand)


# The config -------------------------------------------------------------------------------------------------


class Config:
    """Gin configs and command-line bindings, read and checked.

    Args:
      files: paths of `.gin` files; later ones win.
      bindings: Gin statements; they win over files.

    Raises:
      UserError: for whatever in them is unknown, missing, doubled, of the wrong type or cannot be read.
    """

    def __init__(self, files: Sequence[str | Path], bindings: Sequence[str] = ()):
        sources: list[Source] = []
        for file in files:
            sources += _read_file(_find(Path(file), f'--gin_file={file}'), included=False)
        sources += _read_command_line(bindings, sources)
        self._bindings = [binding for source in sources for binding in source.bindings]
        self._final = {binding.key: binding for binding in self._bindings}
        self._check()
        gin.clear_config()
        for source in sources:
            gin.parse_config(source.text)
        gin.finalize()

    def build(self, root: type[Root]) -> Root:
        """Returns an instance of `root` with all that Gin injects, built."""
        with explained():
            if self._names(root):
                return gin.get_configurable(root)()
        try:
            return root()
        except TypeError:
            name = f'{root.__module__.rpartition(".")[2]}.{root.__name__}'
            raise UserError(f'these configs bind nothing of {name}: give one that does.') from None

    def _names(self, root: type) -> bool:
        return any(binding.target is root for binding in self._bindings)

    def _check(self) -> None:
        macros = self._macros()
        for binding in self._final.values():
            for leaf in _leaves(binding.value):
                if isinstance(leaf, Macro) and leaf.name == REQUIRED:
                    raise UserError(
                        f'{binding.where}: {binding} must be given: write `{binding} = ...` in your config.'
                    )
                if isinstance(leaf, Macro) and leaf.name not in macros:
                    raise UserError(
                        f'{binding.where}: {leaf} is not defined. {did_you_mean(leaf.name, macros)}'
                    )
        for binding in self._final.values():
            if binding.target:
                _check_type(binding, macros)

    def _macros(self) -> dict[str, Binding]:
        return {str(binding): binding for binding in self._final.values() if not binding.target}

    def text(self) -> str:
        """Returns the operative config: every parameter of all that was built, defaults too."""
        return _EMPTY.sub('', gin.operative_config_str(max_line_length=110))

    def save(self, path: Path) -> None:
        """Writes the operative config, and goes on from what was written.

        Raises:
          RuntimeError: if what was written does not parse back to itself.
        """
        text = self.text()
        gin.clear_config()
        gin.parse_config(text)
        gin.finalize()
        if _without_comments(gin.config_str(max_line_length=110)) != _without_comments(text):
            raise RuntimeError('The operative config does not parse back to itself.')
        aside = path.with_suffix('.tmp')
        aside.write_text(text, encoding='utf-8')
        aside.replace(path)

    def explain(self) -> str:
        """Returns the operative config with the file and line that each value came from."""
        lines = []
        for binding in self._operative():
            source = self._source(binding)
            lines.append(
                (f'{binding} = {_written(binding.value)}', str(source.where) if source else 'default')
            )
        width = min(72, max((len(line) for line, _ in lines), default=0))
        return '\n'.join(f'{line:{width}}  # {where}' for line, where in lines)

    def _operative(self) -> tuple[Binding, ...]:
        return _read_operative(self.text())

    def _source(self, used: Binding) -> Binding | None:
        """Returns the binding that an operative one got its value from, None for a default."""
        if not used.target:
            return self._final.get(used.key)
        scopes = used.scope.split('/') if used.scope else []
        keys = (('/'.join(scopes[:n]), used.target, used.parameter) for n in range(len(scopes), -1, -1))
        return next((self._final[key] for key in keys if key in self._final), None)

    def check(self) -> list[str]:
        """Looks for bindings that nothing used; call it when all has been built.

        Returns:
          Notes on bindings that may well be unused: those of included files, and those that only something
          which a later file or the command line replaced would have used.

        Raises:
          UserError: for any other binding that nothing built has used.
        """
        operative = self._operative()
        used = {source.key for source in map(self._source, operative) if source}
        called = {binding.target for binding in operative if binding.target}
        replaced = self._reachable_from_replaced()
        notes, mistakes = [], []
        for binding in self._final.values():
            if binding.key in used:
                continue
            message = f'{binding.where}: {binding} is not used: {self._why_unused(binding, called)}'
            excused = binding.where.included or (binding.target or str(binding)) in replaced
            (notes if excused else mistakes).append(message)
        if mistakes:
            raise UserError('\n'.join(mistakes))
        return notes

    def _why_unused(self, binding: Binding, called: set[Any]) -> str:
        if not binding.target:
            others = [name for name in self._macros() if name != str(binding)]
            return f'no binding that took effect mentions %{binding}. {did_you_mean(str(binding), others)}'
        scopes = {
            leaf.scope
            for each in self._bindings
            for leaf in _leaves(each.value)
            if isinstance(leaf, Reference)
        }
        if binding.scope and binding.scope not in scopes:
            return (
                f'no reference has the scope {binding.scope!r}. {did_you_mean(binding.scope, scopes - {""})}'
            )
        if binding.target in called:
            return f'the code that calls {binding.selector} gives {binding.parameter!r} itself. Remove it.'
        return (
            f'nothing in this config builds {binding.selector}. Remove it, or refer to @{binding.selector}.'
        )

    def _reachable_from_replaced(self) -> set[Any]:
        """Returns the targets and macros that replaced bindings referred to, directly or through others."""
        found: set[Any] = set()
        waiting = [each.value for each in self._bindings if self._final[each.key] is not each]
        while waiting:
            for leaf in _leaves(waiting.pop()):
                name = (
                    leaf.target
                    if isinstance(leaf, Reference)
                    else leaf.name
                    if isinstance(leaf, Macro)
                    else None
                )
                if name is not None and name not in found:
                    found.add(name)
                    waiting += [each.value for each in self._bindings if (each.target or str(each)) == name]
        return found


# Gin's heading of a function whose caller gives it every argument, such as a loss: nothing stands under it.
_EMPTY = re.compile(r'# Parameters for .*:\n# =+\n# None\.\n\n?')


def _read_operative(text: str) -> tuple[Binding, ...]:
    """Returns the bindings of an operative config."""
    names, bindings = _Names(), []
    for statement in _statements(text, 'config.gin'):
        where = Where('config.gin', statement.location.line_num)
        if isinstance(statement, gin.config_parser.ImportStatement):
            names.add(statement, where)
        elif isinstance(statement, gin.config_parser.BindingStatement):
            bindings.append(_resolved(statement, names, where))
    return tuple(bindings)


def _without_comments(text: str) -> list[str]:
    """Returns the lines of a config that say something. Gin's comments also tell what has no parameters."""
    return [line for line in text.splitlines() if line and not line.startswith('#')]


def _values(text: str) -> dict[str, str]:
    """Returns each parameter of an operative config and its value as written, macros replaced by theirs."""
    bindings = _read_operative(text)
    macros = {str(each): each for each in bindings if not each.target}
    return {str(each): _written(_expanded(each.value, macros)) for each in bindings if each.target}


def differences(old: str, new: str) -> dict[str, tuple[str, str]]:
    """Returns the parameters that differ between two operative configs: (old, new), 'none' if missing."""
    before, after = _values(old), _values(new)
    names = before.keys() | after.keys()
    pairs = {name: (before.get(name, 'none'), after.get(name, 'none')) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _written(value: Any) -> str:
    """Returns a value as a config would write it."""
    if isinstance(value, list | tuple):
        inside = ', '.join(_written(each) for each in value)
        return f'[{inside}]' if isinstance(value, list) else f'({inside}{"," * (len(value) == 1)})'
    if isinstance(value, dict):
        return '{' + ', '.join(f'{_written(key)}: {_written(each)}' for key, each in value.items()) + '}'
    return str(value) if isinstance(value, Reference | Macro) else repr(value)


@contextmanager
def explained() -> Iterator[None]:
    """Turns Gin's complaint about a missing value, in whatever is called inside, into a `UserError`."""
    try:
        yield
    except UserError as mistake:
        raise UserError(str(mistake).partition('\n  In call to configurable')[0]) from None
    except (ValueError, ArithmeticError) as error:
        caller = re.search(r"In call to configurable '(\w+)'", str(error))
        if not caller:
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{Path(frame.filename).name}:{frame.lineno}'
        reason = str(error).partition('\n  In call to configurable')[0].strip()
        raise UserError(f'{caller[1]} cannot be built: {reason} (said by {place}).') from None
    except TypeError as error:
        missing = re.search(r'missing \d+ required .*?arguments?: (.+)', str(error))
        caller = re.search(r"In call to configurable '(\w+)' \(<(?:class|function) '?([\w.]+)", str(error))
        if not (missing and caller):
            raise
        names = re.findall(r"'(\w+)'", missing[1])
        lines = ' and '.join(f'`{caller[1]}.{name} = ...`' for name in names)
        raise UserError(
            f'{caller[2]} needs a value for {", ".join(names)}: bind {lines} in your config.'
        ) from None
