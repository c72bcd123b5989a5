"""The trainings that are compared run with tiny sizes where PyTorch is installed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.report import Bound
from engine.datasets.load import load
from engine.workspace import REPOSITORY

INSTALLED = (REPOSITORY / '.venv-peers' / 'installed.txt').exists()


def test_a_text_becomes_the_tokens_of_its_training_split_in_order(tmp_path: Path) -> None:
    text = 'To be, or not to be: that is the question. ' * 40
    (tmp_path / 'text.txt').write_text(text)
    dataset = f'text:{tmp_path / "text.txt"}?length=16'
    arrays = np.load(peers.text_data(tmp_path, dataset))
    vocabulary = load(dataset).spec.notes['vocabulary']['pieces']
    train = ''.join(vocabulary[token] for token in arrays['train'])
    assert text.startswith(train)
    assert len(train) > 0.8 * len(text)
    assert arrays['vocabulary'] == len(set(text))
    assert arrays['val'].shape == (len(arrays['val_lengths']), 17)


def test_the_side_that_begins_changes_from_round_to_round() -> None:
    order: list[str] = []
    measured = peers.in_turn({name: lambda name=name: order.append(name) for name in 'abc'}, 3)
    assert ''.join(order) == 'abccbaabc'
    assert {name: len(numbers) for name, numbers in measured.items()} == {'a': 3, 'b': 3, 'c': 3}


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason='python -m benchmarks.peers.environment installs PyTorch')
def test_all_sides_train_the_digits(tmp_path: Path) -> None:
    case, limits = peers.DIGITS['digits_mlp']
    case = replace(case, steps=12, dataset='digits/toy', batch_size=8)
    data = peers.digits_data(tmp_path, case.dataset)
    numbers, bounds = peers.report_digits('digits_mlp', data, 1, case, limits)
    assert numbers['medians'].keys() == {'template', peers.PLAIN, peers.LIGHTNING}
    assert all(seconds > 0 for seconds in numbers['medians'].values())
    assert [bound.count for bound in bounds.values()] == [1, 1, 1]
    assert all(isinstance(bound, Bound) and bound.measured > 0 for bound in bounds.values())
