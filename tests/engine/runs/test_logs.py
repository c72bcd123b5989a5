"""Plain files that survive a kill: JSON lines, JSON, TensorBoard events, the terminal's text."""

import json
import logging
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2

from engine.runs import logs
from engine.runs.logs import Events, JsonLines

Event: Any = vars(event_pb2)['Event']  # made at run time, so that no type checker sees it
START = vars(event_pb2)['SessionLog'].START

LINES = [{'step': step, 'loss': step / 10} for step in (1, 2, 3)]


def written(path: Path, *lines: dict[str, Any], step: int = 0) -> None:
    file = JsonLines(path, step)
    for line in lines:
        file.write(line)
    file.close()


def test_lines_come_back(tmp_path: Path) -> None:
    written(tmp_path / 'a.jsonl', *LINES)
    assert logs.read(tmp_path / 'a.jsonl') == LINES
    assert logs.read(tmp_path / 'nowhere.jsonl') == []
    assert [json.loads(line) for line in (tmp_path / 'a.jsonl').read_text().splitlines()] == LINES


@pytest.mark.parametrize('length', range(1, len('{"step": 3, "loss": 0.3}\n')))
def test_a_torn_last_line_is_left_out_wherever_it_was_torn(length: int, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    written(path, *LINES)
    path.write_bytes(path.read_bytes()[:-length])
    assert logs.read(path) == LINES[:2]


def test_a_torn_letter_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'{"step": 1}\n{"step": 2, "name": "' + 'ü'.encode()[:1])
    assert logs.read(path) == [{'step': 1}]


@pytest.mark.parametrize('step', [0, 1, 2, 3, 9])
def test_going_on_from_a_step_drops_what_comes_after_it(step: int, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    written(path, *LINES)
    with path.open('a') as file:
        file.write('{"step": 4, "lo')
    written(path, {'step': step + 1}, step=step)
    expected = [line for line in LINES if line['step'] <= step] + [{'step': step + 1}]
    assert path.read_text() == ''.join(json.dumps(line) + '\n' for line in expected)


def test_the_same_lines_are_the_same_bytes_after_going_on(tmp_path: Path) -> None:
    whole, cut = tmp_path / 'whole.jsonl', tmp_path / 'cut.jsonl'
    lines = [{'step': 1, 'loss': 0.1 + 0.2}, {'step': 2, 'loss': float('nan')}, {'step': 3, 'loss': 1e-45}]
    written(whole, *lines)
    written(cut, *lines[:2])
    written(cut, lines[2], step=2)
    assert cut.read_bytes() == whole.read_bytes()


def test_flushed_lines_can_be_read_while_the_file_is_open(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / 'a.jsonl', 0)
    file.write(LINES[0])
    file.flush()
    assert logs.read(tmp_path / 'a.jsonl') == LINES[:1]
    file.close()


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    """Whoever has the old file open reads the old text to its end."""
    path = tmp_path / 'a.json'
    assert logs.read_json(path) == {}
    logs.write_json(path, {'a': 1})
    with path.open() as old:
        logs.write_json(path, {'b': [2, None]})
        assert json.load(old) == {'a': 1}
    assert logs.read_json(path) == {'b': [2, None]}
    assert [each.name for each in tmp_path.iterdir()] == ['a.json']


def test_json_that_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    logs.write_json(path, {'a': 1})
    with pytest.raises(TypeError):
        logs.write_json(path, {'a': object()})
    assert logs.read_json(path) == {'a': 1}


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
    [path] = folder.glob('events.*')
    return [Event.FromString(record) for record in records(path)]


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [
        (event.step, value.tag, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
    ]


def test_tensorboard_is_told_every_metric(tmp_path: Path) -> None:
    writer = Events(tmp_path, 0)
    writer.write('train', 1, {'loss': 0.5, 'accuracy': 0.25})
    writer.write('val', 2, {'loss': 0.75})
    writer.close()
    expected = [(1, 'train/loss', 0.5), (1, 'train/accuracy', 0.25), (2, 'val/loss', 0.75)]
    assert scalars(tmp_path) == expected
    assert events(tmp_path)[0].file_version == 'brain.Event:2'


def test_tensorboard_hides_what_a_continued_run_undoes(tmp_path: Path) -> None:
    """A session that starts at a step makes TensorBoard drop that step and all after it."""
    fresh, continued = tmp_path / 'fresh', tmp_path / 'continued'
    for folder, step in ((fresh, 0), (continued, 7)):
        writer = Events(folder, step)
        writer.write('train', step + 1, {'loss': 1.0})
        writer.close()
    starts = [
        [event.step for event in events(folder) if event.session_log.status == START]
        for folder in (fresh, continued)
    ]
    assert starts == [[], [8]]
    assert scalars(continued) == [(8, 'train/loss', 1.0)]


def test_the_terminal_gets_plain_lines_and_the_file_their_times(
    loggers: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.to_terminal()
    logs.to_terminal()  # a second program in one process says nothing twice
    logs.to_file(tmp_path / 'train.log')
    logs.logger.info('step %d', 3)
    assert capsys.readouterr() == ('step 3\n', '')
    text = (tmp_path / 'train.log').read_text()
    assert text.endswith('Z INFO step 3\n')
    assert len(text.split('Z')[0]) == len('2026-11-22T17:30:05')


def test_libraries_are_silent(loggers: None, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        logs.silence_libraries()
        warnings.warn_explicit('noise', DeprecationWarning, 'file.py', 1, module='orbax.checkpoint')
        with pytest.raises(UserWarning):
            warnings.warn_explicit('ours', UserWarning, 'file.py', 1, module='engine')
    for name in ('absl', 'jax', 'orbax', 'tensorboardX'):
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)  # errors are raised as well
