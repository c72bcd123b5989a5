"""A dataset of images of varying size, as files and as a real Dataset+ in a folder of the tests' own."""

import io
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from engine.datasets.reading.dataset import Encoded, Examples
from engine.parts.crops import Crops

BUILDER = """
    from pathlib import Path

    import tensorflow_datasets as tfds


    class Builder(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version('1.0.0')
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name='full'), tfds.core.BuilderConfig(name='toy')]

        def raw_examples(self):
            folder = Path(self.data_dir_root).parent / 'raw'
            splits = ('train', 'val', 'test')
            return {
                split: [(p.stem, p, i % 2) for i, p in enumerate(sorted((folder / split).iterdir()))]
                for split in splits
            }

        def _info(self):
            features = {
                'image': tfds.features.Image(shape=(None, None, 3)),
                'label': tfds.features.ClassLabel(names=['dark', 'light']),
                'id': tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(
                builder=self, disable_shuffling=True, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(each) for split, each in self.raw_examples().items()}

        def _generate_examples(self, examples):
            for name, path, label in examples:
                yield name, {'id': name, 'image': path, 'label': label}
"""


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Returns something like a photograph, uint8 [height, width, 3]: noise of several octaves, a gradient."""
    random, result = np.random.default_rng(seed), np.zeros((height, width, 3))
    for octave in range(1, 8):
        grid = random.normal(size=(2**octave, 2**octave, 3)) * 60 / 1.5**octave
        for channel in range(3):
            coarse = Image.fromarray(grid[..., channel].astype(np.float32))
            result[..., channel] += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    result += np.linspace(-40, 40, width)[None, :, None] + random.normal(size=(height, width, 1)) * 4
    return np.clip(result + 120, 0, 255).astype(np.uint8)


def saved(image: np.ndarray, mode: str, **options: Any) -> bytes:
    """Returns an image in a file format of Pillow's."""
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, **options)
    return file.getvalue()


def files() -> dict[str, bytes]:
    """Returns encoded images of all kinds, by name."""
    image = picture(0, 150, 210)
    return {
        'jpeg 4:2:0': simplejpeg.encode_jpeg(image, quality=90, colorsubsampling='420'),
        'jpeg 4:2:2': simplejpeg.encode_jpeg(image, quality=90, colorsubsampling='422'),
        'jpeg 4:4:4': simplejpeg.encode_jpeg(image, quality=90, colorsubsampling='444'),
        'jpeg of restarts': saved(image, 'RGB', format='JPEG', quality=90, restart_marker_rows=1),
        'progressive jpeg': saved(image, 'RGB', format='JPEG', quality=90, progressive=True),
        'gray jpeg': saved(image, 'L', format='JPEG', quality=90),
        'cmyk jpeg': saved(image, 'CMYK', format='JPEG', quality=90),
        'png': saved(image, 'RGB', format='PNG'),
        'gray png': saved(image, 'L', format='PNG'),
        'png of a palette': saved(image, 'P', format='PNG'),
        'png with opacity': saved(image, 'RGBA', format='PNG'),
    }


def examples(n: int, decode: Any = None) -> Examples:
    """Returns n JPEGs of various sizes, each with a label, to be decoded to 24 pixels."""
    data = [
        simplejpeg.encode_jpeg(picture(i, 40 + 7 * (i % 5), 60 + 11 * (i % 3)), quality=85) for i in range(n)
    ]
    offsets = np.cumsum([0, *map(len, data)])
    encoded = Encoded(np.frombuffer(b''.join(data), np.uint8), offsets, 3)
    labels = np.arange(n, dtype=np.int32) % 2
    return Examples(
        [f'photo-{i}' for i in range(n)], {'label': labels}, {'image': encoded}, decode or Crops(size=24)
    )


def dataset(folder: Path, patch: pytest.MonkeyPatch, sizes: tuple[int, int, int] = (13, 5, 4)) -> Path:
    """Makes a repository with the dataset `photos`, unbuilt; returns where its originals are."""
    (folder / 'data/photos').mkdir(parents=True)
    (folder / 'data/photos/photos_dataset_builder.py').write_text(textwrap.dedent(BUILDER))
    raw = folder / 'workspace/data/photos/raw'
    for split, n in zip(('train', 'val', 'test'), sizes, strict=True):
        (raw / split).mkdir(parents=True)
        images = examples(n).encoded['image']
        for index in range(n):
            (raw / split / f'{split}-{index:02}.jpg').write_bytes(images[index])
    patch.setattr('engine.workspace.REPOSITORY', folder)
    patch.syspath_prepend(folder)
    patch.setenv('WORKSPACE', str(folder / 'workspace'))
    return raw
