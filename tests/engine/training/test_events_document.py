"""docs/events.md keeps its word: its configs build, and its table names all settings with their defaults."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from engine.config.config import Config
from engine.parts.stopping import Patience
from engine.training.experiment import Experiment
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

DOCUMENT = (REPOSITORY / 'docs/events.md').read_text(encoding='utf-8')
CONFIGS = re.findall(r'```gin\n(.*?)```', DOCUMENT, re.DOTALL)
DEFAULTS = re.findall(r'^\| `(\w+)` \| `(.*?)` \|', DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize('text', CONFIGS, ids=['sets', 'stopping'])
def test_its_configs_work(text: str, tmp_path: Path) -> None:
    path = tmp_path / 'document.gin'
    path.write_text(text.replace("include '", f"include '{REPOSITORY / 'configs'}/"))
    config = Config([path])
    trainer = config.build(Trainer)
    trainer.check()
    config.check()
    assert trainer.stop is None or trainer.stop == Patience(min_change=0.001)
    if len(trainer.validate) > 1:
        assert [part.name for part in trainer.validation.sets] == ['val', 'test', 'small']
        assert trainer.best_metric == ('val/accuracy', 'max')


def test_its_table_states_the_defaults() -> None:
    known = {field.name: field.default for field in dataclasses.fields(Experiment)}
    assert len(DEFAULTS) == 9
    assert {name: ast.literal_eval(text) for name, text in DEFAULTS} == {
        name: known[name] for name, _ in DEFAULTS
    }
