"""The observer `Performance` in real trainings that are slow on purpose."""

from pathlib import Path
from typing import Any

import pytest

from engine.runs import json_lines
from engine.training.cost import counting

OBSERVERS = """
from engine.training.observers import performance
from tests.engine.training.observers import slow_parts
trainer.Trainer.observers = [@performance.Performance(), @slow_parts.SlowObserver()]
"""
SLOW = {
    'order': (
        'from tests.engine.training.observers import slow_parts\n'
        'trainer.Trainer.order = @slow_parts.SlowOrder()',
        'The loop waits for data ',
        'data',
    ),
    'observer': (OBSERVERS, 'Observers take ', 'observers'),
}


@pytest.mark.parametrize('slow', SLOW)
def test_what_is_slow_is_named(
    slow: str, config_file: Any, program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, 'DELAY_SECONDS', 0)  # short trainings count no operations
    lines, start, kind = SLOW[slow]
    config, run = config_file(lines, STEPS='STEPS = 20'), tmp_path / 'run'
    code, out, error = program('train', f'--gin_file={config}', f'--run={run}')
    assert (code, error) == (0, '')
    text = (run / 'logs' / 'performance.txt').read_text()
    assert text.startswith(start)
    assert text.partition('\n')[0] in out
    assert ' floating-point operations per step and device: ' in text
    assert 'No peak of the device ' in text
    written = json_lines.read(run / 'logs' / 'performance.jsonl')
    assert [line['step'] for line in written] == [4, 8, 12, 15, 19, 20]
    seconds = [line['seconds'] for line in written]
    assert sum(each.get(kind, 0) for each in seconds) > 0.4
    for line in written:
        kinds = {name: value for name, value in line['seconds'].items() if name not in ('busy', 'total')}
        assert sum(kinds.values()) == pytest.approx(line['seconds']['total'], abs=1e-4)
        assert 0 <= line['device_busy'] <= 1
        assert line['peak_process_bytes'] > 1e7
        assert 'mfu' not in line
