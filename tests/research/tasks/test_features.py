"""Features by a frozen network against convolutions done place by place."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from research.tasks.features import Convolutions

RANDOM = np.random.default_rng(0)
IMAGES: Any = RANDOM.integers(0, 256, (3, 4, 4, 1), np.uint8)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return {
        'kernel_0': RANDOM.normal(size=(3, 3, 1, 5)).astype(np.float16),
        'bias_0': RANDOM.normal(size=5).astype(np.float16),
        'kernel_1': RANDOM.normal(size=(3, 3, 5, 6)).astype(np.float16),
        'bias_1': RANDOM.normal(size=6).astype(np.float16),
        'halve': np.array([False, True]),
    }


@pytest.fixture
def file(tmp_path: Path, arrays: Any) -> Path:
    np.savez(tmp_path / 'network.npz', **arrays)
    return tmp_path / 'network.npz'


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    result = np.zeros((*image.shape[:2], kernel.shape[-1]))
    for y, x in np.ndindex(image.shape[:2]):
        result[y, x] = np.tensordot(padded[y : y + 3, x : x + 3], kernel, 3)
    return result


def test_features_of_each_image(file: Path, arrays: Any) -> None:
    result = np.asarray(Convolutions(str(file))(IMAGES))
    assert (result.shape, result.dtype) == ((3, 6), np.float32)
    arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
    for image, features in zip(IMAGES, result, strict=True):
        x = np.maximum(convolved(image / 127.5 - 1, arrays['kernel_0']) + arrays['bias_0'], 0)
        x = x.reshape(2, 2, 2, 2, -1).max((1, 3))
        x = np.maximum(convolved(x, arrays['kernel_1']) + arrays['bias_1'], 0)
        np.testing.assert_allclose(features, x.mean((0, 1)), rtol=1e-5, atol=1e-6)


def test_it_is_named_with_its_digest(file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert Convolutions(str(file)).describe() == {'extractor': str(file), 'extractor_sha256': digest}


def test_a_missing_file() -> None:
    with pytest.raises(UserError, match=r'there is no .*/data/none\.npz: bind Convolutions\.file'):
        Convolutions('data/none.npz').describe()
