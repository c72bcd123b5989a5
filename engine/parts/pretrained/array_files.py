"""Files of named arrays: `.npz`, and `.safetensors`, one or several with an index. Nothing is unpickled."""

import json
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from engine import files
from engine.errors import UserError
from engine.parts.pretrained.stored_arrays import OpenArrays, StoredArrays
from engine.runs import checksums
from engine.stored_trees.on_devices import Shapes, on_devices

_DTYPES: dict[str, Any] = {  # of safetensors
    **{f'F{bits}': f'float{bits}' for bits in (16, 32, 64)},
    **{f'I{bits}': f'int{bits}' for bits in (8, 16, 32, 64)},
    **{f'U{bits}': f'uint{bits}' for bits in (8, 16, 32, 64)},
    'BOOL': 'bool',
    'BF16': ml_dtypes.bfloat16,
    'F8_E4M3': ml_dtypes.float8_e4m3fn,
    'F8_E5M2': ml_dtypes.float8_e5m2,
}
_ZIP_HEADER = struct.Struct('<26xHH')  # of a member of a zip file: the lengths of two fields that follow


@dataclass(frozen=True)
class _Location:
    """Where an array is in a file.

    Attributes:
      file: the file.
      shape: of the array.
      dtype: of the array.
      offset: of its first byte; None if it is compressed.
      member: its name in a zip file.
      order: of its elements.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int | None
    member: str = ''
    order: Literal['C', 'F'] = 'C'


@dataclass(frozen=True, kw_only=True)
class ArrayFiles(StoredArrays):
    """Arrays of one or several files.

    Attributes:
      stored: where each array is.
    """

    stored: Mapping[str, _Location]

    @property
    def _files(self) -> list[Path]:
        return sorted({array.file for array in self.stored.values()})

    def sha256(self) -> str:
        """Returns the sha256 of the file; of several, that of their names and sha256."""
        for file in self._files:
            if zipfile.is_zipfile(file):
                _check_members(file)
        digests = {file.name: files.sha256(file) for file in self._files}
        return digests[self.place.name] if len(digests) == 1 else checksums.of_values(digests)

    def load(self, targets: Shapes) -> dict[str, jax.Array]:
        """Reads the arrays one after another. Each device gets only its own part."""
        with self.opened() as arrays:
            return on_devices(arrays, targets, arrays.release)

    @contextmanager
    def opened(self) -> Iterator[OpenArrays]:
        """Maps the files into memory, so that nothing is read before it is used."""
        maps = {file: _mapped(file) for file in self._files}

        def release() -> None:
            for mapped in maps.values():
                mapped.madvise(mmap.MADV_DONTNEED)

        yield OpenArrays(
            {name: partial(_read, array, maps[array.file]) for name, array in self.stored.items()}, release
        )


def _mapped(file: Path) -> mmap.mmap:
    with file.open('rb') as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _read(array: _Location, mapped: mmap.mmap) -> np.ndarray:
    """Returns a view of the mapped file; an array of its own if the file is compressed."""
    if array.offset is not None:
        return np.ndarray(array.shape, array.dtype, mapped, array.offset, order=array.order)
    with zipfile.ZipFile(array.file) as archive, archive.open(array.member) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _source(place: Path, stored: Mapping[str, _Location]) -> ArrayFiles:
    if not stored:
        raise UserError(f'{place} is empty: it holds no arrays.')
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in stored.items()}
    return ArrayFiles(place=place, shapes=shapes, record={}, stored=stored)


# safetensors: the length of a header in JSON, the header, the arrays.


def safetensors(file: Path) -> ArrayFiles:
    """Returns the arrays of a .safetensors file. Raises `UserError` if it is damaged."""
    return _source(file, _in_safetensors(file))


def safetensors_by_index(index: Path) -> ArrayFiles:
    """Returns the arrays of the files that an index names, as Hugging Face shards large models.

    Raises:
      UserError: the index or a file is damaged or missing.
    """
    try:
        places: dict[str, str] = json.loads(index.read_text(encoding='utf-8'))['weight_map']
        names = sorted({str(name) for name in places.values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{index} is damaged: it holds no weight_map.') from error
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise UserError(f'{index} names {", ".join(missing)}, which is missing beside it.')
    stored = {}
    for name in names:
        stored |= _in_safetensors(index.parent / name)
    if lost := sorted(places.keys() - stored.keys()):
        raise UserError(f'{index} is damaged: {places[lost[0]]} has no array {lost[0]!r}.')
    return _source(index, {name: stored[name] for name in places})


def _in_safetensors(file: Path) -> dict[str, _Location]:
    try:
        with safe_open(file, framework='numpy'):  # checks the header
            pass
        with file.open('rb') as opened:
            (length,) = struct.unpack('<Q', opened.read(8))
            header = json.loads(opened.read(length))
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise UserError(f'{file} is damaged, or no file of safetensors: {error}.') from error
    header.pop('__metadata__', None)
    return {name: _safetensor(file, name, entry, 8 + length) for name, entry in header.items()}


def _safetensor(file: Path, name: str, entry: Mapping[str, Any], start: int) -> _Location:
    if entry['dtype'] not in _DTYPES:
        raise UserError(
            f'{file}: {name} has the dtype {entry["dtype"]}, which cannot be read. Save it as F32.'
        )
    dtype = np.dtype(_DTYPES[entry['dtype']])
    return _Location(file, tuple(entry['shape']), dtype, start + entry['data_offsets'][0])


# npz: a zip file of .npy files.


def npz(file: Path) -> ArrayFiles:
    """Returns the arrays of a .npz file. Raises `UserError` if it is damaged, or if arrays are pickled."""
    try:
        with zipfile.ZipFile(file) as archive, file.open('rb') as opened:
            members = [info for info in archive.infolist() if info.filename.endswith('.npy')]
            arrays = {info.filename[:-4]: _member(file, archive, info, opened) for info in members}
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, EOFError, zlib.error) as error:
        raise UserError(f'{file} is damaged, or no .npz file: {error}.') from error
    return _source(file, arrays)


def _member(file: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, opened: Any) -> _Location:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        is_first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(member)
        length = member.tell()
    if dtype.hasobject or dtype.kind not in 'biuf':
        raise UserError(
            f'{file}: {info.filename[:-4]} has the dtype {dtype}. Save numbers alone, such as float32.'
        )
    offset = None
    if info.compress_type == zipfile.ZIP_STORED:
        opened.seek(info.header_offset)
        header = opened.read(_ZIP_HEADER.size)
        offset = info.header_offset + len(header) + sum(_ZIP_HEADER.unpack(header)) + length
    return _Location(file, shape, dtype, offset, info.filename, 'F' if is_fortran else 'C')


def _check_members(file: Path) -> None:
    """Raises `UserError` if a member of a zip file does not have its checksum."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f'{file} is damaged: {error}.') from error
    if damaged:
        raise UserError(f'{file} is damaged: the checksum of {damaged} differs.')
