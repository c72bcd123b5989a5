"""The few functions of TensorFlow that TFDS's builders open files with and write PNG by, without TensorFlow.

Most builders of the catalogue need no others. One that does is told of; TensorFlow, once installed, is used.
"""

import contextlib
import glob
import importlib.util
import io
import os
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

CURE = (
    'install it beside the rest (.venv/bin/python -m pip install tensorflow) and build again. Once the '
    'dataset is built, nothing needs it.'
)


class _Functions(ModuleType):
    """A part of TensorFlow, with what is given of it."""

    def __init__(self, dataset: str, name: str, **given: Any):
        super().__init__(name)
        self._dataset = dataset
        vars(self).update(given)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith('__'):
            raise AttributeError(name)
        raise UserError(
            f'{self._dataset} can only be built by TensorFlow, for it uses {self.__name__}.{name}: {CURE}'
        )


class _Errors(ModuleType):
    """TensorFlow's exceptions, none of which is ever raised."""

    def __getattr__(self, name: str) -> type[Exception]:
        return type(name, (Exception,), {})


def _tensorflow(dataset: str) -> ModuleType:
    gfile = _Functions(
        dataset,
        'tf.io.gfile',
        GFile=_open,
        copy=_copy,
        exists=lambda path: Path(path).exists(),
        glob=lambda pattern: sorted(glob.glob(os.fspath(pattern))),  # noqa: PTH207 (patterns are absolute)
        isdir=lambda path: Path(path).is_dir(),
        listdir=os.listdir,
        makedirs=lambda path: Path(path).mkdir(parents=True, exist_ok=True),
        walk=os.walk,
    )
    compat = _Functions(dataset, 'tf.compat', as_text=_as_text, as_bytes=_as_bytes)
    files = _Functions(dataset, 'tf.io', gfile=gfile)
    return _Functions(dataset, 'tf', io=files, compat=compat, errors=_Errors('tf.errors'))


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
    """Returns an image [H, W, C] as PNG, in place of TFDS's function, which has TensorFlow do it."""
    if encoder.encoding_format != 'png' or image.dtype != np.uint8:
        raise UserError(
            f'Only TensorFlow encodes these images, {image.dtype} as {encoder.encoding_format}: {CURE}'
        )
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, 'PNG')
    return file.getvalue()


@contextlib.contextmanager
def without_tensorflow(dataset: str) -> Iterator[None]:
    """Lends TFDS these functions for as long as a dataset is built, unless TensorFlow is installed."""
    if importlib.util.find_spec('tensorflow'):
        yield
        return
    encoder: Any = image_feature._ImageEncoder
    encode, encoder._encode_image = encoder._encode_image, _png
    # Where TFDS keeps TensorFlow once loaded; who looks into `sys.modules` would take it for whole.
    loaded: Any = vars(lazy_imports_utils.tensorflow)
    loaded['_module'] = _tensorflow(dataset)
    try:
        yield
    finally:
        encoder._encode_image = encode
        del loaded['_module']
