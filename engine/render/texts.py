"""Texts of others on a page: every character is visible, and changes are marked word by word."""

import re
from difflib import SequenceMatcher

from engine.render.escape import CONTROL
from engine.render.markup import escaped

MAX_CHARACTERS, MAX_WORDS = 800, 400  # of a text on a page

# Control characters, and those that nobody sees: soft hyphens, spaces without width and marks of direction.
_INVISIBLE = re.compile(f'{CONTROL.pattern}|[\u00ad\u061c\u200b\u200e\u200f\ufeff]')
# A letter of a script without spaces, white space, punctuation of ASCII, or what stands between them.
_WORDS = re.compile(
    r'[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]'
    r'|\s+|[!-/:-@\[-`{-~]'
    r'|[^\s!-/:-@\[-`{-~\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+'
)


def words(text: str) -> list[str]:
    """Returns words, white space and punctuation, which together are the text.

    >>> words('Hi, you!')
    ['Hi', ',', ' ', 'you', '!']
    """
    return _WORDS.findall(text)


def visible(text: str) -> str:
    """Returns a text as HTML. Line feeds break the line, other control characters are escaped."""
    shown = text[:MAX_CHARACTERS]
    pieces = _INVISIBLE.split(shown)
    marks = [_mark(match[0]) for match in _INVISIBLE.finditer(shown)]
    body = ''.join(escaped(piece) + mark for piece, mark in zip(pieces, [*marks, ''], strict=True))
    rest = len(text) - len(shown)
    more = f' <span class="control">… {rest:,} more characters</span>' if rest else ''
    return body + more or '<span class="control">empty</span>'


def difference(reference: str, text: str) -> str:
    """Returns a text as HTML. Words that the reference lacks, and words that are missing, are marked."""
    old, new = (words(each)[:MAX_WORDS] for each in (reference, text))
    parts = []
    for operation, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        missing, added = ''.join(old[i:j]), ''.join(new[k:m])
        if operation == 'equal':
            parts.append(visible(added))
            continue
        parts += [f'<del>{visible(missing)}</del>'] * bool(missing)
        parts += [f'<ins>{visible(added)}</ins>'] * bool(added)
    rest = len(words(text)) - len(new)
    more = f' <span class="control">… {rest:,} more words</span>' if rest else ''
    return ''.join(parts) + more or visible('')


def _mark(character: str) -> str:
    if character == '\n':
        return '<span class="control">↵</span><br>'
    if character == '\t':
        return '<span class="control">⇥</span>\t'
    return f'<span class="control">{escaped(repr(character)[1:-1])}</span>'
