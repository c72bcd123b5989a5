from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research import outputs


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
