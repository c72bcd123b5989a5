"""Escaping: what others wrote is shown as text, and no terminal, document or spreadsheet obeys it.

HTML is escaped in markup.py. Imports the standard library alone.
"""

import re

# Control characters, line separators, marks that change the direction of text, and halves of surrogate pairs.
CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
# The start of a formula, in full width too. A sign before a number starts none.
_FORMULA = re.compile(
    r'[=@\t\r\n\uff1d\uff20\uff0b\uff0d]|[+-](?!(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$)', re.IGNORECASE
)
# Markdown's and HTML's markup. Underscores inside a word are none. Tables escape pipes themselves.
_MARKDOWN = re.compile(r'[\\*`<>\[\]~$]|(?<!\w)_|_(?!\w)')
_LATEX = {
    **{character: f'\\{character}' for character in '&%$#_{}'},
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '±': r'$\pm$',
    '↑': r'$\uparrow$',
    '↓': r'$\downarrow$',
}


def printable(text: str) -> str:
    """Returns a text for a terminal. Control characters are escaped, except for line feeds."""
    return CONTROL.sub(lambda match: match[0] if match[0] == '\n' else repr(match[0])[1:-1], text)


def formula(cell: str) -> str:
    """Returns the text of a cell for a spreadsheet. An apostrophe in front disarms a formula.

    >>> formula('=1+1')
    "'=1+1"
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def markdown(text: str) -> str:
    """Returns a text in one line that Markdown shows as it is."""
    return _MARKDOWN.sub(lambda match: '\\' + match[0], printable(one_line(text)))


def latex(text: str) -> str:
    """Returns a text in one line that LaTeX shows as it is."""
    escaped = ''.join(_LATEX.get(character, character) for character in one_line(text))
    # LaTeX reads a bracket at the start of a row as a distance. A hyphen before a digit is a minus.
    return re.sub(r'(?<!\w)-(?=\d)', '$-$', re.sub(r'^\[', '{[}', escaped))


def one_line(text: str) -> str:
    """Returns a text with one space for each run of white space."""
    return ' '.join(text.split())
