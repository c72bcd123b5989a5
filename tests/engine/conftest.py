"""What tests of the engine share."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.outputs import outputs
from engine.runs.text_log import logger


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the engine goes by; move it with `clock.now += seconds`."""
    clock = Clock()
    monkeypatch.setattr('time.monotonic', clock)
    return clock


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that the project has logged."""
    kept, level = _Kept(), logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept.lines
    logger.removeHandler(kept)
    logger.setLevel(level)


@pytest.fixture
def loggers() -> Iterator[None]:
    """Leaves the loggers as they were."""
    names = ('engine', 'absl', 'asyncio', 'jax', 'orbax', 'tensorboardX')
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
            kind='classification',
            arrays=arrays,
            ids=ids,
            meanings=dict.fromkeys(arrays, 'of the test'),
            **{'dataset': 'animals', 'split': 'test', **more},
        )
        return tmp_path / name

    return write
