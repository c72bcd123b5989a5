"""docs/orders.md keeps its word: its configs give batches, and so does its order of one's own."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.config.config import Config
from engine.datasets.orders.order import MAIN
from engine.training.preflight import order
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

DOCUMENT = (REPOSITORY / 'docs/orders.md').read_text(encoding='utf-8')
(CODE,) = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)
CONFIGS = re.findall(r'```gin\n(.*?)```', DOCUMENT, re.DOTALL)
NAMES = [re.findall(r'order = @\w+\.(\w+)\(\)', config)[0] for config in CONFIGS]
SMALL = ("trainer.Trainer.dataset = 'digits/toy'", 'trainer.Trainer.batch_size = 8')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configs and the order, from which modules are imported."""
    shutil.copytree(REPOSITORY / 'configs', tmp_path, dirs_exist_ok=True)  # for the config that is included
    (tmp_path / 'similar_lengths.py').write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def trainer(folder: Path, name: str) -> Trainer:
    """Returns the trainer of a config on small data. Lists name the examples of these data."""
    text = CONFIGS[NAMES.index(name)].replace('from research.orders import', 'import')
    (folder / 'example.gin').write_text(text.replace("'data/digits/", f"'{folder}/"))
    config = Config([folder / 'example.gin'], SMALL)
    built = config.build(Trainer)
    for path in re.findall(r"file = '(.*)'", (folder / 'example.gin').read_text()):
        column = {'weights.csv': 'weight', 'difficulties.csv': 'difficulty'}[Path(path).name]
        rows = [
            f'{identity},{1 + index % 3}' for index, identity in enumerate(built.parts[MAIN].examples.ids)
        ]
        Path(path).write_text('\n'.join([f'id,{column}', *rows]))
    order.check(built)
    config.check()
    return built


def test_all_orders_but_the_plain_ones_have_a_config() -> None:
    assert NAMES == ['Balanced', 'Weighted', 'Curriculum', 'SimilarLengths']


@pytest.mark.parametrize('name', NAMES)
def test_a_config_gives_batches(name: str, folder: Path) -> None:
    built = trainer(folder, name)
    assert type(built.order).__name__ == name
    assert built.batch(10**6)['label'].shape == (8,)


def test_the_order_of_ones_own_forms_batches_of_similar_values(folder: Path) -> None:
    built = trainer(folder, 'SimilarLengths')
    steps = len(built.parts[MAIN].examples) // 8
    epoch = np.array([built.batch(step)['label'] for step in range(steps)])
    assert np.ptp(epoch, axis=1).max() <= 4 < np.ptp(epoch)
    indices = np.concatenate([built.bound_order.indices(step)[MAIN] for step in range(steps)])
    assert len(set(indices.tolist())) == 8 * steps
    assert built.bound_order.ends_epoch(steps)
