"""docs/optimizers.md keeps its word: its configs build, and each trains a step."""

import re
import shutil
from pathlib import Path

import jax
import pytest

from engine.config.config import Config
from engine.training.steps import first_state, key
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

CONFIGS = re.findall(
    r'```gin\n(.*?)```', (REPOSITORY / 'docs/optimizers.md').read_text(encoding='utf-8'), re.DOTALL
)
SMALL = ("trainer.Trainer.dataset = 'digits/toy'", 'trainer.Trainer.batch_size = 8')


@pytest.mark.parametrize('number', range(len(CONFIGS)))
def test_a_config_trains_a_step(number: int, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / 'configs', tmp_path, dirs_exist_ok=True)  # for the config that it includes
    (tmp_path / 'example.gin').write_text(CONFIGS[number])
    config = Config([tmp_path / 'example.gin'], SMALL)
    trainer = config.build(Trainer)
    state = first_state(trainer.bound, key(0, 0))
    after, metrics = jax.eval_shape(trainer.bound.update, state, trainer.batch(0), key(0, 1))
    config.check()
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert 'learning_rate' in metrics
