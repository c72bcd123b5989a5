"""Names as people read them: shortened so that they stay distinct, and safe beside right-to-left text.

Imports the standard library alone.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

ELLIPSIS = '…'
CONTEXT = 3  # characters shown before the first difference of names that begin alike
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = '\u2068', '\u2069'
_RIGHT_TO_LEFT = {'R', 'AL', 'AN'}
_JOINER = '\u200d'  # joins the character after it to the one before it


def dataset(name: str) -> str:
    """Returns the title of a dataset: the last part of a path, and no prefix.

    >>> dataset('images:/home/ada/photos'), dataset('text:~/hamlet.txt?length=64'), dataset('digits/toy')
    ('photos', 'hamlet.txt', 'digits/toy')
    >>> dataset("First('images:/home/ada/photos', 100)")
    'First(photos, 100)'
    """
    if re.fullmatch(r'\w+\(.*\)', name, re.DOTALL):  # an expression, which quotes its datasets
        return re.sub("'([^']*)'", lambda quoted: dataset(quoted[1]), name)
    prefix, path = re.fullmatch(r'(?:(images|text|tfds):)?(.*)', name, re.DOTALL).groups()  # type: ignore[union-attr]
    path = path.rpartition('?')[0] or path if prefix == 'text' else path  # without its options
    is_path = prefix in ('images', 'text') or path.startswith(('/', './', '../', '~'))
    return path.rstrip('/').rpartition('/')[2] or name if is_path else path


def outputs(kind: str, dataset_name: str, split: str) -> str:
    """Returns the title of outputs.

    >>> outputs('classification', 'images:/home/ada/photos', 'test')
    'Classification of photos, test'
    """
    of = f' of {isolated(dataset(dataset_name))}' if dataset_name else ''
    return ', '.join(filter(None, (f'{kind.replace("_", " ").capitalize()}{of}', split)))


def isolated(text: str) -> str:
    """Returns a text whose right-to-left characters do not reorder what stands beside it."""
    if not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return text
    return f'{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}'


def width(text: str) -> int:
    """Returns the width of a text in Latin characters. Chinese characters and emoji are twice as wide.

    >>> width('cat'), width('猫')
    (3, 2)
    """
    wide = sum(unicodedata.east_asian_width(character) in 'WF' for character in text)
    return len(text) + wide - sum(unicodedata.category(character) == 'Mn' for character in text)


def shortened(name: str, length: int) -> str:
    """Returns a name that is at most `length` wide: its start and its end if it is longer.

    >>> shortened('a very long name, variety 12', 16)
    'a very l…iety 12'
    """
    if width(name) <= length:
        return name
    characters = _characters(name)
    end = (length - 1) // 2
    tail = _taken(characters[::-1], end)[::-1]
    return ''.join([*_taken(characters, length - 1 - end), ELLIPSIS, *tail])


def distinct(names: Sequence[str], length: int) -> list[str]:
    """Returns names that are at most `length` wide and differ where the given names differ.

    Where start and end do not tell names apart, the part is shown in which they differ.

    >>> distinct(['German shepherd dog, 1 of the pictures', 'German shepherd dog, 2 of the pictures'], 24)
    ['German …g, 1 of …ictures', 'German …g, 2 of …ictures']
    """
    known = list(dict.fromkeys(names))
    short = dict(zip(known, (shortened(name, length) for name in known), strict=True))
    for alike in _collisions(short):
        start = max(0, _common_start(alike) - CONTEXT)
        head = ''.join(_taken(_characters(alike[0][:start]), length // 3 - 1)) + ELLIPSIS if start else ''
        short |= {name: head + shortened(name[start:], length - width(head)) for name in alike}
    for alike in _collisions(short):
        numbers = [f' #{number}' for number, _ in enumerate(alike, 1)]
        short |= {
            name: shortened(name, length - len(number)) + number
            for name, number in zip(alike, numbers, strict=True)
        }
    return [short[name] for name in names]


def _common_start(alike: Sequence[str]) -> int:
    """Returns the number of characters with which all names begin."""
    low, high = min(alike), max(alike)  # in their order, all others lie between
    return next(
        (index for index, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low)
    )


def _collisions(short: dict[str, str]) -> list[list[str]]:
    """Returns the groups of different names that are shortened to the same text."""
    groups = defaultdict(list)
    for name, text in short.items():
        groups[text].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _characters(text: str) -> list[str]:
    """Splits a text into characters as readers see them: accents and joined emoji stay with their base."""
    characters: list[str] = []
    for character in text:
        joins = unicodedata.category(character) in ('Mn', 'Me', 'Mc') or character == _JOINER
        if characters and (joins or characters[-1].endswith(_JOINER)):
            characters[-1] += character
        else:
            characters.append(character)
    return characters


def _taken(characters: list[str], space: int) -> list[str]:
    """Returns the first characters that fit into a width."""
    taken: list[str] = []
    for character in characters:
        space -= width(character)
        if space < 0:
            break
        taken.append(character)
    return taken
