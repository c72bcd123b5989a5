"""docs/from-pytorch.md keeps its word: its code runs, its task fits, and all that it binds exists."""

import doctest
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from engine.commands import train
from engine.config import bindable
from engine.config.config import Config
from engine.interfaces import Spec
from engine.workspace import REPOSITORY
from tests.conftest import HAS_EXAMPLES

DOCUMENT = (REPOSITORY / 'docs/from-pytorch.md').read_text(encoding='utf-8')
TASK, IMPORTS, *TRAPS = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)
(CONFIG,) = re.findall(r'```gin\n(.*?)```', DOCUMENT, re.DOTALL)
# What the tables say of this template: the cells on the right.
HERE = '\n'.join(line.rpartition(' | ')[2] for line in DOCUMENT.splitlines() if line.startswith('| '))
MODULES = {
    'augmentation': 'engine.parts',
    'classification': 'engine.parts',
    'crops': 'engine.parts',
    'evaluation_set': 'engine.training.validation',
    'linen': 'engine.parts',
    'mixing': 'engine.parts',
    'mlp': 'research.models',
    'nnx': 'flax',
    'optimizers': 'engine.parts',
    'orders': 'engine.parts',
    'pretrained': 'engine.parts',
    'scaling': 'engine.parts',
    'sharding': 'engine',
    'stopping': 'engine.parts',
    'trainer': 'engine.training',
}
NAMES = sorted(
    set(re.findall(r'(?<![\w.])([a-z_]+)\.([A-Z]\w+)(?:\.([a-z_]+))?', HERE)) - {('gin', 'REQUIRED', '')}
)
BINDINGS = sorted(set(re.findall(r'`((?:\w+/)?[a-z_]+\.[A-Z]\w+\.[a-z_]+ ?= ?[^`]+)`', HERE)))
OPTAX = sorted(set(re.findall(r'\boptax\.([a-z_.]*\w)', DOCUMENT)))
PARTS: dict[str, Any] = {'model': nnx.Linear, 'optimizer': optax.adamw, 'learning_rate': 0.1}
needs_examples = pytest.mark.skipif(not HAS_EXAMPLES, reason='needs the examples, which this project dropped')


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Runs a block, compares what it gives with what it shows, and returns the names that it leaves."""
    failures: list[str] = []
    test = doctest.DocTestParser().get_doctest(code, names, 'block', 'docs/from-pytorch.md', 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=failures.append, clear_globs=False)
    assert test.examples
    assert not failures, ''.join(failures)
    return test.globs


def test_the_code_gives_what_it_shows() -> None:
    names = run(IMPORTS, {'__name__': 'document'})
    for code in TRAPS:
        names = run(code, names)


@needs_examples
def test_the_task_can_be_trained(program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'focal.py').write_text(TASK, encoding='utf-8')
    monkeypatch.syspath_prepend(str(tmp_path))
    text = CONFIG.replace("include '", f"include '{REPOSITORY}/configs/")
    path = tmp_path / 'focal.gin'
    path.write_text(text.replace('from research.tasks import focal', 'import focal'), encoding='utf-8')
    toy = ["trainer.Trainer.dataset='digits/toy'", 'BATCH_SIZE=8']
    code, out, err = program('train', f'--gin_file={path}', '--dry_run', *toy)
    assert (code, err) == (0, '')
    assert re.search(
        r'focal.Focal.augment = @augmentation.Shift\(\) .*inherited from classification.Class', out
    )
    assert re.search(r'focal.Focal.gamma = 1.0 +# .*focal.gin:\d+\n', out)


def test_the_loss_of_the_task() -> None:
    """A gamma of 0 is cross-entropy; equal probabilities have the first loss."""
    names: dict[str, Any] = {'__name__': 'research.tasks'}
    exec(TASK, names)
    batch, logits = {'label': jnp.array([0, 1])}, jnp.array([[1.0, 0.0], [0.0, 0.0]])
    spec = Spec({}, class_names={'label': ('cat', 'dog')})
    usual, focal = (names['Focal'](**PARTS, gamma=gamma) for gamma in (0.0, 2.0))
    assert usual.per_example(logits, batch)['loss'].tolist() == pytest.approx([0.313262, 0.693147], rel=1e-5)
    assert focal.per_example(logits, batch)['loss'].tolist() == pytest.approx([0.022658, 0.173287], rel=1e-4)
    assert focal.first_loss(spec) == pytest.approx(0.173287, rel=1e-4)


@pytest.mark.parametrize('name', ['.'.join(filter(None, name)) for name in NAMES])
def test_what_the_document_names_exists(name: str) -> None:
    module, kind, parameter = (*name.split('.'), '')[:3]
    target = getattr(import_module(f'{MODULES[module]}.{module}'), kind)
    assert not parameter or bindable.takes(target, parameter)


@pytest.mark.parametrize('binding', BINDINGS)
def test_what_the_document_binds_can_be_bound(binding: str, tmp_path: Path) -> None:
    imports = [f'from {package} import {module}' for module, package in MODULES.items()]
    path = tmp_path / 'binding.gin'
    header = [
        'from __gin__ import dynamic_registration',
        *imports,
        'import optax',
        'import research.models.mlp',
    ]
    path.write_text('\n'.join([*header, binding, '']), encoding='utf-8')
    Config([path])


@pytest.mark.parametrize('name', OPTAX)
def test_what_the_document_takes_from_optax_exists(name: str) -> None:
    target: Any = import_module('optax')
    parts = name.split('.')
    for index, part in enumerate(parts):
        if callable(target):
            assert parts[index:] == [part] and bindable.takes(target, part)
        else:
            target = getattr(target, part)


def test_the_flags_exist() -> None:
    known = train.parser().format_help() + '--kind --gin_file --logdir'
    flags = set(re.findall(r'(?<![\w-])--[a-z_]+', HERE))
    assert {flag for flag in flags if flag not in known} == set()
