"""JSON lines survive a kill: a torn line is dropped, and a continued run writes the same bytes again."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.runs import json_lines
from engine.runs.json_lines import JsonLines

LINES = [{'step': step, 'loss': step / 10} for step in (1, 2, 3)]


def written(path: Path, *lines: dict[str, Any], step: int = 0) -> None:
    file = JsonLines(path, step)
    for line in lines:
        file.write(line)
    file.close()


def test_lines_come_back(tmp_path: Path) -> None:
    written(tmp_path / 'a.jsonl', *LINES)
    assert json_lines.read(tmp_path / 'a.jsonl') == LINES
    assert json_lines.read(tmp_path / 'nowhere.jsonl') == []
    assert [json.loads(line) for line in (tmp_path / 'a.jsonl').read_text().splitlines()] == LINES


@pytest.mark.parametrize('length', range(1, len('{"step": 3, "loss": 0.3}\n')))
def test_a_torn_last_line_is_left_out_wherever_it_was_torn(length: int, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    written(path, *LINES)
    path.write_bytes(path.read_bytes()[:-length])
    assert json_lines.read(path) == LINES[:2]


def test_a_torn_letter_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'{"step": 1}\n{"step": 2, "name": "' + 'ü'.encode()[:1])
    assert json_lines.read(path) == [{'step': 1}]


@pytest.mark.parametrize('step', [0, 1, 2, 3, 9])
def test_continuing_from_a_step_drops_later_lines(step: int, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    written(path, *LINES)
    with path.open('a') as file:
        file.write('{"step": 4, "lo')
    written(path, {'step': step + 1}, step=step)
    expected = [line for line in LINES if line['step'] <= step] + [{'step': step + 1}]
    assert path.read_text() == ''.join(json.dumps(line) + '\n' for line in expected)


def test_a_continued_file_has_the_same_bytes(tmp_path: Path) -> None:
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
    assert json_lines.read(tmp_path / 'a.jsonl') == LINES[:1]
    file.close()
