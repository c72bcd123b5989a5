"""Runs on dataset expressions: they resume to the bit, and other programs know them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import outputs
from engine.commands import experiments
from engine.config.config import Config
from engine.datasets.load import load
from engine.errors import UserError
from engine.files import read_json
from engine.parts.datasets import First, Fold, Mixture, Named
from engine.runs import start
from engine.runs.environment.differences import Differences
from engine.runs.run_folder import Run
from engine.training.logs.metric_logger import MetricLogger
from engine.training.trainer import Trainer
from tests.conftest import run_program, write_config
from tests.engine.training.equal_runs import assert_equal_files, assert_equal_states, predictions, stop_after

IMPORTS = ('from engine.parts import datasets', 'from engine.training.validation import evaluation_set')
NAMED = (
    'trainer.Trainer.dataset = @datasets.Named()',
    'datasets.Named.main = @datasets.First()',
    "datasets.First.dataset = 'digits/toy'",
    'datasets.First.count = 2',
    "datasets.First.field = 'label'",
    'datasets.Named.aside = @datasets.Mixture()',
    "datasets.Named.rest = 'digits/toy'",
    "datasets.Named.multiples = {'aside': 3}",
    "datasets.Mixture.datasets = ('digits/toy', @six/datasets.First())",
    'datasets.Mixture.weights = (1, 2)',
    'six/datasets.First.count = 6',
    "six/datasets.First.field = ''",
)
FOLD = (
    'trainer.Trainer.dataset = @datasets.Fold()',
    "datasets.Fold.dataset = 'digits/toy'",
    'datasets.Fold.fold = 1',
    'datasets.Fold.folds = 4',
    "trainer.Trainer.validate = ('val', @evaluation_set.EvaluationSet())",
    'evaluation_set.EvaluationSet.dataset = @next/datasets.Fold()',
    'next/datasets.Fold.fold = 2',
    "evaluation_set.EvaluationSet.split = 'test'",
    "evaluation_set.EvaluationSet.name = 'next'",
)
TWO_BATCHES = (
    'from tests.engine.training import two_batches',
    'trainer.Trainer.task = @two_batches.TwoBatches()',
)


def config(folder: Path, *lines: str) -> Path:
    """Writes a small config on an expression."""
    path = write_config(folder, STEPS='STEPS = 8')
    text = path.read_text().replace("  dataset = 'digits/toy'\n", '')
    if any('TwoBatches' in line for line in lines):
        text = text.replace('  task = @classification.Classification()\n', '')
        text = text.replace('classification.Classification:', 'two_batches.TwoBatches:')
    imports = [line for line in lines if line.startswith('from ')]
    others = [line for line in lines if line not in imports]
    text = text.replace('import optax\n', '\n'.join(['import optax', *IMPORTS, *imports, '']))
    path.write_text('\n'.join([text, *others, '']))
    return path


@pytest.fixture(scope='module', params=[(*NAMED, *TWO_BATCHES), FOLD], ids=['named', 'fold'])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run."""
    path = config(tmp_path_factory.mktemp('expression'), *request.param)
    assert run_program('train', f'--gin_file={path}', f'--run={path.parent / "whole"}') == 0
    return path.parent / 'whole'


def test_a_run_that_stops_resumes_to_the_bit(
    whole: Path, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ('train', f'--gin_file={whole.parent / "small.gin"}', f'--run={tmp_path / "run"}')
    with monkeypatch.context() as patch:
        patch.setattr(MetricLogger, 'log_steps', stop_after(6))
        assert program(*arguments)[0] != 0
    code, _, err = program('train', f'--run={tmp_path / "run"}')  # from its own config
    assert code == 0, err
    assert_equal_files(
        whole, tmp_path / 'run', ['logs/train.jsonl', 'logs/val.jsonl', *predictions(whole), 'config.gin']
    )
    assert_equal_states(whole, tmp_path / 'run')


def test_the_run_folder_names_the_data_and_its_members(whole: Path) -> None:
    data = Config([whole / 'config.gin']).build(Trainer).data
    recorded = read_json(whole / 'environment.json')['dataset']
    members = {'digits/toy': load('digits/toy').fingerprint}
    assert recorded == {
        'name': data.name,
        'version': data.version,
        'fingerprint': data.fingerprint,
        'members': members,
    }
    assert (whole / 'dataset.md').read_text().count('handwritten digits of 8x8 pixels\n') == 1
    for split in ('val', 'test'):
        found = outputs.read(whole / 'outputs' / split)
        assert (found.manifest.dataset, found.manifest.dataset_fingerprint) == (data.name, data.fingerprint)
        assert list(found.ids) == data.split(split).ids


def test_changed_data_are_named_by_their_member(whole: Path) -> None:
    experiment = Config([whole / 'config.gin']).build(Trainer)
    present = experiments.run_data(experiment)
    run = Run(whole)
    assert run.data_changes(present) == {}
    changed = replace(present, fingerprint='00', members={'digits/toy': '11'})
    assert run.data_changes(changed) == {'digits/toy': (present.members['digits/toy'], '11')}


def test_other_values_of_an_expression_are_no_damage_to_its_members(whole: Path) -> None:
    present = experiments.run_data(Config([whole / 'config.gin']).build(Trainer))
    changes = Run(whole).data_changes(replace(present, fingerprint='00'))
    assert changes == {f'{present.check_name} (values of Trainer.dataset)': (present.fingerprint, '00')}
    with pytest.raises(UserError) as error:
        start.check(Run(whole), Differences({'data': changes}), accept_changes=False, strict=False)
    assert 'Restore the expression' in str(error.value)
    assert 'dataset.sh check' not in str(error.value)


@pytest.mark.slow
def test_other_programs_know_the_run(whole: Path, program: Any, tmp_path: Path) -> None:
    for arguments in (
        ('verify', str(whole), '--outputs'),
        ('predict', str(whole), '--split=train'),
        ('evaluate', str(whole / 'outputs/test')),
        ('check', f'--gin_file={whole.parent / "small.gin"}', f'--output={tmp_path}/checks'),
    ):
        code, out, err = program(*arguments)
        assert 'could not run' not in out
        assert code == 0, (arguments, out, err)


def test_a_config_is_saved_so_that_it_builds_the_same_expression(whole: Path) -> None:
    named = Named(
        First('digits/toy', 2, 'label'),
        {'aside': 3},
        aside=Mixture(('digits/toy', First('digits/toy', 6)), (1, 2)),
        rest='digits/toy',
    )
    built = Config([whole / 'config.gin']).build(Trainer).dataset
    assert built in (named, Fold('digits/toy', 1, 4))


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (("datasets.Named.main = 'digits/toy'",), "Named has no part beside 'main'"),
        (("datasets.Named.x = 'digits/toy'",), 'needs a value for main'),
        (
            ("datasets.Named.main = 'digits/toy'", 'datasets.Named.x = 3'),
            'Named.x takes str | Expression, not 3',
        ),
        (
            ("datasets.Named.main = 'digits/toy'", 'datasets.Named.x = @datasets.First'),
            'it is not called',
        ),
        (
            ("datasets.Named.main = 'digits/toy'", "datasets.Named.image = 'digits/toy'"),
            "the part 'image' of each batch has the name of a field",
        ),
        (
            ("datasets.Named.main = 'digits/toy'", "datasets.Named.index = 'digits/toy'"),
            "the part 'index' of each batch has the name of a field",
        ),
        (
            ("datasets.Named.main = 'digits/toy'", "datasets.Named.x = 'digit'"),
            "There is no dataset 'digit' in data/. Did you mean 'digits'?",
        ),
    ],
)
def test_wrong_parts_are_named_with_their_line(lines: tuple[str, ...], message: str, tmp_path: Path) -> None:
    path = config(tmp_path, 'trainer.Trainer.dataset = @datasets.Named()', *lines)
    with pytest.raises(UserError) as mistake:
        experiments.build(Config([path]), Trainer)
    assert message in str(mistake.value)
    assert 'small.gin:' in str(mistake.value)


def test_lists_are_no_tuples(config_file: Callable[..., Path]) -> None:
    path = config_file(IMPORTS[0], "datasets.Mixture.datasets = ['a', 'b']")
    with pytest.raises(UserError, match=r"write \('a', 'b'\)"):
        Config([path])


def test_other_programs_ask_for_a_member_by_name(program: Any) -> None:
    for command in ('check', 'build', 'explore'):
        code, _, err = program('dataset', command, "Fold('digits', fold=1, folds=5)")
        assert code == 2
        assert 'is an expression: give the name of one of the datasets that it is made of' in err
