"""The page of predictions: each kind, the order, the bounds, hostile names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets.reading.dataset import Examples
from engine.outputs import Manifest, kind_folders
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures
from engine.prediction import page
from tests.engine import photos, sample_outputs

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.integers(0, 255, (6, 16, 16, 3)).astype(np.uint8)
MASKS = np.zeros((6, 16, 16), np.uint8)
MASKS[:, :4] = 1


def html(kind: str, ids: tuple[str, ...] = (), examples: Examples | None = None, **arrays: Any) -> str:
    classes = arrays.pop('class_names', ())
    ids = ids or tuple(f'ex{index}' for index in range(len(next(iter(arrays.values())))))
    manifest = Manifest(kind, dataset='images:/x/photos', split='images', step=3, class_names=classes)
    return page.html(Outputs(Path('x'), manifest, ids, arrays), examples or Examples([*ids], {}))


KINDS: dict[str, tuple[dict[str, Any], int, str]] = {
    'classification': (
        {'logits': np.eye(6, dtype='f4'), 'inputs': INPUTS, 'class_names': tuple('abcdef')},
        1,
        '<b><bdi>a',
    ),
    'predicted alone': ({'kind': 'classification', 'predicted': np.arange(6)}, 0, '<b><bdi>5'),
    'segmentation': ({'masks': MASKS, 'inputs': INPUTS, 'class_names': ('sky', 'sea')}, 3, 'sea 25.0 %'),
    'many classes': ({'kind': 'segmentation', 'masks': MASKS.astype(np.int32) * 999}, 1, 'class 999 25.0 %'),
    'detection': (
        {
            'boxes': np.array([[1, 2, 5, 9]] * 2, np.float32),
            'scores': np.array([0.9, 0.2], np.float32),
            'classes': np.array([0, 0], np.int32),
            'example': np.array([0, 0], np.int32),
            'inputs': INPUTS,
        },
        1,
        'class 0 0.90',
    ),
    'regression': ({'values': np.full((6, 2), 1.25, np.float32), 'inputs': INPUTS}, 1, '1.25'),
    'image': ({'images': INPUTS, 'inputs': INPUTS}, 2, 'ex5'),
    'varying': (
        {'kind': 'image', 'images': Pictures.of([i[: 4 + n] for n, i in enumerate(INPUTS)])},
        1,
        'ex5',
    ),
    'generation': (
        {'samples': INPUTS, 'features': np.ones((6, 9), np.float32)},
        1,
        'features: 1, 1, 1, 1, ...',
    ),
    'language': ({'log_probs': np.full(6, -2.5, np.float32), 'lengths': np.full(6, 7, np.int32)}, 0, '-2.5'),
}


@pytest.mark.parametrize('name', KINDS)
def test_each_kind_has_a_page(name: str) -> None:
    arrays, pictures, words = KINDS[name]
    arrays = dict(arrays)
    kind = arrays.pop('kind', name)
    ids = tuple(f'ex{index}' for index in range(6))
    text = html(kind, ids, **arrays)
    assert text.count('<figure') == 6
    assert text.count('<image') == 6 * pictures
    assert words in text
    assert ('<rect' in text) == (name == 'detection')
    assert 'Classification of photos' in text or kind != 'classification'


def test_the_least_certain_come_first() -> None:
    sure = np.array([0.9, 0.6, 0.99, 0.7])
    text = html('classification', probabilities=np.stack([sure, 1 - sure], 1), class_names=('cat', 'dog'))
    places = [text.index(f'ex{index}') for index in range(4)]
    assert sorted(range(4), key=places.__getitem__) == [1, 3, 0, 2]


def test_many_examples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, 'MAX_CARDS', 40)
    sure = RANDOM.uniform(0.5, 1, 500)
    sure[::2] = 1 - sure[::2]
    text = html('classification', probabilities=np.stack([sure, 1 - sure], 1), class_names=('cat', 'dog'))
    assert text.count('<figure') == page.MAX_UNCERTAIN + 2 * 20
    assert 'The least certain 20 of 250 examples. predictions.csv has all.' in text
    assert f'<b>{500}</b>' in text


def test_original_photographs_are_shown_whole() -> None:
    examples = photos.examples(4)
    text = html('classification', tuple(examples.ids), examples, predicted=np.array([0, 1, 1, 0]))
    assert text.count('<image') == 4
    assert 'width="60" height="40"' in text  # of the first photograph


def test_hostile_names_are_text() -> None:
    ids = ('<script>alert(1)</script>.jpg', 'a"b.jpg')
    text = html('classification', ids, predicted=np.array([0, 1]), class_names=('<b>', '</section>'))
    assert '<script>alert' not in text
    assert '&lt;script&gt;' in text
    assert '</section>&' not in text


@pytest.mark.parametrize('kind', kind_folders.names())
def test_every_kind_has_a_page_without_labels(kind: str) -> None:
    declared = kind_folders.declaration(kind)
    arrays: Any = {
        name: array for name, array in sample_outputs.arrays(kind).items() if name not in declared.labels
    }
    ids = tuple(f'example {index}' for index in range(sample_outputs.EXAMPLES))
    figures = html(kind, ids, **arrays).split('<figure')[1:]
    assert len(figures) == len(ids)
    assert all('<image' in figure or figure.count('<bdi>') > 1 for figure in figures)  # more than the id
