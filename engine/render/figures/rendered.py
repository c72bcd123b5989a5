"""Matplotlib figures as files, SVG, PDF and PNG, and as markup that takes the colours of its page."""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from engine.render import markup
from engine.render.figures import fonts
from engine.render.figures.fonts import DrawnNames

DPI = 160  # of PNG files
MAX_STEM_LENGTH = 80  # characters of the name of a file
INK = '#010203'  # looks black and occurs in no figure; the page replaces it by its text colour
_INKED = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
FORMATS = ('svg', 'pdf', 'png')
STYLE: dict[Any, Any] = {
    **dict.fromkeys(_INKED, INK),
    'svg.fonttype': 'none',  # text stays text: the reader's fonts draw it, and it can be searched
    'pdf.fonttype': 42,  # TrueType, which journals ask for
    'image.composite_image': False,
}
_NO_METADATA = {  # dates and versions would make equal figures differ
    'svg': dict.fromkeys(('Creator', 'Date', 'Format', 'Type')),
    'pdf': dict.fromkeys(('Creator', 'Producer', 'CreationDate')),
    'png': {'Software': None},
}


@dataclass(frozen=True)
class RenderedFigure:
    """A figure as text and bytes.

    Attributes:
      stem: name of its files without the suffix.
      title: what it shows, in one line.
      svg: with text as text, and every name as it is.
      files: content of its files, by suffix.
      lacking: the characters that no font of this machine draws. PNG and PDF show Latin letters for them.
    """

    stem: str
    title: str
    svg: str
    files: Mapping[str, bytes]
    lacking: frozenset[str] = frozenset()

    def write(self, folder: Path) -> None:
        """Writes the files of the figure into a folder."""
        for suffix, content in self.files.items():
            (folder / f'{self.stem}.{suffix}').write_bytes(content)

    def markup(self) -> str:
        """Returns the figure for a page, in the page's fonts and colours, light or dark."""
        match = re.search(r'<svg.*</svg>', self.svg, re.DOTALL)
        text = match[0] if match else ''
        width = re.search(r'width="([\d.]+)pt"', text)
        text = re.sub(r' (width|height)="[\d.]+pt"', '', text, count=2).replace(INK, 'currentColor')
        # Styles and names of groups would apply to the whole page.
        text = re.sub(r'<(metadata|style)\b.*?</\1>|(?<=<g) id="[^"]*"', '', text, flags=re.DOTALL)
        max_width = f'{float(width[1]) * 4 / 3:.0f}px' if width else 'none'
        title = markup.escaped(self.title)
        return f'<div class="plot" role="img" aria-label="{title}" style="max-width:{max_width}">{text}</div>'


def render_all(
    figures: Mapping[str, Callable[[], Figure]], prefix: str = '', formats: Sequence[str] = FORMATS
) -> dict[str, RenderedFigure]:
    """Renders figures. The names of their files are their own, as far as file systems allow.

    Args:
      figures: functions that draw, by name.
      prefix: start of the names of the files.
      formats: suffixes of the files.
    """
    stems = _stems([prefix + name for name in figures])
    return {
        name: render(draw, stem, name, formats)
        for (name, draw), stem in zip(figures.items(), stems, strict=True)
    }


def render(
    draw: Callable[[], Figure], stem: str, name: str = '', formats: Sequence[str] = FORMATS
) -> RenderedFigure:
    """Draws a figure once and saves it in several formats.

    A figure with names that DejaVu Sans cannot draw is drawn again, with other fonts of this machine. If no
    font draws a name, SVG holds it all the same, and the figure is drawn once more for PNG and PDF, with
    Latin letters.

    Args:
      draw: draws the figure.
      stem: name of its files without the suffix.
      name: what it shows; `stem` by default.
      formats: suffixes of the files.
    """
    first = DrawnNames()
    figure = _drawn(draw, first)
    families = fonts.families_for(frozenset(first.missing))
    shown = DrawnNames(families=families)
    if first.missing:
        figure = _drawn(draw, shown)
    svg = _with_full_names(_saved(figure, stem, 'svg', families).decode(), first.full | shown.full)
    others = [suffix for suffix in formats if suffix != 'svg']
    if shown.missing and others:
        figure = _drawn(draw, DrawnNames(in_latin=True, families=families))
    files = {suffix: _saved(figure, stem, suffix, families) for suffix in others}
    files |= {'svg': svg.replace(INK, '#000000').encode()} if 'svg' in formats else {}
    title = ': '.join(filter(None, ((name or stem).replace('_', ' '), figure.get_suptitle())))
    lacking = frozenset(shown.missing if others else ())
    return RenderedFigure(stem, ' '.join(title.split()), svg, files, lacking)


def write_all(figures: Iterable[RenderedFigure], folder: Path) -> None:
    """Makes a folder and writes figures into it."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        figure.write(folder)


def note(figures: Iterable[RenderedFigure]) -> str:
    """Says which characters no font of this machine draws; returns '' if there are none."""
    lacking = sorted(frozenset().union(*(figure.lacking for figure in figures)))
    if not lacking:
        return ''
    more = ' …' if len(lacking) > 12 else ''
    return (
        f'No font of this machine draws {" ".join(lacking[:12])}{more}: PNG and PDF figures show Latin '
        'letters instead. Pages and SVG figures show the names as they are. To change that, install a font '
        'with these characters (Debian, Ubuntu: apt install fonts-noto) and run this again.'
    )


def _drawn(draw: Callable[[], Figure], names: DrawnNames) -> Figure:
    with _style(names.families), fonts.noting(names):
        return draw()


def _style(families: Sequence[str]) -> Any:
    style: dict[Any, Any] = STYLE | {'font.family': list(families)}
    if not fonts.are_true_type(families):
        style['pdf.fonttype'] = (
            3  # Matplotlib would embed PostScript outlines as TrueType, which is not valid
        )
    return matplotlib.rc_context(style)


def _saved(figure: Figure, salt: str, suffix: str, families: Sequence[str]) -> bytes:
    """Returns a figure as a file. The first call lays it out, and later ones keep the layout."""
    file = io.BytesIO()
    with _style(families), warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph .* missing from font')  # SVG needs none
        matplotlib.rcParams['svg.hashsalt'] = salt  # keeps the names of parts reproducible
        figure.savefig(
            file, format=suffix, dpi=DPI, transparent=suffix == 'svg', metadata=_NO_METADATA[suffix]
        )
    figure.set_layout_engine('none')
    return file.getvalue()


def _with_full_names(svg: str, full: Mapping[str, str]) -> str:
    """Returns SVG in which shortened names show the full ones when the pointer is on them."""
    if not full:
        return svg
    keys = sorted(map(markup.escaped, full), key=len, reverse=True)
    titles = {markup.escaped(short): markup.escaped(name) for short, name in full.items()}
    shortened = re.compile('|'.join(map(re.escape, keys)))

    def titled(match: re.Match[str]) -> str:
        part = shortened.search(match[2])
        return f'{match[1]}<title>{titles[part[0]]}</title>{match[2]}' if part else match[0]

    return re.sub(r'(<text\b[^>]*>)([^<]*)', titled, svg)


def _stems(all_names: Sequence[str]) -> Iterator[str]:
    """Yields a name of a file for each name; different names get different files on every file system."""
    taken: set[str] = set()
    for name in all_names:
        stem = re.sub(r'[^\w.-]', '_', name)[:MAX_STEM_LENGTH]
        if stem.lower() in taken:
            stem = f'{stem}_{hashlib.sha256(name.encode()).hexdigest()[:6]}'
        taken.add(stem.lower())
        yield stem
