"""benchmarks/checkpoint.py at small sizes: it runs, and measures both ways whichever is chosen."""

import json

import pytest

from benchmarks import checkpoint
from engine.training.checkpointing import direct


def test_every_part_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    limit = direct.MAX_DIRECT_BYTES
    checkpoint.main({0.01: 1, 9: 1}, large=0.1, rounds=1)
    assert limit == direct.MAX_DIRECT_BYTES
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    [table] = summary['tables'].values()
    rows = [dict(zip(table['titles'], row, strict=True)) for row in table['rows']]
    assert [(row['size'], row['chosen']) for row in rows] == [('0.01 MB', 'direct'), ('9 MB', 'Orbax')]
    for row in rows:
        assert float(row['direct: cost, ms']) == pytest.approx(float(row['direct: waits, ms']), rel=0.5)
        assert float(row['Orbax: CPU, ms']) > 0
        assert float(row['Orbax: cost, ms']) > float(row['Orbax: waits, ms']) > 0
    assert len(summary['beside_a_step']['medians']) == 5
    assert len(summary['bounds']) == 3


def test_the_cost_counts_what_runs_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, 'cores', lambda: 2)
    assert checkpoint.Save(wait=1, whole=9, cpu=5, waiting_cpu=1).cost == 3
    assert checkpoint.Save(wait=1, whole=1, cpu=0.9, waiting_cpu=1).cost == 1
