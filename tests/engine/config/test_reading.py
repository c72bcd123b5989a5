"""A file counts once, at its first place; its encoding and its line ends do not matter, or are named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.config import Config
from engine.errors import UserError

HEADER = 'from __gin__ import dynamic_registration\nfrom tests.engine.config import parts\n'
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a config: write('a', 'A = 1', 'base') includes base.gin -> path."""

    def write(name: str, text: str = '', *includes: str) -> Path:
        lines = ''.join(f"include '{include}.gin'\n" for include in includes)
        path = tmp_path / f'{name}.gin'
        path.write_text(lines + HEADER + text + '\n')
        return path

    return write


@pytest.fixture
def diamond(write: Write) -> Path:
    """Returns a config that includes `left` (size 7) and `right`; both include `shared` (size 1)."""
    write('shared', 'SIZE = 1\nparts.Leaf.size = %SIZE')
    write('left', 'SIZE = 7', 'shared')
    write('right', '', 'shared')
    return write('both', '', 'left', 'right')


def size(*files: Path, bindings: tuple[str, ...] = ()) -> int:
    from tests.engine.config.parts import Leaf

    return Config(files, bindings).build(Leaf).size


def test_a_file_that_two_files_include_counts_at_its_first_place(diamond: Path) -> None:
    assert size(diamond) == 7


def test_a_file_that_is_named_twice_counts_at_its_first_place(diamond: Path) -> None:
    left, shared = diamond.with_name('left.gin'), diamond.with_name('shared.gin')
    assert size(left, diamond.with_name('right.gin')) == 7
    assert size(left, shared) == 7
    assert size(shared, left) == 7
    assert Config([left, shared])._notes == [
        f'--gin_file={shared} counts at its first place, {left}:1.',
    ]


@pytest.mark.parametrize('link', [os.symlink, os.link])
def test_a_link_is_the_same_file(link: Callable[[Path, Path], None], diamond: Path) -> None:
    link(diamond.with_name('shared.gin'), diamond.with_name('other.gin'))
    right = diamond.with_name('right.gin')
    right.write_text(right.read_text().replace('shared', 'other'))
    assert size(diamond) == 7


def test_another_path_is_the_same_file(diamond: Path) -> None:
    right = diamond.with_name('right.gin')
    right.write_text(right.read_text().replace('shared', f'../{diamond.parent.name}/./shared'))
    assert size(diamond) == 7


def test_the_command_line_wins_over_a_diamond(diamond: Path) -> None:
    assert size(diamond, bindings=('SIZE = 9',)) == 9


def test_deeper_diamonds(write: Write, diamond: Path) -> None:
    write('top', '', 'right', 'both')
    assert size(write('all', 'SIZE = 5', 'both', 'top', 'shared')) == 5


def test_a_cycle_names_its_files(write: Write) -> None:
    write('b', '', 'c')
    write('c', '', 'a')
    with pytest.raises(UserError) as error:
        size(write('a', '', 'b'))
    message = str(error.value).replace(str(write('a').parent) + '/', '')
    assert message == 'c.gin:1: a.gin includes itself: a.gin -> b.gin -> c.gin -> a.gin. Remove this line.'


def test_a_file_may_not_include_itself(write: Write) -> None:
    with pytest.raises(UserError, match=r'a.gin:1: .*a.gin includes itself'):
        size(write('a', '', 'a'))


def test_an_include_may_span_lines(write: Write, tmp_path: Path) -> None:
    write('shared', 'parts.Leaf.size = 3')
    long = tmp_path / 'long.gin'
    long.write_text("# A comment.\ninclude \\\n  'shared.gin'\n" + HEADER + 'parts.Leaf.size = 4\nX = 1\n')
    config = Config([long])
    from tests.engine.config.parts import Leaf

    assert config.build(Leaf).size == 4
    with pytest.raises(UserError, match=r'long.gin:7: X is not used'):
        config.check()


TEXT = HEADER + "A = 'café'\nparts.Leaf.size = 2\n"
FOREIGN = {
    'utf-16': r'x.gin:1: this file is UTF-16. Save it as UTF-8, such as by: iconv -f UTF-16 -t UTF-8 .*x.gin',
    'utf-32': r'x.gin:1: this file is UTF-32',
    'latin-1': r'x.gin:3: the byte 0xe9 is not UTF-8. Save it as UTF-8, such as by: iconv -f LATIN1',
    'cp1252': r'x.gin:3: the byte 0xe9 is not UTF-8',
    'utf-16-le': r'x.gin:3: the byte 0xe9 is not UTF-8|x.gin:1: .*null',
}


@pytest.mark.parametrize('encoding', FOREIGN)
def test_a_file_that_is_not_utf_8_is_named(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / 'x.gin'
    path.write_bytes(TEXT.encode(encoding))
    with pytest.raises(UserError, match=FOREIGN[encoding]):
        Config([path])


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_lines_are_counted_whatever_their_ends(end: str, mark: str, tmp_path: Path) -> None:
    path = tmp_path / 'x.gin'
    path.write_bytes((mark + TEXT + 'parts.Leaf.sise = 2\n').replace('\n', end).encode())
    with pytest.raises(UserError, match=r"x.gin:5: parts.Leaf has no parameter 'sise'"):
        Config([path])


@pytest.mark.parametrize('character', ['\u2028', '\u2029', '\x85', '\x0b', '\x0c', '\x1c', '\x1e'])
def test_no_other_character_ends_a_line(character: str, tmp_path: Path) -> None:
    path = tmp_path / 'x.gin'
    (tmp_path / 'base.gin').write_text('')
    opening = f"# {character} {character}\ninclude 'base.gin'\n"
    text = f"parts.Leaf.name = 'a{character}b'  # {character}\n"
    path.write_text(opening + HEADER + text, encoding='utf-8', newline='')
    config = Config([path])
    from tests.engine.config.parts import Leaf

    assert config.build(Leaf).name == f'a{character}b'
    config.save(tmp_path / 'config.gin')
    assert Config([tmp_path / 'config.gin']).build(Leaf).name == f'a{character}b'
    path.write_text(opening + HEADER + text + 'X == 1\n', encoding='utf-8', newline='')
    with pytest.raises(UserError, match=r'x.gin:6: X == 1\n'):
        Config([path])
