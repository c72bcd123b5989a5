"""Gin, made safe: reads configs, checks every statement, builds the root, explains and saves what was used.

Each file is read twice: first by Gin's parser alone, so that every statement is known with file and line and
can be checked; then by Gin itself. What was used in the end stands in Gin's operative config.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import gin.config

from engine import errors
from engine.config import failures, inheritance
from engine.config.bindings import Bindings
from engine.config.reading import GinText, find_file, read_command_line, read_files, read_operative
from engine.config.statements import Binding, written
from engine.config.unused import unused
from engine.errors import UserError
from engine.files import write_text

Root = TypeVar('Root')
_LINE_LENGTH = 110
_MAX_EXPLAINED_WIDTH = 72  # longer bindings push their location to the right
# Gin's heading of a function whose caller gives every argument, such as a loss. Nothing follows it.
_GIN_LINE = re.compile(r'\n  In bindings string line (\d+)')
_EMPTY_SECTION = re.compile(r'# Parameters for .*:\n# =+\n(?:# None\.\n\n?|\n|\Z)')


class Config:
    """Gin configs and command-line bindings, read and checked.

    >>> from engine.training.trainer import Trainer
    >>> from engine.workspace import REPOSITORY
    >>> config = Config([REPOSITORY / 'configs/digits_mlp.gin'], ['STEPS = 100'])
    >>> config.build(Trainer).steps
    100

    Args:
      files: paths of `.gin` files. Later ones win.
      bindings: statements of Gin, such as 'STEPS = 100'. They win over files.

    Raises:
      UserError: a statement cannot be read, or a name, macro or value is unknown, missing, bound twice or of
        the wrong type. The message names file and line.
    """

    _in_use: ClassVar['Config | None'] = None  # the config that Gin has read last

    def __init__(self, files: Sequence[str | Path], bindings: Sequence[str] = ()):
        read = read_files([find_file(Path(file), f'--gin_file={file}') for file in files])
        self._notes, self._texts = read.notes, read.texts
        self._texts += read_command_line(bindings, self._texts)
        self._bindings = Bindings([binding for text in self._texts for binding in text.bindings])
        self._bindings.check()
        self._load()

    def use(self) -> None:
        """Makes Gin use this config, if it has read another one since.

        Gin has one config at a time. What a config builds, such as a task, asks Gin again when it is called:
        for the width of a model that it makes, say.
        """
        if Config._in_use is not self:
            self._load()

    def _load(self) -> None:
        Config._in_use = None
        gin.clear_config()
        for text in self._texts:
            _parse(text)
        _inherit(self._bindings)
        gin.finalize()
        Config._in_use = self

    def build(self, root: type[Root]) -> Root:
        """Builds the root class and everything that Gin injects into it.

        Raises:
          UserError: the configs bind nothing of `root`, or something cannot be built from their values.
        """
        with self.explained():
            if any(binding.target is root for binding in self._bindings.all):
                return gin.get_configurable(root)()
        try:
            return root()
        except TypeError:
            name = f'{root.__module__.rpartition(".")[2]}.{root.__name__}'
            raise UserError(f'these configs bind no parameter of {name}: add a config that does.') from None

    def explained(self) -> AbstractContextManager[None]:
        """Turns errors inside into a `UserError` that names the statement or the line of own code."""
        return failures.explained(self._bindings)

    def check(self) -> list[str]:
        """Looks for bindings that nothing used. Call it when everything is built.

        Returns:
          Notes on files that are named twice, and on bindings that may well be unused: an included file holds
          them, or only what a later file or the command line replaced would have used them.

        Raises:
          UserError: any other binding is unused.
        """
        notes, mistakes = unused(self._bindings, read_operative(self.text()))
        if mistakes:
            raise UserError('\n'.join(mistakes))
        return [*self._notes, *notes]

    def text(self) -> str:
        """Returns the operative config: every parameter of everything that was built, defaults too.

        A default value of a class is left out where a class that derives from it would inherit it.
        """
        text = gin.operative_config_str(max_line_length=_LINE_LENGTH)
        operative = read_operative(text)
        defaults = [binding for binding in operative if not self._bindings.source(binding)]
        lines = [binding.location.line for binding in inheritance.heritable(defaults, operative)]
        return _EMPTY_SECTION.sub('', _without(lines, text))

    def origins(self) -> dict[str, tuple[str, str]]:
        """Returns each value of the operative config as Gin writes it, and the file and line that set it."""
        return {
            str(binding): (written(binding.value), _origin(self._bindings.source(binding)))
            for binding in read_operative(self.text())
        }

    def explain(self) -> str:
        """Returns the operative config, with the file and line from which each value comes."""
        rows = [(f'{name} = {value}', origin) for name, (value, origin) in self.origins().items()]
        width = min(_MAX_EXPLAINED_WIDTH, max((len(line) for line, _ in rows), default=0))
        return '\n'.join(f'{line:{width}}  # {origin}' for line, origin in rows)

    def values(self, parameter: str) -> dict[str, Any]:
        """Returns the values of a parameter in all that was built, by the names to bind.

        The names are as the config writes them. Where a macro gives the value, it is the name to bind.
        """
        values = {}
        for used in read_operative(self.text()):
            if used.parameter == parameter:
                owner = replace(used, selector=self._bindings.mention(used.target)[0])
                origin = self._bindings.origin(owner)
                values[str(origin)] = origin.value
        return values

    def save(self, path: Path) -> None:
        """Writes the operative config, and makes Gin use the file's content from here on.

        Raises:
          RuntimeError: the written config does not parse back to itself.
        """
        text = self.text()
        gin.clear_config()
        gin.parse_config(text)
        if _statements(gin.config_str(max_line_length=_LINE_LENGTH)) != _statements(text):
            raise RuntimeError('The operative config does not parse back to itself.')
        _inherit(Bindings(read_operative(text)))
        gin.finalize()
        write_text(path, text)


def _parse(text: GinText) -> None:
    """Lets Gin read a text.

    Raises:
      UserError: Gin cannot wrap a class or function, or refuses a statement for another reason.
    """
    try:
        gin.parse_config(text.text)
    except Exception as error:
        line = _GIN_LINE.search(str(error))
        place = f'{text.name}:{line[1]}: ' if line else f'{text.name}: '
        raise UserError(f'{place}Gin refuses this: {errors.reason(error)}.') from error


def _inherit(bindings: Bindings) -> None:
    """Gives Gin the bindings that classes inherit, with the values that Gin has read."""
    for (scope, target, parameter), binding in bindings.inherited.items():
        assert binding.parent
        with gin.config_scope(scope or None):
            values = gin.get_bindings(binding.parent.target, resolve_references=False, inherit_scopes=False)
        selector = gin.config._INVERSE_REGISTRY[target].selector  # no public function gives it
        gin.bind_parameter((scope, selector, parameter), values[parameter])


def _origin(source: Binding | None) -> str:
    """Returns where a value of the operative config comes from."""
    if not source:
        return 'default'
    parent = source.parent
    return f'{source.location}' + (f' (inherited from {parent.owner})' if parent else '')


def _without(numbers: Sequence[int], text: str) -> str:
    """Returns a config without the statements on some lines; indented lines continue a statement."""
    kept, is_left_out = [], False
    for number, line in enumerate(text.split('\n'), 1):
        is_left_out = number in numbers or (is_left_out and line.startswith(' '))
        kept += [] if is_left_out else [line]
    return '\n'.join(kept)


def _statements(text: str) -> list[str]:
    """Returns the lines of a config without comments. Gin's comments also list what has no parameters."""
    return [line for line in text.split('\n') if line and not line.startswith('#')]
