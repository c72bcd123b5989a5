"""benchmarks/overhead.py at small sizes: both sides train alike, and every part of a training is measured."""

import re
from pathlib import Path

import pytest

from benchmarks import overhead
from engine.runs import json_lines
from engine.training.checkpointing.checkpoints import Checkpoints

STEPS = 60
CASE = overhead.Case('digits_mlp', STEPS, at_least=0.9, most_blocked=0.01, dataset='digits/toy', batch_size=8)


def test_both_sides_train_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save = Checkpoints.save
    measured = overhead.template(CASE, tmp_path)
    assert Checkpoints.save is save
    assert 0 < measured.blocked < measured.seconds
    assert measured.picture > 0
    assert measured.cpu_seconds > 0
    logs = tmp_path / 'run/logs'
    train, val = (json_lines.read(logs / name) for name in ('train.jsonl', 'val.jsonl'))
    capsys.readouterr()

    accuracy = CASE.reference().run(tmp_path)
    evaluations = re.findall(r'^step (\d+)  val: loss ([\d.]+)', capsys.readouterr().out, re.MULTILINE)
    losses = [line.split() for line in (tmp_path / 'loss.txt').read_text().splitlines()]
    assert [int(step) for step, _ in losses] == [line['step'] for line in train] == [*range(1, STEPS + 1)]
    assert [int(step) for step, _ in evaluations] == [line['step'] for line in val]
    # Other random numbers, the same maths: the losses fall alike.
    for bare, template in ((losses, train), (evaluations, val)):
        assert float(bare[-1][1]) == pytest.approx(template[-1]['loss'], rel=0.4)
        assert float(bare[-1][1]) < 0.7 * float(losses[0][1])
    assert accuracy == pytest.approx(val[-1]['accuracy'], abs=0.2)


def test_a_case_reports_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = [overhead.Training(seconds, 4.0, blocked, 0.1) for seconds, blocked in ((2, 0.5), (4, 0.5))]
    pairs = [overhead.Pair((1.0, 2.0), trainings[0]), overhead.Pair((4.0, 2.0), trainings[1])]
    monkeypatch.setattr(overhead, 'measure', lambda *_: pairs)
    summary, bounds = overhead.report_case('MLP', CASE, 2)
    assert summary['speed'] == {'median': 0.75, 'low': 0.5, 'high': 1, 'count': 2}
    assert summary['cpu']['median'] == 0.5
    assert summary['blocked']['high'] == 0.25
    assert {name: bound.holds() for name, bound in bounds.items()} == {
        'MLP: speed, bare loop = 1': False,
        'MLP: share of the time in which saves block': False,
    }
