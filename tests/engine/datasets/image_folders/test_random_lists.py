"""Random lists and folders: what is accepted is what was put in, all else is one message with the file."""

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import lists
from engine.datasets.image_folders import image_layout, walk
from engine.errors import UserError
from tests.engine.random_cases import random_cases

NAMES = (
    'a.jpg',
    'b c.png',
    'd,e.jpg',
    'f;g.jpg',
    "h'i.jpg",
    '猫/j.jpg',
    'k"l.jpg',
    'é.jpg',
    '-m.jpg',
    '#n.jpg',
    'o|p.jpg',
)
LABELS = (
    'cat',
    'Cat',
    ' dog',
    'nan',
    'NA',
    '007',
    '1e5',
    'a,b',
    'c;d',
    'e\tf',
    'say "g"',
    '猫',
    "it's",
    '-',
    '#1',
    '|',
)
BROKEN = ('', '  ', 'x\ny', 'x\r\ny', 'x\x0by', 'x\u2028y', '#N/A', '\ufeff')
CELLS = st.one_of(
    st.sampled_from(LABELS), st.sampled_from(LABELS), st.sampled_from(BROKEN), st.text(max_size=6)
)
ENCODINGS = ('utf-8', 'utf-8-sig', 'utf-16', 'utf-32', 'latin-1', 'utf-16-le')
CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of these names."""
    folder = tmp_path_factory.mktemp('listed')
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@st.composite
def written(draw: Any) -> tuple[list[tuple[str, str]], bytes, bool]:
    """Draws paths and labels, the list that holds them, and whether its encoding says what it is."""
    paths = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=draw(st.integers(0, 9)) > 0))
    rows = [(path, draw(CELLS)) for path in paths]
    file, ending = io.StringIO(), draw(st.sampled_from(['\n', '\r\n', '\r']))
    delimiter = draw(st.sampled_from(lists.DELIMITERS))
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=ending,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    if draw(st.integers(0, 4)) == 0:
        file.write(f'sep={delimiter}{ending}')
    order = draw(st.permutations(['path', 'label', 'more', ' ']))
    writer.writerow(order)
    for path, label in rows:
        cells = {'path': path, 'label': label, 'more': 'any "thing"', ' ': ''}
        writer.writerow([cells[name] for name in order] + [''] * draw(st.integers(0, 2)))
        file.write(draw(st.sampled_from(['', '', ending])))
    text, encoding = (
        file.getvalue(),
        draw(st.sampled_from(ENCODINGS if draw(st.booleans()) else ENCODINGS[:1])),
    )
    if encoding == 'latin-1' and any(ord(letter) > 255 for letter in text):
        encoding = 'utf-8'
    is_stated = encoding not in ('latin-1', 'utf-16-le') or (encoding == 'latin-1' and text.isascii())
    return rows, text.encode(encoding, 'surrogatepass'), is_stated


def is_right(rows: list[tuple[str, str]]) -> bool:
    """Whether a list of these cells is to be accepted."""
    labels = [label.strip() for _, label in rows]
    spreadsheet = any(label.startswith('=') or label == '#N/A' for label in labels)
    encodable = all(
        label.isprintable() or label.encode('utf-8', 'replace').decode() == label for label in labels
    )
    return (
        all(label and not CONTROL.search(label) for label in labels)
        and encodable
        and not spreadsheet
        and len({path for path, _ in rows}) == len(rows)
    )


@random_cases(60)
@given(written())
def test_a_list_is_read_as_it_is_or_refused(
    folder: Path, case: tuple[list[tuple[str, str]], bytes, bool]
) -> None:
    rows, content, is_stated = case
    (folder / 'train.csv').write_bytes(content)
    try:
        splits = image_layout.read(folder).splits
    except UserError as error:
        assert str(folder / 'train.csv') in str(error)
        assert not (is_right(rows) and is_stated), error
        return
    assert is_right(rows)
    known = {identity: (path, label) for part in splits.values() for identity, path, label in part}
    assert known == {path: (folder / path, label.strip()) for path, label in rows}


@random_cases(60)
@given(st.binary(max_size=40), st.integers(0, 200), written())
def test_bytes_of_any_kind_are_read_or_refused(
    folder: Path, noise: bytes, place: int, case: tuple[list[tuple[str, str]], bytes, bool]
) -> None:
    content = case[1]
    (folder / 'train.csv').write_bytes(content[:place] + noise + content[place + len(noise) // 2 :])
    try:
        layout = image_layout.read(folder)
    except UserError as error:
        assert str(folder / 'train.csv') in str(error)
        return
    for part in layout.splits.values():
        assert all(path.is_file() and label == label.strip() != '' for _, path, label in part)


PIECES = ('a', 'b', '.c', '__MACOSX', 'Thumbs.db', 'd e', 'É', '@eaDir')
FILES = ('1.jpg', '2.JPEG', '3.txt', '._4.jpg', 'Thumbs.db', '5.heic', '6', '7.png', '.8.png')


@random_cases(40)
@given(
    st.lists(st.tuples(st.lists(st.sampled_from(PIECES), max_size=3), st.sampled_from(FILES)), max_size=10),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3),
)
def test_a_walk_takes_what_a_slow_one_takes(
    files: list[tuple[list[str], str]], links: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for pieces, file in files:
            folder = root.joinpath(*pieces)
            if all(not parent.is_file() for parent in [folder, *folder.parents]):
                folder.mkdir(parents=True, exist_ok=True)
                if not (folder / file).is_dir():
                    (folder / file).touch()
        folders = sorted(path for path in [root, *root.rglob('*')] if path.is_dir())
        for number, (source, target) in enumerate(links):
            link = folders[source % len(folders)] / f'link{number}'
            link.symlink_to(folders[target % len(folders)])
        found = walk.walk(root, ('.jpg', '.jpeg', '.png'), 'images')
        assert found.files == [*map(str, slow(root, []))]
        left_out = [path for paths in found.left_out.values() for path in paths]
        assert not {*map(str, left_out)} & {*found.files}


def slow(folder: Path, above: list[Path]) -> Iterator[Path]:
    """Yields the images in a folder, as the rules say it."""
    above = [*above, folder.resolve()]
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name[0] == '.' or path.name.lower() in ('__macosx', 'thumbs.db', '@eadir'):
            continue
        if path.is_dir():
            if path.resolve() not in above:
                yield from slow(path, above)
        elif path.name.lower().endswith(('.jpg', '.jpeg', '.png')):
            yield path
