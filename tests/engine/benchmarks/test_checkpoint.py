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
    assert [row['chosen'] for row in summary['milliseconds'].values()] == ['direct', 'Orbax']
    for row in summary['milliseconds'].values():
        assert row['direct: cost'] == pytest.approx(row['direct: waits'], rel=0.5)
        assert row['Orbax: CPU'] > row['direct: CPU'] > 0
        assert row['Orbax: cost'] > row['Orbax: waits'] > 0
    assert len(summary['beside_a_step']['medians']) == 5
    assert len(summary['bounds']) == 3


def test_the_cost_counts_what_runs_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, 'cores', lambda: 2)
    assert checkpoint.Save(wait=1, whole=9, cpu=5, waiting_cpu=1).cost == 3
    assert checkpoint.Save(wait=1, whole=1, cpu=0.9, waiting_cpu=1).cost == 1
