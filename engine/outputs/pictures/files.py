"""Pictures of varying size as files of an outputs folder: `<array>/<id>.png`."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.outputs.pictures import png
from engine.outputs.pictures.png import PngHeader
from engine.outputs.pictures.sequence import Pictures


def path(array: str, example_id: str) -> str:
    """Returns the file of an example's picture, relative to the outputs folder."""
    return f'{array}/{png.file_name(example_id)}.png'


def write(folder: Path, array: str, pictures: Pictures, ids: Sequence[str]) -> None:
    """Writes the PNG file of each picture."""
    (folder / array).mkdir()
    for row, example_id in enumerate(ids):
        (folder / path(array, example_id)).write_bytes(pictures.encoded(row))


def read(
    folder: Path, array: str, files: Collection[str], ids: Sequence[str], channels: int | None
) -> Pictures:
    """Reads the headers of all pictures. Each is decoded when it is asked for.

    Args:
      folder: the outputs folder.
      array: the name of the array.
      files: the files that the manifest states.
      ids: of the examples.
      channels: the number of channels; None for masks.

    Raises:
      UserError: a picture is missing or belongs to no example, or its dtype or channels are others.
    """
    paths = [path(array, example_id) for example_id in ids]
    for name, example_id in zip(paths, ids, strict=True):
        if name not in files:
            raise UserError(f'{folder}: {name}, the picture of {example_id!r}, is not in the manifest.')
    known = set(paths)
    for extra in sorted(each.name for each in (folder / array).iterdir()):
        if f'{array}/{extra}' not in known:
            raise UserError(
                f'{folder}: {array}/{extra} belongs to no example. Delete it, or name it by an id.'
            )
    headers = [_header(folder, name, channels) for name in paths]
    for name, header in zip(paths, headers, strict=True):
        if header.dtype != headers[0].dtype:
            raise UserError(
                f'{folder}: {name} holds {header.dtype}, but {paths[0]} {headers[0].dtype}. Save all in one '
                'dtype.'
            )
    sizes = np.array([(header.height, header.width) for header in headers])

    def encoded(row: int) -> bytes:
        return (folder / paths[row]).read_bytes()

    def load(row: int) -> np.ndarray:
        return png.decode(encoded(row), f'{folder}: {paths[row]}', channels is None)

    return Pictures(load, sizes, headers[0].dtype, channels, encoded)


def _header(folder: Path, name: str, channels: int | None) -> PngHeader:
    with (folder / name).open('rb') as file:
        header = PngHeader.of(file.read(png.HEADER_BYTES), f'{folder}: {name}')
    header.check(f'{folder}: {name}', channels is None)
    if channels not in (None, header.channels):
        raise UserError(f'{folder}: {name} has {header.channels} channels, but {channels} are stated.')
    return header
