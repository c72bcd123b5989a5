"""TensorBoard gets every metric once, in its own format."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2

from engine.training.observers.tensorboard import TensorBoard
from tests.engine.training.observers.observed_run import observed_run

Event: Any = vars(event_pb2)['Event']  # protobuf makes it at import: no type checker sees it
START = vars(event_pb2)['SessionLog'].START


def checksum(data: bytes) -> int:
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    """The format of TensorBoard: length, its checksum, data, its checksum."""
    with path.open('rb') as file:
        while header := file.read(8):
            assert file.read(4) == struct.pack('<I', checksum(header))
            data = file.read(struct.unpack('<Q', header)[0])
            assert file.read(4) == struct.pack('<I', checksum(data))
            yield data


def events(folder: Path) -> list[Any]:
    [path] = (folder / 'logs').glob('events.*')
    return [Event.FromString(record) for record in records(path)]


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [
        (event.step, value.tag, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
    ]


def test_tensorboard_gets_every_metric(tmp_path: Path) -> None:
    writer = TensorBoard()
    writer.on_start(observed_run(tmp_path, step=0))
    writer.on_steps(np.array([1]), {'loss': np.array([0.5]), 'accuracy': np.array([0.25])})
    writer.on_evaluation(2, {'loss': 0.75}, {}, {})
    writer.on_end('finished')
    expected = [(1, 'train/loss', 0.5), (1, 'train/accuracy', 0.25), (2, 'val/loss', 0.75)]
    assert scalars(tmp_path) == expected
    assert events(tmp_path)[0].file_version == 'brain.Event:2'


def test_tensorboard_hides_the_events_that_a_continued_run_repeats(tmp_path: Path) -> None:
    """A session that starts at a step makes TensorBoard drop that step and all after it."""
    fresh, continued = tmp_path / 'fresh', tmp_path / 'continued'
    for folder, step in ((fresh, 0), (continued, 7)):
        writer = TensorBoard()
        writer.on_start(observed_run(folder, step))
        writer.on_steps(np.array([step + 1]), {'loss': np.array([1.0])})
        writer.on_end('finished')
    starts = [
        [event.step for event in events(folder) if event.session_log.status == START]
        for folder in (fresh, continued)
    ]
    assert starts == [[], [8]]
    assert scalars(continued) == [(8, 'train/loss', 1.0)]
