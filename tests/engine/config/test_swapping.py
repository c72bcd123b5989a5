"""An experiment exchanges its model or optimizer by a child config, or on the command line, and trains."""

from pathlib import Path
from typing import Any

import pytest

from engine.config import reading
from tests.test_configs import train_briefly

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
    saved = [
        f'{binding} = {binding.value}'
        for text in reading.read_files([run / 'config.gin']).texts
        for binding in text.bindings
    ]
    assert set(SWAPS[swap]) <= {line.replace('research.models.', '') for line in saved}


@pytest.mark.parametrize('swap', SWAPS)
def test_a_child_config_swaps(swap: str, config_file: Any, program: Any, tmp_path: Path) -> None:
    child = config_file().with_name('child.gin')
    child.write_text('\n'.join(["include 'small.gin'", IMPORTS, *SWAPS[swap], '']))
    train_briefly(program, [f'--gin_file={child}'], tmp_path / 'run')
    assert_swapped(tmp_path / 'run', swap)


@pytest.mark.parametrize('swap', SWAPS)
def test_the_command_line_swaps(swap: str, config_file: Any, program: Any, tmp_path: Path) -> None:
    lines = [line.replace('convnet.', 'research.models.convnet.') for line in SWAPS[swap]]
    arguments = [f'--gin_file={config_file()}', *(f'--gin_bindings={line}' for line in lines)]
    train_briefly(program, arguments, tmp_path / 'run')
    assert_swapped(tmp_path / 'run', swap)
