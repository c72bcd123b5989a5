"""Replaces the few functions of TensorFlow with which TFDS and its builders open files and encode PNG images.

Most builders of the catalogue need no others. A builder that does is refused with a message. If TensorFlow is
installed, it is used instead.
"""

import contextlib
import glob
import importlib.util
import io
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
from PIL import Image
from tensorflow_datasets.core.features import image_feature
from tensorflow_datasets.core.utils import lazy_imports_utils

from engine.errors import UserError

ADVICE = (
    'Install it (.venv/bin/python -m pip install tensorflow) and build again. Once the dataset is built, '
    'nothing needs TensorFlow.'
)
OPEN_FILES = 4096  # TFDS sorts records of more than 1 GB in 1,000 files


class _PartialModule(ModuleType):
    """A module of TensorFlow that has only the given functions."""

    def __init__(self, dataset: str, name: str, **functions: Any):
        super().__init__(name)
        self._dataset = dataset
        vars(self).update(functions)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith('__'):
            raise AttributeError(name)
        raise UserError(
            f'{self._dataset} can only be built with TensorFlow, because it uses {self.__name__}.{name}. '
            f'{ADVICE}'
        )


class _Errors(ModuleType):
    """Stand-ins for TensorFlow's exceptions. None of them is ever raised."""

    def __getattr__(self, name: str) -> type[Exception]:
        return type(name, (Exception,), {})


def _tensorflow(dataset: str) -> ModuleType:
    gfile = _PartialModule(
        dataset,
        'tf.io.gfile',
        GFile=_open,
        copy=_copy,
        exists=lambda path: Path(path).exists(),
        glob=lambda pattern: sorted(glob.glob(os.fspath(pattern))),  # noqa: PTH207 (patterns are absolute)
        isdir=lambda path: Path(path).is_dir(),
        listdir=os.listdir,
        remove=lambda path: Path(path).unlink(),
        makedirs=lambda path: Path(path).mkdir(parents=True, exist_ok=True),
        walk=os.walk,
    )
    compat = _PartialModule(dataset, 'tf.compat', as_text=_as_text, as_bytes=_as_bytes)
    files = _PartialModule(dataset, 'tf.io', gfile=gfile)
    return _PartialModule(dataset, 'tf', io=files, compat=compat, errors=_Errors('tf.errors'))


def _open(path: Any, mode: str = 'r') -> Any:
    return Path(path).open(mode, encoding=None if 'b' in mode else 'utf-8')


def _copy(source: Any, target: Any, overwrite: bool = False) -> None:
    if Path(target).exists() and not overwrite:
        raise FileExistsError(target)
    shutil.copyfile(source, target)


def _as_text(value: str | bytes, encoding: str = 'utf-8') -> str:
    return value.decode(encoding) if isinstance(value, bytes) else value


def _as_bytes(value: str | bytes, encoding: str = 'utf-8') -> bytes:
    return value.encode(encoding) if isinstance(value, str) else value


def _png(encoder: Any, image: np.ndarray) -> bytes:
    """Encodes an image, uint8 or uint16 [H, W, C], as PNG, as TFDS does with TensorFlow."""
    if encoder.encoding_format == 'png' and image.dtype == np.uint16 and image.shape[-1] in (1, 3):
        return _deep_png(image)
    if encoder.encoding_format != 'png' or image.dtype != np.uint8:
        raise UserError(
            f'Only TensorFlow encodes {image.dtype} images as {encoder.encoding_format}. {ADVICE}'
        )
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, 'PNG')
    return file.getvalue()


def _deep_png(image: np.ndarray) -> bytes:
    """Encodes an image, uint16 [H, W, 1 or 3], as PNG, which Pillow cannot do in colour."""
    import cv2

    is_encoded, encoded = cv2.imencode('.png', np.ascontiguousarray(image[..., ::-1]))
    assert is_encoded
    return encoded.tobytes()


def _allow_open_files(count: int) -> None:
    """Lets this process open so many files, if the system permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def without_tensorflow(dataset: str) -> Iterator[None]:
    """Makes TFDS use these functions inside the block, unless TensorFlow is installed."""
    if importlib.util.find_spec('tensorflow'):
        yield
        return
    _allow_open_files(OPEN_FILES)
    encoder: Any = image_feature._ImageEncoder
    encode, encoder._encode_image = encoder._encode_image, _png
    # TFDS keeps the loaded TensorFlow here. In `sys.modules`, others would take it for the whole package.
    loaded: Any = vars(lazy_imports_utils.tensorflow)
    loaded['_module'] = _tensorflow(dataset)
    try:
        yield
    finally:
        encoder._encode_image = encode
        del loaded['_module']
