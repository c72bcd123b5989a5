"""What every kind does at its edges: numbers that are none, no example at all, only one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from engine.outputs.contents import IDS
from tests.engine import sample_outputs

FLOATS = [
    (kind, name)
    for kind in kind_folders.names()
    for name, array in sample_outputs.arrays(kind).items()
    if array.dtype.kind == 'f'
]
GAPS = ('dense', 'targets')  # NaN is no ground truth


def evaluate(folder: Path) -> dict[str, Any]:
    return Evaluator(resamples=100).evaluate(folder)


@pytest.mark.parametrize(('kind', 'name'), FLOATS)
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_what_is_no_number_is_refused_by_name(tmp_path: Path, kind: str, name: str, bad: float) -> None:
    arrays = sample_outputs.arrays(kind)
    arrays[name][(-1,) * arrays[name].ndim] = np.inf if (kind, name) == GAPS else bad
    folder = sample_outputs.write(tmp_path / 'it', kind, arrays=arrays)
    with pytest.raises(UserError, match=rf'{name}\.npy .*(not finite|NaN|wrong log-prob|not a box)'):
        evaluate(folder)
    assert not (folder / 'evaluation').exists()


@pytest.mark.parametrize('kind', kind_folders.names())
def test_no_example_is_refused(tmp_path: Path, kind: str) -> None:
    """Nothing here writes such a folder; someone's program may."""
    folder = sample_outputs.write(tmp_path / 'it', kind)
    manifest = json.loads((folder / outputs.MANIFEST).read_text())
    for name, stated in manifest['arrays'].items():
        none = np.load(folder / f'{name}.npy')[:0]
        np.save(folder / f'{name}.npy', none)
        stated['shape'] = none.shape
    (folder / IDS).write_text('')
    (folder / outputs.MANIFEST).write_text(json.dumps(manifest | {'examples': 0}))
    sample_outputs.seal(folder)
    with pytest.raises(UserError, match='there are no examples'):
        evaluate(folder)


@pytest.mark.parametrize(
    'kind', [each for each in kind_folders.names() if each not in ('generation', 'embeddings')]
)
def test_one_example_has_every_metric_a_number_and_no_doubt(tmp_path: Path, kind: str) -> None:
    """Generation and embeddings refuse one: there is no distance between examples (their own tests)."""
    folder = sample_outputs.write(
        tmp_path / 'it', kind, arrays=sample_outputs.arrays(kind, examples=1), ids=['alone']
    )
    metrics = evaluate(folder)['metrics']
    assert metrics
    for metric in metrics.values():
        if metric['value'] is None:  # such as a correlation
            assert 'is not defined' in metric['note']
            continue
        assert metric['interval'] == pytest.approx([metric['value']] * 2, abs=1e-9)
