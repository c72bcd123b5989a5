"""One reader for every list: what any program writes is read as it is, or refused with file and line."""

import codecs
from pathlib import Path

import pytest

from engine import lists
from engine.errors import UserError

ROWS = [(2, 'a.jpg', 'cat'), (3, 'b.jpg', 'dog')]
SAME = {  # lists that all say the same
    'plain': b'path,label\na.jpg,cat\nb.jpg,dog\n',
    'no last line feed': b'path,label\na.jpg,cat\nb.jpg,dog',
    'byte order mark': b'\xef\xbb\xbfpath,label\na.jpg,cat\nb.jpg,dog\n',
    'UTF-16, little': codecs.BOM_UTF16_LE + 'path,label\na.jpg,cat\nb.jpg,dog\n'.encode('utf-16-le'),
    'UTF-16, big, tabs': codecs.BOM_UTF16_BE + 'path\tlabel\na.jpg\tcat\nb.jpg\tdog'.encode('utf-16-be'),
    'UTF-32': codecs.BOM_UTF32_LE + 'path,label\na.jpg,cat\nb.jpg,dog\n'.encode('utf-32-le'),
    'semicolons': b'path;label\na.jpg;cat\nb.jpg;dog\n',
    'tabs': b'path\tlabel\na.jpg\tcat\nb.jpg\tdog\n',
    'bars': b'path|label\na.jpg|cat\nb.jpg|dog\n',
    'CRLF': b'path,label\r\na.jpg,cat\r\nb.jpg,dog\r\n',
    'CR': b'path,label\ra.jpg,cat\rb.jpg,dog\r',
    'spaces': b' path , label\n a.jpg ,\tcat \n  b.jpg,\xc2\xa0dog\n',
    'quotes': b'"path","label"\n"a.jpg", "cat"\nb.jpg,"dog"\n',
    'commas at the ends': b'path,label,,\na.jpg,cat,,\nb.jpg,dog\n',
    'more commas than columns': b'path,label\na.jpg,cat,,\nb.jpg,dog, ,\n',
    'other columns': b',label,id,path\n0,cat,,a.jpg\n1,dog,7,b.jpg\n',
    'blank rows below': b'path,label\na.jpg,cat\nb.jpg,dog\n\n,\n  \n',
}


def read(folder: Path, content: bytes) -> lists.ListTable:
    (folder / 'it.csv').write_bytes(content)
    return lists.read(folder / 'it.csv', 'path', 'label')


def rows(table: lists.ListTable) -> list[tuple[int, str, str]]:
    return [(row.line, row['path'], row['label']) for row in table.rows]


@pytest.mark.parametrize('content', SAME.values(), ids=SAME)
def test_every_dialect_is_read_alike(content: bytes, tmp_path: Path) -> None:
    table = read(tmp_path, content)
    assert rows(table) == ROWS
    assert table.column('label') == ['cat', 'dog']


@pytest.mark.parametrize('separator', [';', ',', '\t', '|', ':'])
def test_excel_states_its_separator(separator: str, tmp_path: Path) -> None:
    lines = (
        ['"sep=%s"', 'path%slabel', 'a,b;c.jpg%scat']
        if separator not in ',;'
        else ['sep=%s', 'path%slabel', 'a%scat']
    )
    table = read(tmp_path, '\r\n'.join(line.replace('%s', separator) for line in lines).encode())
    assert rows(table) == [(3, 'a,b;c.jpg' if separator not in ',;' else 'a', 'cat')]


def test_lines_are_counted_in_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, b'note,path,label\n"two\r\nlines",a.jpg,cat\n\n x,b.jpg,dog\n')
    assert rows(table) == [(2, 'a.jpg', 'cat'), (5, 'b.jpg', 'dog')]


@pytest.mark.parametrize(
    'label', ['nan', 'NA', 'None', 'null', 'N/A', '-', '0', '007', '1e5', 'TRUE', '#1', "o'b"]
)
def test_text_is_text(label: str, tmp_path: Path) -> None:
    """No text stands for a missing cell, and no number is rounded."""
    assert read(tmp_path, f'path,label\na.jpg,{label}\n'.encode()).column('label') == [label]


MISTAKES = {
    'empty': (b'', 'it.csv is empty. Its first line names the columns.'),
    'blank': (b'\n \r\n', 'it.csv is empty'),
    'byte order mark alone': (codecs.BOM_UTF8, 'it.csv is empty'),
    'header only': (b'path,label\n', 'it.csv lists no examples'),
    'no header': (
        b'a.jpg,cat\n',
        "it.csv:1: there is no column 'path'. The line reads 'a.jpg, cat'. The first line must name the "
        'columns: path,label.',
    ),
    'other case': (b'Path,label\na,b\n', "it.csv:1: there is no column 'path'. Rename the column 'Path'."),
    'comment above': (b'# mine\npath,label\na,b\n', 'it.csv:1: .* A list has no comments: its first line'),
    'comment below': (b'path,label\n# old\na,b\n', 'it.csv:2: .*1 cell, .* no comments: remove the line'),
    'same columns': (b'path,label,label\na,b,c\n', "it.csv:1: two columns have the same name 'label'"),
    'missing cell': (b'path,label\na,b\n\nc\n', "it.csv:4: the row 'c' has 1 cell, but there are 2 columns"),
    'blank cell': (b'path,label\na,b\nc, \n', "it.csv:3: the cell 'label' is empty. Fill it in"),
    'quoted nothing': (b'path,label\na,""\n', "it.csv:2: the cell 'label' is empty"),
    'too many cells': (b'path,label\na,b.jpg,cat\n', 'it.csv:2: .*3 cells.* stands in quotes'),
    'quoted line feed': (b'path,label\na,b\n"c\nd.jpg",cat\n', r"it.csv:3: .*'path' is 'c\\nd.jpg'.*'\\n'"),
    'tab inside': (b'path,label\na,"b\tc"\n', r"it.csv:2: the cell 'label' .* control character '\\t'"),
    'mark inside': ('path,label\n\ufeffa,b\n'.encode(), "it.csv:2: the cell 'path' .* control character"),
    'Latin-1': ('path,label\r\na,b\r\nc,é\r\n'.encode('latin-1'), "it.csv:3: the byte 0xe9 .* 'c,é'.*iconv"),
    'Windows-1252': ('path,label\ra,b\rc,“d”\r'.encode('windows-1252'), "it.csv:3: the byte 0x93 .* 'c,“d”'"),
    'UTF-16 without a mark': ('path,label\na,b\n'.encode('utf-16-le'), 'bytes that are 0.* UTF-8'),
    'half a UTF-16': (codecs.BOM_UTF16_LE + b'a\0b', 'it.csv is damaged: its bytes are not UTF-16-LE'),
    'a spreadsheet': (b'PK\x03\x04...', 'it.csv is a spreadsheet or a ZIP archive'),
    'gzip': (b'\x1f\x8b\x08...', 'it.csv is compressed by gzip'),
    'open quote': (b'path,label\na,b\nc,"d\ne,f\n', 'it.csv:3: the row that begins here .* never closed'),
    'text after a quote': (b'path,label\n"a"b,c\n', 'it.csv:2: .*text follows a closing quote'),
    'huge cell': (b'path,label\na,' + b'x' * 140_000, r'it.csv:2: .*131,072 characters'),
    'error of a formula': (b'path,label\na,#N/A\n', "it.csv:2: .* '#N/A', the error of a formula"),
}  # fmt: skip


@pytest.mark.parametrize(('content', 'message'), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_one_message_with_its_line(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        rows(read(tmp_path, content))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'gone\.csv cannot be read: No such file'):
        lists.read(tmp_path / 'gone.csv', 'id')
    with pytest.raises(UserError, match='cannot be read: Is a directory'):
        lists.read(tmp_path, 'id')


def test_a_column_that_is_not_needed_may_be_asked_for(tmp_path: Path) -> None:
    table = read(tmp_path, b'path,label,id\na,b,c\n')
    assert table.column('name', 'id') == ['c']
    with pytest.raises(UserError, match=r"it\.csv:1: there is no column 'split' or 'part'\. The line reads"):
        table.column('split', 'part')
