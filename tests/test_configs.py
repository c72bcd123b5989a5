"""Every config of configs/ keeps its promises: found by itself, so a new one is tested by being there.

What a config is follows from what it says. A base leaves values `%gin.REQUIRED` for those that include it; an
experiment binds `Trainer.task`; the rest are overlays, given after an experiment. Experiments and overlays
state in their header the command that runs them: that very command is tried, on toy data and for a few steps.
That of an overlay may name any experiment, or none: `configs/<name>.gin`.
"""

import re
import shlex
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from engine.checks import catalogue, exceptions
from engine.checks.finding import FAIL
from engine.checks.subject import Subject
from engine.commands import train
from engine.config import config, reading
from engine.config.bindings import REQUIRED
from engine.config.statements import Binding, Macro
from engine.outputs import outputs
from engine.runs import json_lines
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

CONFIGS = sorted((REPOSITORY / 'configs').rglob('*.gin'))
SLOW = {'devices'}  # it compiles each program four times
CHECKS = [
    pytest.param(check, marks=pytest.mark.slow) if check in SLOW else check for check in catalogue.CONFORMANCE
]
SHORT = ('trainer.Trainer.steps = 3', 'trainer.Trainer.batch_size = 8')


@cache
def bindings(path: Path) -> tuple[Binding, ...]:
    """Returns the bindings of a file, those that it includes first."""
    return tuple(each for source in reading.read_file(path) for each in source.bindings)


def is_required(binding: Binding) -> bool:
    return binding.value == Macro(REQUIRED)


def is_experiment(path: Path) -> bool:
    final = {binding.key: binding for binding in bindings(path)}.values()
    names_task = any(binding.target is Trainer and binding.parameter == 'task' for binding in final)
    return names_task and not is_base(path)


def is_base(path: Path) -> bool:
    return any(is_required(binding) and not binding.location.included for binding in bindings(path))


EXPERIMENTS = [path for path in CONFIGS if is_experiment(path)]
OVERLAYS = [path for path in CONFIGS if not is_experiment(path) and not is_base(path)]


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def header(path: Path) -> list[str]:
    """Returns the comment that a config opens with, without its marks."""
    comment = takewhile(lambda line: line.startswith('#'), path.read_text().splitlines())
    return [line.removeprefix('#').strip() for line in comment]


def command(path: Path) -> list[str]:
    """Returns the arguments of the command in a config's header."""
    script = 'scripts/train.sh '
    line = next((line for line in header(path) if line.startswith(script)), '')
    return [part.replace('configs/<name>.gin', some_experiment()) for part in shlex.split(line)[1:]]


def some_experiment() -> str:
    """Returns the name of an experiment; skips the test in a project that has none yet."""
    return named(EXPERIMENTS[0]) if EXPERIMENTS else pytest.skip('there is no experiment yet')


def on_toy_data(dataset: str) -> str:
    return f"trainer.Trainer.dataset = '{dataset.partition('/')[0]}/toy'"


def train_a_little(program: Any, arguments: list[str], run: Path) -> None:
    """Trains as the arguments say, for three steps on toy data, and sees that all is there that it owes."""
    given = train.parser().parse_args(arguments)
    trainer = config.Config(given.gin_file, given.gin_bindings).build(Trainer)
    short = [f'--gin_bindings={binding}' for binding in (*SHORT, on_toy_data(trainer.dataset))]
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
def test_a_config_opens_with_what_it_is(path: Path) -> None:
    assert re.match(r'[A-Z0-9].*\.', ' '.join(header(path)) or 'no header')
    assert not header(path)[0].startswith('scripts/')


@pytest.mark.parametrize('path', EXPERIMENTS + OVERLAYS, ids=named)
def test_a_config_trains_by_the_command_in_its_header(path: Path, program: Any, tmp_path: Path) -> None:
    assert f'--gin_file={named(path)}' in command(path)
    train_a_little(program, command(path), tmp_path / 'run')


@cache
def subject(path: Path) -> Subject:
    """Returns an experiment on toy data, to be checked."""
    trainer = config.Config([path]).build(Trainer)
    return Subject(config.Config([path], (on_toy_data(trainer.dataset),)).build(Trainer))


@pytest.mark.parametrize('check', CHECKS)
@pytest.mark.parametrize('path', EXPERIMENTS, ids=named)
def test_an_experiment_passes_the_checks(path: Path, check: str) -> None:
    stated = exceptions.stated(path, catalogue.ALL)
    ((_, finding),) = catalogue.run(subject(path), stated, [check])
    assert finding.verdict != FAIL, f'{finding.found}\n{finding.advice}'


def used_places(path: Path) -> set[str]:
    """Builds an experiment and returns the places, `file:line`, of the bindings that took effect."""
    settings = config.Config([path])
    settings.build(Trainer).check()
    settings.check()
    return {line.rpartition('# ')[2] for line in settings.explain().splitlines()}


def test_each_binding_of_an_included_file_serves_an_experiment() -> None:
    included = {
        str(binding.location)
        for path in CONFIGS
        for binding in bindings(path)
        if binding.location.included and not is_required(binding)
    }
    assert included - set().union(*map(used_places, EXPERIMENTS)) == set()


@pytest.mark.skipif(not EXPERIMENTS, reason='there is no experiment yet')
def test_each_required_value_is_asked_of_an_experiment() -> None:
    """A base that no experiment includes is dead."""
    asked = {binding.location.file for path in EXPERIMENTS for binding in bindings(path)}
    assert {named(path) for path in CONFIGS if is_base(path)} <= asked


@pytest.mark.parametrize('path', EXPERIMENTS, ids=named)
def test_debug_shortens_every_experiment(path: Path) -> None:
    settings = config.Config([path, REPOSITORY / 'configs/debug.gin'])
    trainer = settings.build(Trainer)
    trainer.check()
    settings.check()
    assert trainer.steps <= 20


IMPORTS = """
from __gin__ import dynamic_registration
from research.models import convnet
from engine.parts import classification
import optax
"""
SWAPS = {
    'the optimizer': ['classification.Classification.optimizer = @optax.sgd', 'optax.sgd.momentum = 0.9'],
    'the model': ['classification.Classification.model = @convnet.ConvNet', 'convnet.ConvNet.stages = 1'],
}


def assert_swapped(run: Path, swap: str) -> None:
    """Asserts that the run's own config says what the swap says, perhaps by longer names of modules."""
    saved = [f'{binding} = {binding.value}' for binding in bindings(run / 'config.gin')]
    assert set(SWAPS[swap]) <= {line.replace('research.models.', '') for line in saved}


@pytest.mark.parametrize('swap', SWAPS)
def test_a_child_config_swaps(swap: str, config_file: Any, program: Any, tmp_path: Path) -> None:
    child = config_file().with_name('child.gin')
    child.write_text('\n'.join(["include 'small.gin'", IMPORTS, *SWAPS[swap], '']))
    train_a_little(program, [f'--gin_file={child}'], tmp_path / 'run')
    assert_swapped(tmp_path / 'run', swap)


@pytest.mark.parametrize('swap', SWAPS)
def test_the_command_line_swaps(swap: str, config_file: Any, program: Any, tmp_path: Path) -> None:
    lines = [line.replace('convnet.', 'research.models.convnet.') for line in SWAPS[swap]]
    arguments = [f'--gin_file={config_file()}', *(f'--gin_bindings={line}' for line in lines)]
    train_a_little(program, arguments, tmp_path / 'run')
    assert_swapped(tmp_path / 'run', swap)
