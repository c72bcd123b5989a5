"""Bindings after the flags, as `SEED=3`, and the right form of what a user wrote in another way.

This module and its imports need the standard library alone, so config files are searched as text.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.config.messages import split_statements
from engine.errors import UserError, nearest

_BINDING = re.compile(r'(?P<name>[A-Za-z_][\w./]*)\s*=(?!=)\s*(?P<value>\S.*)', re.DOTALL)
# Other forms: `--NAME=value`, `+NAME=value`, `--gin.NAME=value`, `NAME:value`, `NAME==value`, `NAME`.
_OTHER = re.compile(
    r'[-+~@%]*(?:gin\.)?(?P<name>[A-Za-z_][\w./-]*?)\s*(?:[:+]=|=+|:|$)\s*(?P<value>.*)', re.DOTALL
)
_WORD = re.compile(r'[A-Za-z_][\w./:-]*')
_INCLUDE = re.compile(r'^include\s+[\'"](.+?)[\'"]', re.MULTILINE)
_MACRO = re.compile(r'^([A-Za-z_]\w*)\s*=', re.MULTILINE)
_BLOCK = re.compile(r'^([\w./]+):[ \t]*(?:#.*)?\n((?:(?:[ \t]+.*|[ \t]*#.*|)\n)*)', re.MULTILINE)
_PARAMETER = re.compile(r'^[ \t]+(\w+)\s*=', re.MULTILINE)
_CONSTANTS = {'true': 'True', 'false': 'False', 'none': 'None', 'null': 'None'}


def read(rest: Sequence[str], known: Sequence[str], program: str, files: Sequence[str]) -> list[str]:
    """Returns the bindings among the arguments that no flag takes.

    Args:
      rest: these arguments, in order.
      known: the other arguments, for the corrected command.
      program: as users call it, for the corrected command.
      files: the configs, whose names are suggested.

    Raises:
      UserError: an argument is not a binding. The message holds the whole command with bindings instead.
    """
    names = _Names(files)
    if all(_is_binding(argument, names) for argument in rest):
        return list(rest)
    wrong = ' '.join(argument for argument in rest if not _is_binding(argument, names))
    corrected = list(_corrected(rest, names))
    if '' in corrected:
        raise UserError(f'{wrong!r} is neither a flag nor a binding, such as SEED=1. See {program} --help.')
    flags = [argument for argument in corrected if argument.startswith('--')]
    bindings = [argument for argument in corrected if not argument.startswith('--')]
    command = f'{program} {shlex.join([*known, *flags, *bindings])}'
    raise UserError(f'{wrong!r} is neither a flag nor a binding that works. Write: {command}')


def _is_binding(argument: str, names: '_Names') -> bool:
    """Whether an argument is a binding as far as the text tells; Gin decides the rest."""
    form = _BINDING.fullmatch(argument)
    if not form or split_statements(argument) != [argument]:
        return False
    return names.known(form['name']) == form['name'] and _literal(form['value']) == form['value']


def _corrected(rest: Sequence[str], names: '_Names') -> Iterator[str]:
    """Yields what to write instead of the arguments; '' for one that nobody can read."""
    waiting = [part for argument in rest for part in split_statements(argument)]
    while waiting:
        argument = waiting.pop(0)
        form = _OTHER.fullmatch(argument)
        value = form['value'] if form else ''
        config = _config(value or argument)
        while form and not config and not value and waiting:
            value = waiting.pop(0).lstrip('=:')
            config = _config(value)
        if config:
            yield f'--gin_file={config}'
        else:
            yield f'{names.known(form["name"])}={_literal(value)}' if form and value else ''


def _config(argument: str) -> str:
    """Returns the config that an argument names, with or without its folder and ending; '' if none."""
    candidates = (argument, f'configs/{argument}', f'configs/{argument}.gin')
    return next((path for path in candidates if path.endswith('.gin') and Path(path).is_file()), '')


def _literal(value: str) -> str:
    """Returns a value as Gin reads it: a word becomes a string."""
    if value.lower() in _CONSTANTS:
        return _CONSTANTS[value.lower()]
    return f'"{value}"' if _WORD.fullmatch(value) else value


class _Names:
    """The macros and parameters that configs bind, as far as their text tells.

    Args:
      files: paths of the configs.
    """

    def __init__(self, files: Sequence[str]):
        self._macros: set[str] = set()
        self._parameters: dict[str, str] = {}
        waiting, seen = [Path(file) for file in files], set[Path]()
        while waiting:
            path = waiting.pop(0)
            if path not in seen and path.is_file():
                seen.add(path)
                text = path.read_text(encoding='utf-8', errors='replace')
                waiting += [path.parent / include for include in _INCLUDE.findall(text)]
                self._add(text)

    def _add(self, text: str) -> None:
        self._macros |= set(_MACRO.findall(text))
        for owner, block in _BLOCK.findall(text):
            for parameter in _PARAMETER.findall(block):
                self._parameters.setdefault(parameter, f'{owner}.{parameter}')

    def known(self, name: str) -> str:
        """Returns the macro or parameter that a name means; the name itself if that is unknown."""
        if '.' in name or '/' in name or name in self._macros:
            return name
        for names in ({macro: macro for macro in self._macros}, self._parameters):
            if close := nearest(name.replace('-', '_'), names, 1, cutoff=0.85):
                return names[close[0]]
        return self._parameters.get(name.replace('-', '_'), name)
