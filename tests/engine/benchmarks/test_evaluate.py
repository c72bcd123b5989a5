"""benchmarks/evaluate.py at small sizes: it runs, and its plain pass agrees with the engine."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from benchmarks import evaluate
from engine import outputs
from engine.workspace import REPOSITORY

SMALL = evaluate.Sizes((2500, 20), (200, 10), (100, 8), compared_resamples=100, rounds=1)


def test_every_part_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main(SMALL)
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0.3 < summary['large']['accuracy'] < 1
    assert 0.05 < summary['large']['evaluation_peak_gb'] < 1
    for part in (summary['large']['passes'], summary['bootstrap'], summary['comparison']):
        assert part['unit'] == 'seconds'
        assert all(number > 0 for number in part['medians'].values())
    assert [bound['at_most'] for bound in summary['bounds'].values()] == [1, 2, 5]


def test_the_outputs_are_valid(tmp_path: Path) -> None:
    folders = [evaluate.write_outputs(tmp_path / str(seed), (2500, 4), 'float16', seed) for seed in range(2)]
    one, two = map(outputs.read, folders)
    schema = json.loads((REPOSITORY / 'docs/outputs.schema.json').read_text())
    jsonschema.validate(json.loads((folders[0] / 'manifest.json').read_text()), schema)
    assert one.arrays['logits'].dtype == np.float16
    assert one.ids == two.ids
    np.testing.assert_array_equal(one.arrays['labels'], two.arrays['labels'])
    assert (one.arrays['logits'] != two.arrays['logits']).any()


def test_a_wrong_plain_pass_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = evaluate.write_outputs(tmp_path / 'outputs', (2500, 4), 'float16')
    predictions, sums = evaluate.numpy_pass(folder)
    assert 0.5 < evaluate.check_agreement(folder) < 1
    monkeypatch.setattr(evaluate, 'numpy_pass', lambda _: (predictions, sums + 0.01))
    with pytest.raises(AssertionError):
        evaluate.check_agreement(folder)
