"""A training in which everything is due at some step. Tests change copies of it only."""

from pathlib import Path

import pytest

from tests.engine.training.event_runs import EVERYTHING, config, train


@pytest.fixture(scope='session')
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config in which everything is due; the learning rate soon makes the loss worse."""
    return config(tmp_path_factory.mktemp('everything'), *EVERYTHING, STEPS='STEPS = 60', RATE='RATE = 0.07')


@pytest.fixture(scope='session')
def whole(everything: Path) -> Path:
    """An undisturbed run of it."""
    assert train(everything, everything.parent / 'whole') == 0
    return everything.parent / 'whole'
