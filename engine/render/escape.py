"""What others wrote, so that no terminal or spreadsheet obeys it. Imports the standard library alone."""

import re

# Control characters, separators of lines, what turns the direction of text, and halves of surrogate pairs.
CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
# How a formula begins, in full width too; a sign before a number begins none.
_FORMULA = re.compile(
    r'[=@\t\r\n\uff1d\uff20\uff0b\uff0d]|[+-](?!(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$)', re.IGNORECASE
)


def printable(text: str) -> str:
    """Returns a text for a terminal: what this would obey, but for ends of lines, is escaped."""
    return CONTROL.sub(lambda found: found[0] if found[0] == '\n' else repr(found[0])[1:-1], text)


def defused(cell: str) -> str:
    """Returns a cell for a spreadsheet: an apostrophe stands before what this would compute."""
    return f"'{cell}" if _FORMULA.match(cell) else cell
