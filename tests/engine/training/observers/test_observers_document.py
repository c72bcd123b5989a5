"""docs/observers.md keeps its word: its observer works, and its config parses."""

import json
import re
import shutil
import types
from pathlib import Path

import jax.numpy as jnp
import pytest

from engine.config.config import Config
from engine.training.observers.observer import ObserverGroup
from engine.workspace import REPOSITORY

from .observed_run import observed_run

DOCUMENT = (REPOSITORY / 'docs/observers.md').read_text(encoding='utf-8')
(CODE,) = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)
(CONFIG,) = re.findall(r'```gin\n(.*?)```', DOCUMENT, re.DOTALL)


def write_norms(folder: Path, steps: list[int], step: int = 0) -> list[dict[str, float]]:
    """Returns the lines of the file after evaluations of these steps, in a run that continues from `step`."""
    module = types.ModuleType('norms')
    exec(CODE, module.__dict__)
    state = {'params': {'dense': {'kernel': jnp.full(4, 3.0)}}}
    group = ObserverGroup([module.ParameterNorms()])
    with group.watching(observed_run(folder, step)):
        for evaluated in steps:
            group.on_evaluation(evaluated, {}, {}, state)
    return [json.loads(line) for line in (folder / 'logs/norms.jsonl').read_text().splitlines()]


def test_the_observer_writes_a_line_per_evaluation(tmp_path: Path) -> None:
    (tmp_path / 'logs').mkdir()
    expected = [{'step': step, 'dense': 6.0} for step in (10, 20)]
    assert write_norms(tmp_path, [10, 20]) == expected
    assert write_norms(tmp_path, [20], step=15) == expected


def test_the_config_parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(REPOSITORY / 'configs', tmp_path, dirs_exist_ok=True)  # for the config that it includes
    (tmp_path / 'norms.py').write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'norms.gin').write_text(CONFIG.replace('from research.observers import', 'import'))
    Config([tmp_path / 'norms.gin'])
