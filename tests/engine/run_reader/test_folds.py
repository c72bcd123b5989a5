"""The fold of a run, as its config.gin states it in whatever form."""

import pytest

from engine.run_reader.folds import HeldOutFold
from engine.run_reader.settings import differences, parse

TEXT = """\
from engine.parts import datasets

FOLD = 2
SEED = 1
WIDTH = 8

datasets.Fold.dataset = 'digits'
datasets.Fold.fold = %FOLD
datasets.Fold.folds = 5
mlp.MLP.width = %WIDTH
mlp.MLP.shift = %FOLD
trainer.Trainer.dataset = @datasets.Fold()
trainer.Trainer.seed = %SEED
"""
NAMED = """trainer.Trainer.dataset = @datasets.Named()
datasets.Named.main = @labelled/datasets.Fold()
datasets.Named.others = {'unlabelled': @datasets.First()}"""


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'datasets.Fold.': 'a/b/fold.Fold.', '@datasets.Fold': '@a/b/fold.Fold'},
        {'%FOLD\ndatasets': '2\ndatasets'},
        {'trainer.Trainer.dataset = @datasets.Fold()': NAMED, 'datasets.Fold.': 'labelled/datasets.Fold.'},
        {'@datasets.Fold()': '%DATA\nDATA = @datasets.Fold()'},
        {"'digits'": '"digits"', 'FOLD = 2': 'FOLD = 2  '},
    ],
)
def test_the_fold_of_a_config(changes: dict[str, str]) -> None:
    text = TEXT
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    settings = parse(text)
    assert settings.fold == HeldOutFold(2, 5, 'digits')
    assert not any(name.endswith('.fold') for name in settings.values)


def test_folds_and_seeds_are_no_difference() -> None:
    other = TEXT.replace('FOLD = 2', 'FOLD = 0').replace('SEED = 1', 'SEED = 7')
    assert differences([parse(TEXT), parse(other)]) == {}
    assert parse(TEXT).values == parse(other).values
    assert parse(TEXT).values['mlp.MLP.shift'] == '%FOLD'
    assert differences([parse(TEXT), parse(other.replace('WIDTH = 8', 'WIDTH = 9'))]) == {'WIDTH': ['8', '9']}


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('dataset = @datasets.Fold()', "dataset = 'digits'"),  # another part of the config uses it
        ('datasets.Fold.fold = %FOLD', 'datasets.KFold.fold = 2'),
        ('datasets.Fold.folds = 5', ''),
        ('datasets.Fold.fold = %FOLD', 'datasets.Fold.fold = %OTHER'),
        ('datasets.Fold.fold = %FOLD', 'a/datasets.Fold.fold = 2\nb/datasets.Fold.fold = 3'),
        ('= %FOLD', '= -1'),
    ],
)
def test_no_fold_or_several(old: str, new: str) -> None:
    assert old in TEXT
    assert parse(TEXT.replace(old, new)).fold is None


def test_two_scopes_of_the_same_fold_are_one() -> None:
    text = TEXT.replace(
        'datasets.Fold.fold = %FOLD', 'a/datasets.Fold.fold = %FOLD\nb/datasets.Fold.fold = 2'
    )
    settings = parse(
        text.replace(
            '= @datasets.Fold()',
            '= @datasets.Mixture()\ndatasets.Mixture.datasets = [@a/datasets.Fold(), @b/datasets.Fold()]',
        )
    )
    assert settings.fold == HeldOutFold(2, 5, 'digits')
    assert 'b/datasets.Fold.fold' not in settings.values
