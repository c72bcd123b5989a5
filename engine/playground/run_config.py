"""The config of a run as values by name, read from its text."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import did_you_mean
from engine.run_reader import statements


class RunConfig(Mapping[str, Any]):
    r"""The config of a run: values by the names in its config.gin. Printed, it is the file.

    A parameter can be shortened to its end if no other one has the same. Macros are replaced by values.

    >>> config = RunConfig('STEPS = 100\ntrainer.Trainer.steps = %STEPS\nmlp.MLP.norm = @nnx.LayerNorm')
    >>> config['STEPS'], config['trainer.Trainer.steps'], config['norm']
    (100, 100, '@nnx.LayerNorm')

    Args:
      text: of the file.
    """

    def __init__(self, text: str):
        self._text, written = text, statements.read(text)
        _, macros = statements.split(written)
        self._values = {name: _value(statements.replaced(value, macros)) for name, value in written.items()}

    def __getitem__(self, name: str) -> Any:
        names = [full for full in self._values if full == name] or [
            full for full in self._values if full.endswith(f'.{name}')
        ]
        if len(names) == 1:
            return self._values[names[0]]
        if names:
            raise KeyError(f'{name} may be any of {", ".join(names)}')
        known = {*self._values, *(full.rpartition('.')[2] for full in self._values)}
        raise KeyError(f'config.gin has no {name}. {did_you_mean(name, known)}')

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return self._text


def _value(text: str) -> Any:
    """Returns a literal as a value of Python; a reference, such as '@optax.adamw', as it is written."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
