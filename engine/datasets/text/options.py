"""The name of a text as a dataset: `text:<file>?length=256&vocabulary=characters`.

length        tokens of a window that are predicted, 256 by default; the context of a model
vocabulary    characters (by default), bytes or bpe
size          tokens of a vocabulary of kind bpe, at most; 4,096 by default
"""

from dataclasses import dataclass, fields

from engine.errors import UserError, did_you_mean

BYTES, CHARACTERS, BPE = KINDS = ('bytes', 'characters', 'bpe')  # of vocabularies
MIN_LENGTH = 2
BPE_SIZE = 4096


@dataclass(frozen=True)
class TextOptions:
    """How a text becomes examples.

    Attributes:
      length: tokens of a window that are predicted.
      vocabulary: kind of the vocabulary.
      size: number of tokens of BPE at most; 0 for the other kinds.
    """

    length: int = 256
    vocabulary: str = CHARACTERS
    size: int = 0


def split(name: str) -> tuple[str, str]:
    """Returns the path and the options in the name of a text, without `text:`.

    >>> split('~/what?.txt?length=64')
    ('~/what?.txt', 'length=64')

    Raises:
      UserError: it names no file.
    """
    path, mark, options = name.rpartition('?')
    if not (path if mark else name):
        raise UserError(f'text:{name} names no file. Write text:<file>, such as text:~/shakespeare.txt.')
    return (path, options) if mark else (name, '')


def parse(text: str) -> TextOptions:
    """Returns the options that a name states.

    >>> parse('vocabulary=bpe&length=64')
    TextOptions(length=64, vocabulary='bpe', size=4096)

    Raises:
      UserError: an option or its value is unknown or out of range.
    """
    values: dict[str, str] = {}
    for part in filter(None, text.split('&')):
        name, _, value = part.partition('=')
        if name not in (known := [field.name for field in fields(TextOptions)]):
            raise UserError(f'text: there is no option {name!r}. {did_you_mean(name, known)}')
        if name in values:
            raise UserError(f'text: the option {name} occurs twice. Remove one of them.')
        values[name] = value
    kind = values.get('vocabulary', CHARACTERS)
    if kind not in KINDS:
        raise UserError(f'text: there is no vocabulary {kind!r}. {did_you_mean(kind, KINDS)}')
    if 'size' in values and kind != BPE:
        raise UserError(f'text: size is that of vocabulary=bpe. A vocabulary of {kind} has its own size.')
    size = _number('size', values, BPE_SIZE, 1) if kind == BPE else 0
    return TextOptions(_number('length', values, TextOptions.length, MIN_LENGTH), kind, size)


def _number(name: str, values: dict[str, str], default: int, least: int) -> int:
    value = values.get(name, str(default))
    if not (value.isascii() and value.isdecimal()) or int(value) < least:
        raise UserError(f'text: {name}={value}: it must be a whole number of at least {least}.')
    return int(value)
