"""JSON lines survive a kill: a torn line is dropped, and a continued run writes the same bytes again."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.runs import json_lines
from engine.runs.json_lines import JsonLines
from tests.engine.random_cases import random_cases

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


def test_scalars_of_numpy_and_jax_are_numbers(tmp_path: Path) -> None:
    """As in `for step, loss in zip(steps, metrics['loss'])` of an observer."""
    steps, losses = np.array([3]), np.array([0.5], np.float32)
    written(tmp_path / 'a.jsonl', {'step': steps[0], 'loss': losses[0], 'nan': np.float32('nan')})
    written(tmp_path / 'b.jsonl', {'step': jnp.array(3), 'loss': jnp.array(0.5), 'nan': jnp.array(jnp.nan)})
    for name in ('a.jsonl', 'b.jsonl'):
        assert (tmp_path / name).read_text() == '{"step": 3, "loss": 0.5, "nan": null}\n'


def test_flushed_lines_can_be_read_while_the_file_is_open(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / 'a.jsonl', 0)
    file.write(LINES[0])
    file.flush()
    assert json_lines.read(tmp_path / 'a.jsonl') == LINES[:1]
    file.close()


def parsed_step(line: bytes) -> int | None:
    """Returns the step of a line as JSON has it, None if the line is damaged."""
    try:
        step = json.loads(line).get('step')
    except (ValueError, AttributeError, RecursionError):
        return None
    return step if isinstance(step, int) else None


NUMBERS = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(max_size=6) | st.sampled_from(['step', 'loss', 'val/loss', 'é', '"', '\\'])
VALUES = NUMBERS | st.text(max_size=4) | st.dictionaries(NAMES, NUMBERS, max_size=3) | st.lists(NUMBERS)


@st.composite
def damaged_lines(draw: st.DrawFn) -> bytes:
    """Draws a line as it is written, sometimes with some bytes replaced or removed."""
    line = bytearray(
        json.dumps({'step': draw(st.integers(0, 99))} | draw(st.dictionaries(NAMES, VALUES))).encode()
    )
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(line) - 1))
        line[place : place + draw(st.integers(0, 2))] = draw(
            st.sampled_from(
                [b'', b',', b'"', b'}', b'0', b'-', b'e', b' ', b'.', b':', b'\x00', b'\xff', b'\r']
            )
        )
    return bytes(line).replace(b'\n', b'')


@random_cases(80)
@given(line=damaged_lines())
@example(line=b'{"step": 01}')
@example(line=b'{"step": 1, "a": 01}')
@example(line=b'{"step": 1, "a": 1.}')
@example(line=b'{"step": 1, "a": -}')
@example(line=b'{"step": 1, "a": 1,}')
@example(line=b'{"step": 1, "step": 2}')
@example(line=b'{"step": 1, "a": {"b": 1,}}')
@example(line=b'{"step": 1, "a": {, "b": 1}}')
@example(line=b'{"step": 1, "a": {}}')
@example(line=b'{"step": 1, "a": NaN}')
@example(line=b'{"step": 1}\r')
@example(line=b'{"step": 12345678901234567890}')
@example(line=b'{"loss": 0.5, "step": 7}')
@example(line=b'[' * 9999)
def test_a_line_that_is_not_parsed_is_what_json_accepts(line: bytes, tmp_path: Path) -> None:
    (tmp_path / 'a.jsonl').write_bytes(line + b'\n')
    expected = parsed_step(line)
    assert list(json_lines.lines(tmp_path / 'a.jsonl')) == (
        [] if expected is None else [(expected, line + b'\n')]
    )


@pytest.mark.parametrize(
    'damaged', ['{"step": 2, "loss": 0.x}', '', '{"step": 2', '{"step": 2}}', 'null', '\0']
)
def test_a_damaged_line_in_the_middle_is_dropped(damaged: str, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    sound = [json.dumps(line) + '\n' for line in LINES]
    path.write_text(f'{sound[0]}{damaged}\n{sound[2]}')
    assert json_lines.read(path) == [LINES[0], LINES[2]]
    JsonLines(path, 9).close()
    assert path.read_text() == sound[0] + sound[2]


@pytest.mark.parametrize('order', [(1, 2, 3, 5, 8), (3, 1, 2, 8, 5), (1, 1, 2, 2, 2)])
def test_digests_are_those_of_the_lines_up_to_each_step(order: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    written(path, *({'step': step} for step in order))
    digests = json_lines.digests(path, [4, 0, 2, 8, 99])
    for step in (0, 2, 4, 8, 99):
        kept = ''.join(f'{{"step": {number}}}\n' for number in order if number <= step)
        assert digests[step] == hashlib.sha256(kept.encode()).hexdigest()
        assert digests[step] == hashlib.sha256(json_lines.up_to(path, step)).hexdigest()
    assert json_lines.digests(tmp_path / 'nowhere.jsonl', [1]) == {1: hashlib.sha256().hexdigest()}


def test_a_log_of_a_million_steps_is_read_at_once(tmp_path: Path) -> None:
    """With `log_every = 10`: 100,000 lines, hashed and cut as a start does it."""
    path = tmp_path / 'a.jsonl'
    numbers = ', '.join(f'"metric_{index}": 0.12345678901234567' for index in range(6))
    path.write_text(
        ''.join(f'{{"step": {step}, "epoch": {step / 469}, {numbers}}}\n' for step in range(0, 10**6, 10))
    )
    start = time.process_time()
    before = json_lines.digests(path, range(0, 10**6, 1000))
    file = JsonLines(path, 500_000)
    seconds = time.process_time() - start
    file.close()
    assert file.digest() == before[500_000]
    assert seconds < 1.5  # the time is 0.4 s
