"""The text of a config file, which must be UTF-8."""

import codecs
from pathlib import Path

from engine.errors import UserError

# Longer marks first: UTF-32's begins with UTF-16's.
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: 'UTF-32',
    codecs.BOM_UTF32_BE: 'UTF-32',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}


def read(path: Path, name: str) -> str:
    """Returns the text of a file. Lines may end as on Linux, Windows or old Macs; a UTF-8 mark is dropped.

    Args:
      path: of an existing file.
      name: of the file, for messages.

    Raises:
      UserError: the file is not UTF-8. The message names the line and a command that converts the file.
    """
    data = path.read_bytes()
    encoding = next((encoding for mark, encoding in _FOREIGN_MARKS.items() if data.startswith(mark)), '')
    if encoding:
        raise UserError(f'{name}:1: this file is {encoding}. {_conversion(encoding, name)}')
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        byte, line = data[error.start], _lines(data[: error.start].decode('latin-1')).count('\n') + 1
        raise UserError(
            f'{name}:{line}: the byte 0x{byte:02x} is not UTF-8. {_conversion("LATIN1", name)}'
        ) from None
    return _lines(text)


def _lines(text: str) -> str:
    return text.replace('\r\n', '\n').replace('\r', '\n')


def _conversion(encoding: str, name: str) -> str:
    return f'Save it as UTF-8, such as by: iconv -f {encoding} -t UTF-8 {name} > converted.gin'
