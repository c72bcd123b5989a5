"""A file of TensorBoard events, written without TensorFlow.

An event is a protocol buffer, encoded as in https://protobuf.dev/programming-guides/encoding. event.proto and
summary.proto of TensorBoard number its fields. The file holds records: the length of an event, the checksum
of the length, the event, its checksum. A killed process may leave a torn record, which TensorBoard ignores.
"""

import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import google_crc32c
import numpy as np

_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY, _SESSION_LOG = 1, 2, 3, 5, 7  # fields of an event
_SESSION_START = b'\x08\x01'  # a session log: its status is START
_SIMPLE_VALUE, _IMAGE = 2, 4  # fields of a value of a summary; the tag is 1
_RGB = 3
_MASK = 0xA282EAD8  # checksums are masked, because data may hold checksums


class EventFile:
    """A new file of events in a folder.

    Args:
      folder: it is created if it does not exist.
      step: the first step of the session. TensorBoard drops the events of earlier sessions from there on.
    """

    def __init__(self, folder: Path, step: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()  # TensorBoard reads files in the order of their names
        name = f'events.out.tfevents.{now:.6f}.{socket.gethostname()}.{os.getpid()}'
        self._file = (folder / name).open('xb')
        self._write([_head(now) + _bytes(_FILE_VERSION, b'brain.Event:2')])
        if step:
            self._write([_head(now) + _integer(_STEP, step) + _bytes(_SESSION_LOG, _SESSION_START)])

    def add_scalars(
        self, steps: np.ndarray, values: Mapping[str, np.ndarray], times: np.ndarray | None = None
    ) -> None:
        """Adds an event for each step, all in one block.

        Args:
          steps: int [n].
          values: by tag, float [n].
          times: of the events, float [n], in seconds since 1970; by default, all are of now.
        """
        rows = np.repeat(_row(tuple(values)), len(steps))
        with np.errstate(over='ignore'):  # too large for a float32: infinite
            for i, column in enumerate(values.values()):
                rows[f'value{i}'] = column
        size, summaries = rows.itemsize, rows.tobytes()
        start = bytes([_SUMMARY << 3 | 2]) + _varint(size)
        heads = repeat(_head(time.time()), len(steps)) if times is None else map(_head, times.tolist())
        self._write(
            head + _integer(_STEP, step) + start + summaries[index * size : (index + 1) * size]
            for index, (head, step) in enumerate(zip(heads, steps.tolist(), strict=True))
        )

    def add_images(self, step: int, images: Mapping[str, tuple[int, int, bytes]]) -> None:
        """Adds an event of pictures.

        Args:
          step: after which they were made.
          images: by tag, width and height in pixels, and the file in the format PNG.
        """
        summary = b''.join(
            _bytes(1, _bytes(1, tag.encode()) + _bytes(_IMAGE, _picture(*image)))
            for tag, image in images.items()
        )
        self._write([_head(time.time()) + _integer(_STEP, step) + _bytes(_SUMMARY, summary)])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, events: Iterable[bytes]) -> None:
        """Appends records and lets readers see them."""
        self._file.write(b''.join(map(_record, events)))
        self._file.flush()


@lru_cache
def _row(tags: tuple[str, ...]) -> np.ndarray:
    """Returns a summary of scalars, [1]: for each tag what precedes its number, then the number."""
    starts = [_start_of_scalar(tag.encode()) for tag in tags]
    fields = [[(f'start{i}', f'V{len(start)}'), (f'value{i}', '<f4')] for i, start in enumerate(starts)]
    row = np.empty(1, [field for pair in fields for field in pair])
    for i, start in enumerate(starts):
        row[f'start{i}'] = np.void(start)
    return row


def _start_of_scalar(tag: bytes) -> bytes:
    """Returns the bytes of a value of a summary up to its number, 4 bytes."""
    start = _bytes(1, tag) + bytes([_SIMPLE_VALUE << 3 | 5])
    return _bytes(1, start + bytes(4))[:-4]


def _picture(width: int, height: int, png: bytes) -> bytes:
    return _integer(1, height) + _integer(2, width) + _integer(3, _RGB) + _bytes(4, png)


def _head(seconds: float) -> bytes:
    """Returns the start of an event: its time."""
    return bytes([_WALL_TIME << 3 | 1]) + struct.pack('<d', seconds)


def _integer(field: int, number: int) -> bytes:
    return bytes([field << 3]) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Returns a whole number in groups of seven bits, the lowest first."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _record(event: bytes) -> bytes:
    length = struct.pack('<Q', len(event))
    return b''.join((length, _checksum(length), event, _checksum(event)))


def _checksum(data: bytes) -> bytes:
    value = google_crc32c.value(data)
    return struct.pack('<I', ((value >> 15 | value << 17) + _MASK) & 0xFFFFFFFF)
