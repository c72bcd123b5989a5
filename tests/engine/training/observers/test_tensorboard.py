"""TensorBoard gets every metric once, in its own format."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2

from engine.tensorboard.event_file import EventFile
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


def whole_records(path: Path) -> list[bytes]:
    """What TensorBoard reads of a file that a kill has torn: the records before the torn one."""
    whole = []
    try:
        for record in records(path):
            whole.append(record)
    except (AssertionError, struct.error):
        pass
    return whole


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


def test_a_block_of_steps_is_an_event_for_each_step(tmp_path: Path) -> None:
    """Steps of one, two and five bytes; numbers that float32 rounds, overflows, or calls infinite and NaN."""
    steps = np.array([1, 127, 128, 300, 2**31 + 5])
    metrics = {
        'loss': np.array([0.1, 1e300, -1e300, np.inf, np.nan]),
        'Genauigkeit/größte': np.array([0.0, -0.0, 1e-45, 1e-60, 3.0]),
        'x' * 200: np.arange(5.0),
    }
    writer = TensorBoard()
    writer.on_start(observed_run(tmp_path, step=0))
    writer.on_steps(steps, metrics)
    writer.on_end('finished')
    with np.errstate(over='ignore'):
        expected = [
            (step, f'train/{name}', float(np.float32(values[i])))
            for i, step in enumerate(steps.tolist())
            for name, values in metrics.items()
        ]
    np.testing.assert_equal(scalars(tmp_path), expected)
    assert all(abs(event.wall_time - time.time()) < 60 for event in events(tmp_path))


def test_five_metrics_cost_a_few_microseconds_a_step(tmp_path: Path) -> None:
    """1.7 us of computing time on the machine that this was written on, once 350 us."""
    events, steps = EventFile(tmp_path), np.arange(1000, 1256)
    values = {f'train/{name}': np.linspace(0, 1, 256) for name in 'abcde'}
    seconds = []
    for _ in range(5):
        start = time.process_time()
        events.add_scalars(steps, values)
        seconds.append(time.process_time() - start)
    events.close()
    assert min(seconds) / 256 < 10e-6


def test_a_line_without_metrics_is_an_event(tmp_path: Path) -> None:
    writer = EventFile(tmp_path / 'logs')
    writer.add_scalars(np.array([3, 4]), {})
    writer.close()
    assert [event.step for event in events(tmp_path)] == [0, 3, 4]


@pytest.mark.parametrize('lost', [1, 4, 30, 60])
def test_a_torn_file_is_read_up_to_its_last_whole_event(lost: int, tmp_path: Path) -> None:
    """No later byte depends on closing the file: a killed process has written what it added."""
    writer = EventFile(tmp_path)
    for step in range(3):
        writer.add_scalars(np.array([step]), {'train/loss': np.array([step / 2])})
    [path] = tmp_path.glob('events.*')
    torn = tmp_path / 'torn'
    torn.write_bytes(path.read_bytes()[:-lost])
    writer.close()
    all_records = list(records(path))
    ends = np.cumsum([len(record) + 16 for record in all_records])
    assert whole_records(torn) == all_records[: (ends <= torn.stat().st_size).sum()]


def test_sessions_of_the_same_second_have_files_of_their_own(tmp_path: Path) -> None:
    """TensorBoard reads them in the order of their names."""
    for step in range(12):
        writer = EventFile(tmp_path, step)
        writer.add_scalars(np.array([step]), {'loss': np.array([0.5])})
        writer.close()
    steps = [
        [Event.FromString(data).step for data in records(path)][-1] for path in sorted(tmp_path.iterdir())
    ]
    assert steps == list(range(12))


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
