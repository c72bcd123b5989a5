"""Fonts of figures: names in any script are drawn by fonts of this machine, or else in Latin letters.

Figures use DejaVu Sans, which comes with Matplotlib and lacks Chinese, Japanese, Korean, Hindi and Thai
characters, among others. `plain` prepares every name that a figure shows. It notes what the font lacks,
so that `rendered.render` can choose further fonts.
"""

import contextlib
import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from anyascii import anyascii
from matplotlib import font_manager, ft2font

from engine.render import names

BASE = 'DejaVu Sans'
MAX_FONTS = 400  # fonts that are searched for missing characters; reading one takes milliseconds
# Families with many characters, the most widespread first. Other fonts are searched after these.
PREFERRED = (
    'Noto Sans',
    'Source Han Sans',
    'WenQuanYi',
    'PingFang',
    'Hiragino',
    'Microsoft YaHei',
    'Yu Gothic',
    'Malgun',
    'Nirmala',
    'Arial Unicode',
    'Noto',
    'Droid Sans',
    'FreeSans',
    'Unifont',
)
LAST_RESORT = 'Last Resort'  # a font that draws every character as a box
REGULAR = (400, 'normal', 'regular')
# Characters without a picture: those that join or direct others, control characters, variants of emoji.
_INVISIBLE = re.compile('[\ufe00-\ufe0f\U000e0100-\U000e01ef]')
_INVISIBLE_CATEGORIES = {'Cf', 'Cc'}


@dataclass
class DrawnNames:
    """The names that a figure shows.

    Attributes:
      in_latin: whether characters that no font draws are replaced by Latin letters.
      families: fonts of the figure; characters that none of them draws are missing.
      missing: the missing characters that the figure needs.
      full: the full name of each shortened one.
    """

    in_latin: bool = False
    families: Sequence[str] = (BASE,)
    missing: set[str] = field(default_factory=set)
    full: dict[str, str] = field(default_factory=dict)


_CURRENT: ContextVar[DrawnNames | None] = ContextVar('drawn names', default=None)


@contextlib.contextmanager
def noting(drawn: DrawnNames) -> Iterator[None]:
    """Notes in `drawn` the names of the figures that the block draws."""
    token = _CURRENT.set(drawn)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def plain(name: object, length: int = 24) -> str:
    """Returns a name as a figure shows it: at most `length` wide, in one line, without formulas."""
    return plain_all([name], length)[0]


def plain_all(all_names: Sequence[object], length: int = 24) -> list[str]:
    """Returns names as a figure shows them: as `plain` does, and different where they differ."""
    full = [' '.join(str(name).split()) for name in all_names]
    drawn = _CURRENT.get() or DrawnNames()
    latin = [_in_latin(name, drawn.families) if drawn.in_latin else name for name in full]
    short = names.distinct(latin, length)
    drawn.full.update({cut: name for cut, name in zip(short, full, strict=True) if cut != name})
    for text in short:
        drawn.missing.update(missing(text, drawn.families))
    return [names.isolated(text).replace('$', r'\$') for text in short]


def missing(text: str, families: Sequence[str] = (BASE,)) -> set[str]:
    """Returns the characters of a text that no font of these families draws."""
    known = [_characters(font) for font in map(_path, families)]
    return {
        character
        for character in text
        if not any(ord(character) in font for font in known) and not _is_invisible(character)
    }


def are_true_type(families: Sequence[str]) -> bool:
    """Whether all these fonts have TrueType outlines, as those have that PDF embeds as Type 42."""
    return not any(_is_postscript(Path(_path(family))) for family in families)


def _is_postscript(path: Path) -> bool:
    """Whether a font, or the first one of a collection, has PostScript outlines."""
    with path.open('rb') as file:
        head = file.read(16)
        if head.startswith(b'ttcf'):
            file.seek(int.from_bytes(head[12:]))
            head = file.read(4)
    return head.startswith(b'OTTO')


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES or bool(_INVISIBLE.match(character))


def families_for(characters: frozenset[str]) -> tuple[str, ...]:
    """Returns the base font and the installed ones that draw these characters, as far as there are any."""
    return (BASE, *_fallbacks(characters))


@functools.cache
def _fallbacks(characters: frozenset[str]) -> tuple[str, ...]:
    lacking, chosen = {ord(character) for character in characters}, []
    for family, path in _installed() if lacking else ():
        covered = lacking & _characters(path)
        if covered:
            chosen.append(family)
            lacking -= covered
        if not lacking:
            break
    return tuple(chosen)


def _in_latin(name: str, families: Sequence[str]) -> str:
    """Returns a name with Latin letters for the characters that no font draws."""
    lacking = missing(name, families)
    return re.sub(r'\s+', ' ', ''.join(anyascii(each) if each in lacking else each for each in name)).strip()


def _installed() -> list[tuple[str, str]]:
    """Returns family and path of the installed upright fonts of regular weight, the preferred first."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:  # installed after Matplotlib listed the fonts
        with contextlib.suppress(RuntimeError, OSError):
            manager.addfont(path)
    regular = {
        entry.name: str(entry.fname)
        for entry in manager.ttflist
        if entry.style == 'normal' and entry.weight in REGULAR and not entry.name.startswith(LAST_RESORT)
    }
    return sorted(regular.items(), key=lambda font: (_preference(font[0]), font[0]))[:MAX_FONTS]


def _preference(family: str) -> int:
    ranks = (rank for rank, start in enumerate(PREFERRED) if family.startswith(start))
    return next(ranks, len(PREFERRED))


def _path(family: str) -> str:
    return str(font_manager.findfont(font_manager.FontProperties(family=[family])))


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """Returns the code points that a font draws; none of a font that Matplotlib cannot read."""
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except RuntimeError:
        return frozenset()
