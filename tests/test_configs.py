"""Every config in configs/ keeps its promises. A new config is tested as soon as it is there.

What a config says decides what it is:

base         leaves values `%gin.REQUIRED` for the configs that include it
experiment   binds `Trainer.task`
evaluation   lies in configs/evaluation/ and binds the evaluator
overlay      is given after an experiment, which it changes

By default each experiment and each overlay is built, traced and trained for three steps on toy data, by the
command that its header states. An overlay's command may name any experiment, or none: `configs/<name>.gin`.
With `scripts/test.sh --all`, each experiment must also pass the checks of `scripts/check.sh`.

An experiment whose header has a line `Hardware` is for a GPU or a TPU. By default it is built and traced.
With `--all` it is trained by the last command of its header, which makes it small enough for a CPU, and not
checked. A dataset of images `tfds:<name>` is replaced by random images with its shapes and classes.
"""

import dataclasses
import re
import shlex
from collections.abc import Callable, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import outputs, workspace
from engine.checks import catalogue, exceptions
from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import FAIL
from engine.commands import bound_evaluator, train
from engine.config import reading
from engine.config.bindings import REQUIRED
from engine.config.config import Config
from engine.config.statements import Binding, Macro
from engine.datasets.catalogue import builders
from engine.datasets.catalogue.names import TFDS, DatasetName
from engine.datasets.expressions import expression
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.parts import datasets
from engine.runs import json_lines
from engine.training.trainer import Trainer
from engine.training.validation.evaluation_set import EvaluationSet
from engine.workspace import REPOSITORY

CONFIGS = sorted((REPOSITORY / 'configs').rglob('*.gin'))
DEBUG = REPOSITORY / 'configs/debug.gin'
INITIALISED = 'trainer.Trainer.init_from = None'
STAND_IN_CLASSES = 8  # of a stand-in dataset that have images in val and test
SHORT = ('trainer.Trainer.steps = 3', 'trainer.Trainer.batch_size = 8')


@cache
def bindings(path: Path) -> tuple[Binding, ...]:
    """Returns the bindings of a file, those of the files that it includes first."""
    return tuple(binding for text in reading.read_files([path]).texts for binding in text.bindings)


def role(path: Path) -> str:
    """Returns what a config is; 'unreadable' if it fails `test_a_config_can_be_read`."""
    if path.is_relative_to(REPOSITORY / 'configs/evaluation'):
        return 'evaluation'
    try:
        final = {binding.key: binding for binding in bindings(path)}.values()
    except Exception:  # whatever a module raises that the config imports
        return 'unreadable'
    if any(is_required(binding) and not binding.location.included for binding in bindings(path)):
        return 'base'
    names_task = any(binding.target is Trainer and binding.parameter == 'task' for binding in final)
    return 'experiment' if names_task else 'overlay'


def is_required(binding: Binding) -> bool:
    return binding.value == Macro(REQUIRED)


ROLES = {path: role(path) for path in CONFIGS}


def of_role(*roles: str) -> list[Path]:
    return [path for role in roles for path in CONFIGS if ROLES[path] == role]


EXPERIMENTS = of_role('experiment')


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def header(path: Path) -> list[str]:
    """Returns the comment that a config opens with, without its marks."""
    comment = takewhile(lambda line: line.startswith('#'), path.read_text(encoding='utf-8').splitlines())
    return [line.removeprefix('#').strip() for line in comment]


def command(path: Path, script: str) -> list[str]:
    """Returns the arguments of the last command of a script in a config's header, [] if there is none."""
    lines = [line for line in header(path) if line.startswith(f'{script} ')]
    return shlex.split(lines[-1])[1:] if lines else []


def training_command(path: Path) -> list[str]:
    arguments = command(path, 'scripts/train.sh')
    return [argument.replace('configs/<name>.gin', some_experiment()) for argument in arguments]


def some_experiment() -> str:
    """Returns the name of an experiment; skips the test in a project that has none yet."""
    small = next((path for path in EXPERIMENTS if not needs_accelerator(path)), None)
    return named(small) if small else pytest.skip('there is no experiment yet')


def toy(dataset: str) -> str:
    name = DatasetName.parse(dataset)
    return stand_in(dataset) if name.source == TFDS else name.toy


@cache
def features_of(dataset: str) -> Any:
    return builders.builder(dataset).info.features


def decoded(dataset: str) -> list[str]:
    """Returns bindings that decode the files of a stand-in to the one size of a dataset's images, if any."""
    if DatasetName.parse(dataset).source != TFDS or None in (shape := features_of(dataset)['image'].shape):
        return []
    return [
        'trainer.Trainer.decode = @stand_in/engine.parts.crops.Crops()',
        f'stand_in/engine.parts.crops.Crops.size = {shape[0]}',
    ]


@cache
def stand_in(dataset: str) -> str:
    """Returns the name of a dataset of random images with the shapes and classes of a dataset of TFDS."""
    features, random = features_of(dataset), np.random.default_rng(0)
    shape = features['image'].shape
    folder = workspace.workspace() / 'stand_in' / DatasetName.parse(dataset).slug
    for number, label in enumerate(features['label'].names):
        for split in ['train', *(['val', 'test'] if number < STAND_IN_CLASSES else [])]:
            pixels = random.integers(0, 256, [side or random.integers(80, 100) for side in shape], np.uint8)
            path = folder / split / label / 'image.png'
            path.parent.mkdir(parents=True)
            Image.fromarray(pixels.squeeze()).save(path)
    return f'images:{folder}'


def needs_accelerator(path: Path) -> bool:
    """Whether a config's header names hardware that its experiment needs."""
    return any(line.startswith('Hardware') for line in header(path))


def written(value: Any, scope: str) -> tuple[str, list[str]]:
    """Returns a value as a config writes it, and the bindings, in scopes of their own, of what it builds."""
    if isinstance(value, tuple):
        items = [written(item, f'{scope}_{index}') for index, item in enumerate(value)]
        return f'({"".join(f"{text}, " for text, _ in items)})', [
            line for _, lines in items for line in lines
        ]
    if not dataclasses.is_dataclass(value):
        return repr(value), []
    target = f'{scope}/{type(value).__module__}.{type(value).__qualname__}'
    parameters, lines = dict(vars(value)), []
    for name, parameter in (parameters | parameters.pop('others', {})).items():  # of `datasets.Named`
        text, more = written(parameter, f'{scope}_{name}')
        lines += [f'{target}.{name} = {text}', *more]
    return f'@{target}()', lines


def rebound(parameter: str, value: Any) -> list[str]:
    """Returns bindings that give a parameter a value that is built of classes."""
    text, lines = written(value, f'toy_{parameter.rpartition(".")[2]}')
    return [f'{parameter} = {text}', *lines]


def expressions_on_toy_data(trainer: Trainer) -> list[str]:
    """Returns bindings of the toy forms of dataset expressions, those of evaluation sets too."""
    validate: tuple[Any, ...] = trainer.validate
    sets = [each for each in validate if not isinstance(each, str)]
    own = trainer.dataset
    lines = [] if own is None or isinstance(own, str) else rebound('trainer.Trainer.dataset', own.toy())
    if all(isinstance(each.dataset, str) for each in sets):
        return lines
    toys = tuple(
        each
        if isinstance(each, str)
        else dataclasses.replace(each, dataset=each.dataset and expression.toy(each.dataset))
        for each in validate
    )
    return lines + rebound('trainer.Trainer.validate', toys)


def on_toy_data(paths: Sequence[Path], trainer: Trainer) -> list[str]:
    """Returns bindings of the toy forms of all datasets that a config names, those of evaluation sets too.

    Args:
      paths: of the config.
      trainer: what it builds.
    """
    dataset = trainer.dataset
    known = [binding for path in paths for binding in bindings(path)]
    macros = {binding.owner: binding.value for binding in known if not binding.target}
    others = {
        str(binding): macros[binding.value.name] if isinstance(binding.value, Macro) else binding.value
        for binding in known
        if is_replaced_by_toy(binding) and binding.target is EvaluationSet
    }
    others = {parameter: name for parameter, name in others.items() if isinstance(name, str)}
    own = {'trainer.Trainer.dataset': dataset} if isinstance(dataset, str) else {}
    names = own | others
    lines = [f'{parameter} = {toy(name)!r}' for parameter, name in names.items() if name]
    lines += decoded(dataset) if isinstance(dataset, str) else []
    return lines + expressions_on_toy_data(trainer)


def toy_bindings(paths: Sequence[Path], trainer: Trainer) -> list[str]:
    """Returns bindings that put an experiment on toy data, and that initialise it if its source is missing.

    A source of trained variables, such as a run, is often not where the tests run.
    """
    return [*on_toy_data(paths, trainer), *([] if has_source(trainer) else [INITIALISED])]


def has_source(trainer: Trainer) -> bool:
    """Whether an experiment can read the trained variables that it starts from, if there are any."""
    try:
        return trainer.init_from is None or bool(trainer.init_from.origin())
    except UserError:
        return False


def toy_config(*paths: Path) -> Config:
    """Returns a config whose datasets are the toy forms of those that it names."""
    return Config(paths, toy_bindings(paths, Config(paths).build(Trainer)))


def train_briefly(program: Any, arguments: list[str], run: Path) -> None:
    """Trains for three steps on toy data, and checks the log and the outputs."""
    parsed = train.parser().parse_args(arguments)
    trainer = Config(parsed.gin_file, parsed.gin_bindings).build(Trainer)
    on_toy = toy_bindings([*map(Path, parsed.gin_file)], trainer)
    short = [f'--gin_bindings={binding}' for binding in (*SHORT, *on_toy)]
    code, out, err = program('train', *arguments, *short, f'--run={run}')
    assert code == 0, err
    assert out.splitlines()[-1] == f'run: {run}'
    assert [line['step'] for line in json_lines.read(run / 'logs' / 'train.jsonl')] == [1, 2, 3]
    for split in trainer.predict:
        assert outputs.read(run / 'outputs' / split).ids


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize('path', CONFIGS, ids=named)
def test_a_config_can_be_read(path: Path) -> None:
    """A wrong statement, or an import that is not installed, fails here and nowhere else."""
    assert bindings(path)


@pytest.mark.parametrize('path', CONFIGS, ids=named)
def test_a_config_opens_with_what_it_is(path: Path) -> None:
    assert re.match(r'[A-Z0-9].*\.', ' '.join(header(path)) or 'no header')
    assert not header(path)[0].startswith('scripts/')


def test_evaluation_sets_get_toy_data_too(config_file: Callable[..., Path]) -> None:
    path = config_file(
        'from engine.training.validation import evaluation_set',
        "FAR = 'shapes'",
        "SETS = ('val', @a/evaluation_set.EvaluationSet(), @evaluation_set.EvaluationSet())",
        'trainer.Trainer.validate = %SETS',
        'a/evaluation_set.EvaluationSet.dataset = %FAR',
        "evaluation_set.EvaluationSet.split = 'test'",
    )
    trainer = toy_config(path).build(Trainer)
    expected = ('val', EvaluationSet('shapes/toy', 'test'), EvaluationSet('', 'test'))
    assert (trainer.dataset, trainer.validate) == ('digits/toy', expected)


def test_expressions_get_toy_data_too(config_file: Callable[..., Path]) -> None:
    path = config_file(
        'from engine.training.validation import evaluation_set',
        "trainer.Trainer.validate = ('val', @evaluation_set.EvaluationSet())",
        'evaluation_set.EvaluationSet.dataset = @datasets.Fold()',
        "datasets.Fold.dataset = 'digits'",
        'datasets.Fold.fold = 1',
        'datasets.Fold.folds = 5',
        'datasets.Named.main = @datasets.First()',
        'datasets.Named.aside = @datasets.Mixture()',
        "datasets.Named.multiples = {'aside': 2}",
        "datasets.Mixture.datasets = ('digits', @datasets.First())",
        "datasets.First.dataset = 'digits'",
        'datasets.First.count = 500',
        STEPS='from engine.parts import datasets\nSTEPS = 14',
        dataset='  dataset = @datasets.Named()',
    )
    config = toy_config(path)
    trainer = config.build(Trainer)
    first = datasets.First('digits/toy', 30)
    aside = datasets.Mixture(('digits/toy', first))
    assert trainer.dataset == datasets.Named(first, {'aside': 2}, aside=aside)
    assert trainer.validate == ('val', EvaluationSet(datasets.Fold('digits/toy', 1, 5)))
    trainer.check()
    config.check()


TRAINED = [
    pytest.param(path, marks=[pytest.mark.slow] if needs_accelerator(path) else [])
    for path in of_role('experiment', 'overlay')
]


@pytest.mark.parametrize('path', TRAINED, ids=named)
def test_a_config_trains_by_the_command_in_its_header(path: Path, program: Any, tmp_path: Path) -> None:
    assert f'--gin_file={named(path)}' in training_command(path)
    train_briefly(program, training_command(path), tmp_path / 'run')


@pytest.mark.parametrize('path', of_role('evaluation'), ids=named)
def test_a_config_of_the_evaluator_builds_it(path: Path) -> None:
    assert f'--gin_file={named(path)}' in command(path, 'scripts/eval.sh')
    evaluator, _ = bound_evaluator.build([named(path)], [])
    assert evaluator != Evaluator()


@pytest.mark.parametrize('path', EXPERIMENTS, ids=named)
def test_stated_exceptions_name_checks_and_reasons(path: Path) -> None:
    exceptions.stated(path, catalogue.ALL)


@cache
def experiment_under_test(path: Path) -> ExperimentUnderTest:
    """Returns the experiment of a config, on toy data."""
    return ExperimentUnderTest(toy_config(path).build(Trainer))


@pytest.mark.slow
@pytest.mark.parametrize('check', catalogue.CONFORMANCE)
@pytest.mark.parametrize('path', [path for path in EXPERIMENTS if not needs_accelerator(path)], ids=named)
def test_an_experiment_passes_the_checks(path: Path, check: str) -> None:
    stated = exceptions.stated(path, catalogue.ALL)
    ((_, finding),) = catalogue.run(experiment_under_test(path), stated, [check])
    assert finding.verdict != FAIL, f'{finding.result}\n{finding.advice}'


def used_places(path: Path) -> set[str]:
    """Builds an experiment and returns the places, `file:line`, of the bindings that took effect."""
    config = toy_config(path)
    config.build(Trainer).check()
    config.check()
    return {
        re.sub(r' \(inherited .*', '', line.rpartition('# ')[2]) for line in config.explain().splitlines()
    }


def is_replaced_by_toy(binding: Binding) -> bool:
    return binding.target in (Trainer, EvaluationSet) and binding.parameter == 'dataset'


def test_each_binding_of_an_included_file_serves_an_experiment() -> None:
    included = {
        str(binding.location)
        for path in of_role('base', 'experiment', 'overlay')
        for binding in bindings(path)
        if binding.location.included and not is_required(binding) and not is_replaced_by_toy(binding)
    }
    assert included - set().union(*map(used_places, EXPERIMENTS)) == set()


@pytest.mark.skipif(not EXPERIMENTS, reason='there is no experiment yet')
def test_each_required_value_is_asked_of_an_experiment() -> None:
    """A base that no experiment includes is dead."""
    asked = {binding.location.file for path in EXPERIMENTS for binding in bindings(path)}
    assert {named(path) for path in of_role('base')} <= asked


@pytest.mark.parametrize('path', EXPERIMENTS, ids=named)
def test_debug_shortens_every_experiment(path: Path) -> None:
    config = toy_config(path, DEBUG)
    trainer = config.build(Trainer)
    trainer.check()
    config.check()
    assert trainer.steps <= 20
