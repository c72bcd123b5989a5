"""The examples in docstrings run, and what users call most has one."""

import doctest
import importlib
from functools import cache
from pathlib import Path

import pytest

from engine.runs import text_log
from engine.workspace import REPOSITORY

PROMPT = '>>> '
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_name(path: Path) -> str:
    return '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts).removesuffix('.__init__')


MODULES = {
    module_name(path): path
    for folder in ('engine', 'research')
    for path in sorted((REPOSITORY / folder).rglob('*.py'))
    if 'templates' not in path.parts and PROMPT in path.read_text(encoding='utf-8')
}


@cache
def documented(module: str) -> list[doctest.DocTest]:
    """Returns the functions, methods and classes of a module whose docstring has an example."""
    tests = doctest.DocTestFinder().find(importlib.import_module(module))
    return [test for test in tests if test.examples]


@pytest.mark.parametrize('module', MODULES)
def test_examples_print_what_they_show(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(text_log.logger, 'handlers', [])  # of a program that ran in this process before
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in documented(module):
        runner.run(test)
    assert runner.failures == 0, capsys.readouterr().out


@pytest.mark.parametrize('module', MODULES)
def test_every_example_is_run(module: str) -> None:
    """doctest overlooks functions that a decorator has replaced by another object."""
    lines = MODULES[module].read_text(encoding='utf-8').splitlines()
    prompts = sum(line.lstrip().startswith(PROMPT) for line in lines)
    assert sum(len(test.examples) for test in documented(module)) == prompts


# What a project's own code, its configs and its notebooks call.
CALLED_BY_USERS = {
    'engine.config.config.Config',
    'engine.datasets.load.load',
    'engine.datasets.pages.explore.page',
    'engine.evaluation.evaluator.Evaluator.evaluate',
    'engine.interfaces.across_devices',
    'engine.interfaces.average',
    'engine.interfaces.keys_by_row',
    'engine.network.Network',
    'engine.gradients.gradients',
    'engine.outputs.reading.read',
    'engine.outputs.writing.write',
    'engine.parts.augmentation.chain.Chain',
    'engine.parts.augmentation.color_jitter.ColorJitter',
    'engine.parts.augmentation.placement.Crop',
    'engine.parts.augmentation.placement.Flip',
    'engine.parts.augmentation.placement.Shift',
    'engine.parts.augmentation.rand_augment.RandAugment',
    'engine.parts.augmentation.random_erasing.RandomErasing',
    'engine.parts.crops.Crops',
    'engine.parts.losses.cross_entropy',
    'engine.parts.losses.cross_entropy_and_dice',
    'engine.parts.losses.dice',
    'engine.parts.mixing.CutMix',
    'engine.parts.mixing.Mixup',
    'research.tasks.adversarial.Hinge',
    'research.tasks.adversarial.LeastSquares',
    'research.tasks.adversarial.NonSaturating',
    'research.tasks.adversarial.Wasserstein',
    'research.tasks.adversarial.gradient_penalty',
    'research.tasks.features.Convolutions',
}


def test_what_users_call_has_an_example() -> None:
    names = {test.name for module in MODULES for test in documented(module)}
    assert CALLED_BY_USERS - names == set()
