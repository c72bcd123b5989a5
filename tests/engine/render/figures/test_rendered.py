"""Figures as SVG, PDF and PNG: text stays text, names of any script are drawn or spelt in Latin letters."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from engine.render.figures import fonts, rendered
from engine.render.figures.fonts import plain_all

CAT, DOG, GIRAFFE = '猫', '狗', '长颈鹿'
HEBREW = 'חתול'
FAMILY = 'Noto Sans Cats'


def bars(*names: str) -> Figure:
    """Draws a bar per name."""
    figure = Figure(figsize=(3, 2), layout='constrained')
    axes = figure.add_subplot()
    axes.barh(range(len(names)), range(1, len(names) + 1))
    axes.set_yticks(range(len(names)), plain_all(names, 12))
    figure.suptitle('bars')
    return figure


def render(*names: str) -> rendered.RenderedFigure:
    return rendered.render(lambda: bars(*names), 'bars')


def labels(figure: rendered.RenderedFigure) -> list[str]:
    """Returns all texts of the SVG."""
    return re.findall(r'<text[^>]*>(?:<title>[^<]*</title>)?([^<]*)</text>', figure.svg)


def write_font(path: Path, is_true_type: bool) -> None:
    """Writes a font with one character, the cat, with TrueType or with PostScript outlines."""
    pen = TTGlyphPen(None) if is_true_type else T2CharStringPen(1000, None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 700))
    pen.lineTo((900, 0))
    pen.closePath()
    triangle = pen.glyph() if isinstance(pen, TTGlyphPen) else pen.getCharString()
    glyphs = {'.notdef': triangle, 'cat': triangle}
    builder = FontBuilder(1000, isTTF=is_true_type)
    builder.setupGlyphOrder([*glyphs])
    builder.setupCharacterMap({ord(CAT): 'cat'})
    if is_true_type:
        builder.setupGlyf(glyphs)
    else:
        builder.setupCFF('Cats', {'FullName': FAMILY}, glyphs, {})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({'familyName': FAMILY, 'styleName': 'Regular', 'psName': 'Cats'})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(path)


@pytest.fixture(params=['ttf', 'otf'])
def cat_font(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """A font with the cat is installed."""
    path = tmp_path / f'cats.{request.param}'
    write_font(path, request.param == 'ttf')
    before = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(path)
    fonts._fallbacks.cache_clear()
    yield
    font_manager.fontManager.ttflist[:] = before
    fonts._fallbacks.cache_clear()


@pytest.fixture
def only_base_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """No font is installed but DejaVu Sans."""
    monkeypatch.setattr(fonts, '_fallbacks', lambda characters: ())


def test_files_hold_text_and_embedded_fonts(tmp_path: Path) -> None:
    figure = render('cat', 'dog')
    rendered.write_all([figure], tmp_path / 'figures')
    assert sorted(path.name for path in (tmp_path / 'figures').iterdir()) == [
        'bars.pdf',
        'bars.png',
        'bars.svg',
    ]
    svg = (tmp_path / 'figures/bars.svg').read_text()
    assert '>cat</text>' in svg
    assert rendered.INK not in svg
    pdf = (tmp_path / 'figures/bars.pdf').read_bytes()
    assert b'/CIDFontType2' in pdf
    assert b'/Type3' not in pdf
    assert (tmp_path / 'figures/bars.png').read_bytes().startswith(b'\x89PNG')
    assert figure.title == 'bars: bars'
    assert rendered.note([figure]) == ''


def test_equal_figures_have_equal_files() -> None:
    assert render('cat').files == render('cat').files


def test_only_the_formats_that_are_asked_for_are_made() -> None:
    figure = rendered.render(lambda: bars('cat'), 'bars', formats=('pdf',))
    assert figure.files.keys() == {'pdf'}
    assert rendered.render(lambda: bars(CAT), 'bars', formats=()).lacking == frozenset()
    assert '<svg' in figure.markup()


def test_names_without_a_font_stay_in_svg_and_are_spelt_in_png(only_base_font: None) -> None:
    drawn: list[list[str]] = []

    def draw() -> Figure:
        figure = bars(CAT, DOG, 'dog')
        drawn.append([label.get_text() for label in figure.axes[0].get_yticklabels()])
        return figure

    figure = rendered.render(draw, 'bars')
    assert [text for text in labels(figure) if not text.isascii()] == [CAT, DOG]
    assert drawn == [[CAT, DOG, 'dog'], [CAT, DOG, 'dog'], ['Mao', 'Gou', 'dog']]
    assert figure.lacking == {CAT, DOG}
    note = rendered.note([figure, render(GIRAFFE)])
    assert note.count('\n') == 0
    assert all(character in note for character in CAT + DOG + GIRAFFE)
    assert 'SVG' in note
    assert 'fonts-noto' in note


@pytest.mark.parametrize('name', ['हिन्दी', 'ไทย', '日本語', '한국어', '🦒 giraffe', 'ქართული 猫'])
def test_no_script_becomes_boxes(only_base_font: None, name: str, recwarn: pytest.WarningsRecorder) -> None:
    """Warnings would tell of characters that no font draws."""
    figure = render(name)
    assert name in labels(figure)
    assert not [warning for warning in recwarn if 'Glyph' in str(warning.message)]
    assert fonts.missing(fonts._in_latin(name, (fonts.BASE,))) == set()


def test_a_font_of_the_machine_draws_names(cat_font: None) -> None:
    assert fonts.families_for(frozenset(CAT)) == (fonts.BASE, FAMILY)
    figure = render(CAT)
    assert figure.lacking == frozenset()
    assert f"'{FAMILY}'" in figure.svg
    assert (b'/Type3' in figure.files['pdf']) == (not fonts.are_true_type([FAMILY]))
    assert figure.files['png'] != render('Mao').files['png']


def test_a_font_that_draws_some_characters_leaves_the_others(cat_font: None) -> None:
    figure = rendered.render(lambda: bars(CAT, '\U0001fae8'), 'bars')
    assert CAT not in figure.lacking
    assert '\U0001fae8' in figure.lacking


def test_right_to_left_names_do_not_turn_their_neighbours(only_base_font: None) -> None:
    assert plain_all([HEBREW, 'cat'], 12) == [f'\u2068{HEBREW}\u2069', 'cat']
    assert f'\u2068{HEBREW}\u2069' in labels(render(HEBREW))


def test_cut_names_show_the_full_ones_when_pointed_at() -> None:
    first, second = 'Staffordshire bull terrier & son', 'Staffordshire bull terrier & dog'
    figure = render(first, second)
    titles = re.findall(r'<title>([^<]*)</title>(St[^<]*)<', figure.svg)
    assert [title for title, _ in titles] == [name.replace('&', '&amp;') for name in (first, second)]
    assert len({shown for _, shown in titles}) == 2


def test_a_dollar_starts_no_formula() -> None:
    assert '$x_1$' in labels(render('$x_1$'))


def test_names_of_files_are_plain_and_distinct(tmp_path: Path) -> None:
    names = ('loss', 'LOSS', 'a/b', 'a:b', '../up', 'é' * 200)
    figures = rendered.render_all({name: lambda: bars('x') for name in names}, formats=('svg',))
    rendered.write_all(figures.values(), tmp_path / 'all')
    files = [path.name for path in (tmp_path / 'all').iterdir()]
    assert len(files) == len(names) == len({name.lower() for name in files})
    assert all(re.fullmatch(r'[\w.-]{1,100}', name) for name in files)


def test_pages_draw_figures_in_their_colours() -> None:
    markup = render('cat').markup()
    assert markup.startswith('<div class="plot" role="img" aria-label="bars: bars"')
    assert 'currentColor' in markup
    assert '<style' not in markup
    assert 'id="figure' not in markup
