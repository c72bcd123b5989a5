"""Fixtures that the tests of the engine share."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.runs.text_log import logger
from engine.workspace import REPOSITORY
from tests.conftest import write_config
from tests.engine.browser import browser, show

__all__ = ['browser', 'show']


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the engine reads; move it with `clock.now += seconds`."""
    clock = Clock()
    monkeypatch.setattr('time.monotonic', clock)
    return clock


class _LineHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that the engine has logged."""
    handler, level = _LineHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def loggers() -> Iterator[None]:
    """Restores the loggers after the test."""
    names = ('engine', 'absl', 'asyncio', 'jax', 'orbax')
    before = {name: vars(logging.getLogger(name)).copy() for name in names}
    handlers = logger.handlers[:]
    logger.handlers = []
    yield
    for handler in logger.handlers:
        handler.close()
    for name, values in before.items():
        vars(logging.getLogger(name)).update(values)
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined] (of levels)
    logger.handlers = handlers


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `classification`: save(logits, labels, ...) -> folder."""

    def write(logits: Any, labels: Any = None, name: str = 'test', **more: Any) -> Path:
        dtype = more.pop('dtype', 'float32')
        arrays: dict[str, np.ndarray] = {more.pop('array', 'logits'): np.asarray(logits, dtype)}
        if labels is not None:
            arrays['labels'] = np.asarray(labels, np.int32)
        ids = [f'example {index}' for index in range(len(logits))]
        outputs.write(
            tmp_path / name,
            outputs.Manifest('classification', **{'dataset': 'animals', 'split': 'test', **more}),
            arrays,
            ids,
            dict.fromkeys(arrays, 'of the test'),
        )
        return tmp_path / name

    return write


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, trained in a process of its own."""
    folder = tmp_path_factory.mktemp('trained')
    flags = [f'--gin_file={write_config(folder)}', f'--run={folder / "run"}']
    done = subprocess.run(
        [sys.executable, '-m', 'engine.commands.train', *flags],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '2'},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f'run: {folder / "run"}'
    assert done.stderr == ''
    return folder / 'run'
