"""benchmarks/evaluate.py at small sizes: it runs, and what it compares with says the same."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from benchmarks import evaluate
from engine import outputs
from engine.workspace import REPOSITORY

SMALL = evaluate.Sizes((2500, 20), (200, 10), (100, 8), compared_resamples=100, rounds=1)


def test_it_measures_everything(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main(SMALL)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0.3 < found['large']['accuracy'] < 1
    assert 0.05 < found['large']['evaluation_peak_gb'] < 1
    for part in (found['large']['passes'], found['bootstrap'], found['comparison']):
        assert part['unit'] == 'seconds'
        assert all(number > 0 for number in part['medians'].values())
    assert [bound for _, bound in found['promises'].values()] == [-1, -2, -5]


def test_what_it_writes_is_sound(tmp_path: Path) -> None:
    folders = [evaluate.write(tmp_path / str(seed), (2500, 4), 'float16', seed) for seed in range(2)]
    one, two = map(outputs.read, folders)
    schema = json.loads((REPOSITORY / 'docs/outputs.schema.json').read_text())
    jsonschema.validate(json.loads((folders[0] / 'manifest.json').read_text()), schema)
    assert one.arrays['logits'].dtype == np.float16
    assert one.ids == two.ids
    np.testing.assert_array_equal(one.arrays['labels'], two.arrays['labels'])
    assert (one.arrays['logits'] != two.arrays['logits']).any()


def test_a_plain_pass_that_says_otherwise_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = evaluate.write(tmp_path / 'it', (2500, 4), 'float16')
    predictions, sums = evaluate.plain(folder)
    assert 0.5 < evaluate.check(folder) < 1
    monkeypatch.setattr(evaluate, 'plain', lambda _: (predictions, sums + 0.01))
    with pytest.raises(AssertionError):
        evaluate.check(folder)
