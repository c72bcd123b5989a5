"""The sets of a training: which examples, under which names, and what does not fit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError
from engine.interfaces import Spec
from engine.training.validation import validation_sets
from engine.training.validation.evaluation_set import EvaluationSet
from engine.training.validation.validation_sets import ValidationSets, spread
from tests.engine import tiny
from tests.engine.random_cases import random_cases

SIZES = {'train': 20, 'val': 10, 'test': 6, 'empty': 0}


class Built(Dataset):
    """A dataset whose splits are made up."""

    def split(self, name: str) -> Examples:
        examples = tiny.examples(self.splits[name])
        more = {field: np.zeros((len(examples), 3)) for field in self.spec.example if field == 'more'}
        return replace(examples, arrays=examples.arrays | more)


def dataset(name: str = 'digits', spec: Spec = tiny.SPEC) -> Dataset:
    return Built(name, '1.0.0', f'sha of {name}', spec, SIZES, folder=Path())


def bound(
    *validate: str | EvaluationSet, other: Dataset | None = None, count: int | None = None
) -> ValidationSets:
    data = dataset()
    return validation_sets.load_sets(validate, data, lambda name: other or dataset(name), count, ['label'])


def counted(sets: ValidationSets) -> dict[str, float]:
    """Returns a metric `n` of each set: its number of examples."""
    return sets.measured(lambda part: {'n': float(len(part.examples))})


PHOTOS = EvaluationSet('photos', 'test')


@pytest.mark.parametrize(
    ('validate', 'expected'),
    [
        (['val'], {'n': 10}),
        (['test'], {'n': 6}),
        (['val', 'test'], {'val/n': 10, 'test/n': 6}),
        ([EvaluationSet()], {'val/n': 10}),
        (['val', PHOTOS], {'val/n': 10, 'photos-test/n': 6}),
        ([replace(PHOTOS, name='far'), 'train'], {'far/n': 6, 'train/n': 20}),
        ([EvaluationSet('photos/toy', 'val')], {'photos-val/n': 10}),
        ([EvaluationSet('images:/photos', 'val', 'mine')], {'mine/n': 10}),
    ],
    ids=str,
)
def test_names_of_metrics(validate: Any, expected: dict[str, float]) -> None:
    assert counted(bound(*validate)) == expected


def test_a_short_name_is_a_metric_of_the_first_set() -> None:
    sets = bound('test', PHOTOS)
    for name in ('loss', 'test/loss'):
        assert sets.metric(name, 'best', ['loss', 'top/1']) == 'test/loss'
    assert sets.metric('photos-test/loss', 'best', ['loss']) == 'photos-test/loss'
    assert sets.metric('top/1', 'best', ['loss', 'top/1']) == 'test/top/1'
    assert bound('val').metric('top/1', 'best', ['top/1']) == 'top/1'
    line = {'step': 4, 'test/loss': 1.0, 'photos-test/loss': 2.0}
    assert sets.with_short_names(line) == line | {'loss': 1.0}
    assert bound('val').with_short_names({'step': 4, 'loss': 1.0}) == {'step': 4, 'loss': 1.0}


@pytest.mark.parametrize(
    ('name', 'hint'),
    [('los', "Did you mean 'val/loss'"), ('val/los', "Did you mean 'val/loss'"), ('vla/loss', 'val/loss')],
)
def test_an_unknown_metric_gives_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=f'^best: evaluation has no metric {name!r}. .*{hint}'):
        bound('val', 'test').metric(name, 'best', ['loss', 'accuracy'])


def spec(**changed: Any) -> Spec:
    """Returns the spec of the small problem with fields changed; None removes one."""
    fields: dict[str, Any] = dict(tiny.SPEC.example) | changed
    return Spec({name: field for name, field in fields.items() if field is not None}, tiny.SPEC.class_names)


def shaped(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


WORDS = replace(tiny.SPEC, notes={'vocabulary': ('a', 'b'), 'mean': [0.5]})
MISFITS: dict[str, tuple[Spec, str]] = {
    'a field is missing': (spec(label=None), "photos has no field 'label'; it has image"),
    'a shape': (
        spec(image=shaped((8, 8, 1), np.uint8)),
        "its field 'image' is uint8 [8, 8, 1], not uint8 [4, 4, 1]",
    ),
    'a dtype': (
        spec(image=shaped((4, 4, 1), np.uint16)),
        "its field 'image' is uint16 [4, 4, 1], not uint8 [4, 4, 1]",
    ),
    'fewer classes': (
        replace(tiny.SPEC, class_names={'label': ('a', 'b')}),
        "its field 'label' has 2 named classes, not 3",
    ),
    'other classes': (
        replace(tiny.SPEC, class_names={'label': ('a', 'c', 'b')}),
        "class 1 of its field 'label' is 'c', not 'b'",
    ),
    'no names': (replace(tiny.SPEC, class_names={}), "its field 'label' has 0 named classes, not 3"),
}


@pytest.mark.parametrize('misfit', MISFITS)
def test_a_dataset_that_does_not_fit_is_refused_by_its_field(misfit: str) -> None:
    other, problem = MISFITS[misfit]
    with pytest.raises(UserError) as error:
        bound('val', PHOTOS, other=dataset('photos', other))
    expected = "Trainer.validate: 'photos-test' does not fit digits, which the task is trained on: "
    assert str(error.value) == f'{expected}{problem}.'


def test_images_of_varying_size_are_said() -> None:
    other = replace(dataset('photos', spec(image=None)), encoded={'image': 1})
    with pytest.raises(UserError, match="photos has no field 'image' of one size; it has label"):
        bound(PHOTOS, other=other)


def test_another_vocabulary_is_refused_and_other_means_are_not() -> None:
    def of_notes(**notes: Any) -> ValidationSets:
        main, other = (dataset(name, WORDS) for name in ('digits', 'photos'))
        other = replace(other, spec=replace(WORDS, notes=dict(WORDS.notes) | notes))
        return validation_sets.load_sets([PHOTOS], main, lambda _: other, None, ['label'])

    assert of_notes(mean=[0.1])
    with pytest.raises(UserError, match="its note 'vocabulary' is another"):
        of_notes(vocabulary=('b', 'a'))


def test_fields_that_the_task_does_not_know_are_left_out() -> None:
    more = spec(more=shaped((3,), np.float64))
    (part,) = bound(PHOTOS, other=dataset('photos', more)).sets
    assert set(part.examples.arrays) == {'image', 'label'}


@pytest.mark.parametrize(
    ('validate', 'message'),
    [
        ([], 'Trainer.validate is empty'),
        (['val', 'val'], "two sets are called 'val'"),
        (['val', EvaluationSet()], "two sets are called 'val'"),
        ([PHOTOS, EvaluationSet('photos/toy', 'test')], "two sets are called 'photos-test'"),
        (['empty'], "'empty' has no examples"),
    ],
    ids=str,
)
def test_sets_that_cannot_be(validate: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bound(*validate)


@pytest.mark.parametrize('name', ['a/b', 'a b', '\n', '"'])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UserError, match='use letters, digits, dots, dashes and underscores'):
        EvaluationSet(name=name)


def test_other_datasets_are_recorded() -> None:
    assert bound('val', 'test').others() == {}
    sets = bound('val', PHOTOS, EvaluationSet('digits', 'test', 'same'))
    assert list(sets.others()) == ['photos']
    assert sets.origin() == {
        'dataset': {'name': 'digits', 'version': '1.0.0', 'fingerprint': 'sha of digits'},
        'evaluated_datasets': {
            'photos': {'name': 'photos', 'version': '1.0.0', 'fingerprint': 'sha of photos'}
        },
    }


def test_how_many_examples_are_evaluated_is_said() -> None:
    assert bound('val', 'test', count=8).sizes == '8 of 10 examples of val, 6 of 6 examples of test'
    assert [
        None if part.chosen is None else len(part.chosen) for part in bound('val', 'test', count=8).sets
    ] == [
        8,
        None,
    ]


@random_cases(100)
@given(st.integers(1, 300), st.integers(1, 400))
def test_a_subset_is_spread_evenly(n: int, count: int) -> None:
    chosen, size = spread(n, count), min(count, n)
    assert len(chosen) == len(set(chosen.tolist())) == size
    assert list(chosen) == sorted(chosen)
    assert all(n * index // size <= place < n * (index + 1) // size for index, place in enumerate(chosen))
    np.testing.assert_array_equal(chosen, spread(n, count))


def shares(labels: Sequence[int], count: int) -> np.ndarray:
    chosen = np.asarray(labels)[spread(len(labels), count)]
    return np.bincount(chosen, minlength=10) / count


@pytest.mark.parametrize('order', ['sorted', 'taking turns'])
def test_a_subset_has_all_classes_whatever_the_order(order: str) -> None:
    """A fixed stride of 10 would take a single class of a set whose ten classes take turns."""
    labels = np.repeat(np.arange(10), 400) if order == 'sorted' else np.tile(np.arange(10), 400)
    np.testing.assert_allclose(shares(labels.tolist(), 400), 0.1, atol=0.05)
