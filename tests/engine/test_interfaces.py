"""What a dataset promises: which names of classes belong to a task."""

import jax
import numpy as np
import pytest

from engine.errors import UserError
from engine.interfaces import Description, Spec

LABEL, SPECIES, SEXES = ('label', ('a', 'b')), ('species', ('x', 'y', 'z')), ('sex', ('f', 'm'))
FIELDS = {name: jax.ShapeDtypeStruct((), np.int32) for name in ('label', 'species', 'sex', 'age', 'boxes')}


@pytest.mark.parametrize(
    ('truth', 'field', 'names'),
    [
        ({'labels': 'species'}, 'species', ('x', 'y', 'z')),
        ({'labels': 'label'}, 'label', ('a', 'b')),
        ({'true_boxes': 'boxes', 'true_classes': 'species'}, 'species', ('x', 'y', 'z')),
        ({'targets': 'age'}, 'age', ()),  # a regression has no classes, whatever else the dataset names
        ({}, '', ()),
    ],
)
def test_the_names_are_those_of_the_tasks_own_label(
    truth: dict[str, str], field: str, names: tuple[str, ...]
) -> None:
    spec, description = Spec(FIELDS, dict([LABEL, SPECIES, SEXES])), Description('any', {}, truth)
    assert spec.label_field(description) == field
    assert spec.task_classes(description) == names


def test_a_task_without_truth_gets_the_only_names_there_are() -> None:
    """A generator draws images by class, and its first batch is shown with their names."""
    assert Spec(FIELDS, dict([LABEL])).task_classes(Description('generation', {})) == ('a', 'b')
    assert Spec(FIELDS, dict([LABEL, SEXES])).task_classes(Description('generation', {})) == ()


def test_missing_names_are_refused_by_field() -> None:
    spec = Spec(FIELDS, dict([LABEL, SEXES]))
    spec.require_classes('classification', 'sex', 'name them')
    with pytest.raises(UserError) as error:
        spec.require_classes('classification', 'species', 'name them')
    assert str(error.value) == (
        "classification needs the classes of 'species'; in this dataset those of 'label' and 'sex' have "
        'names: name them.'
    )
    with pytest.raises(UserError, match='no field names any'):
        Spec(FIELDS).require_classes('classification', 'species', 'name them')
