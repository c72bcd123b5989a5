"""Images of fixed size, of 16 bits and of labels, as the arrays of a built dataset hold them."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from engine.datasets import load as loading
from engine.datasets.building.image_fields import ImageField
from engine.datasets.building.tfds_catalogue import AdaptedBuilder
from engine.datasets.pages import explore
from engine.datasets.reading.image_report import ImageReport
from engine.datasets.reading.images import ImageError
from engine.errors import UserError
from tests.engine import photos
from tests.engine.datasets.reading.image_files import picture, saved

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (6, 9, 3), np.uint16)
MASK = RANDOM.integers(0, 3, (6, 9, 1), np.uint8)
PHOTO = Image.fromarray(photos.picture(0, 6, 9))
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0]  # of PASCAL VOC: black, dark red, dark green


def palette_png(labels: np.ndarray, orientation: int | None = None) -> io.BytesIO:
    """Returns labels as PASCAL VOC publishes them, as a PNG of a palette."""
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    return io.BytesIO(saved(image, 'PNG', orientation))


class Plain(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A plain builder of TFDS, with images of fixed sizes."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = []
    damaged: ClassVar[int] = 0

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            'image': tfds.features.Image(shape=(6, 9, 3)),
            'grey': tfds.features.Image(shape=(6, 9, 1)),
            'deep': tfds.features.Image(shape=(6, 9, 3), dtype=np.uint16, encoding_format='png'),
            'mask': tfds.features.LabeledImage(labels=['ground', 'cat', 'dog'], shape=(6, 9, 1)),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in ('train', 'validation', 'test')}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields ten examples: images on their side, of other modes, and some damaged ones."""
        for index in range(10):
            content = saved(PHOTO.transpose(Image.Transpose.ROTATE_90), 'PNG', 6)
            if split == 'train' and index < self.damaged:
                content = content[:-30]
            yield (
                f'{split}{index}',
                {
                    'image': io.BytesIO(content),
                    'grey': io.BytesIO(saved(picture(0, 6, 9, 'LA'), 'PNG')),
                    'deep': DEEP,
                    'mask': palette_png(MASK[..., 0]),
                },
            )


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Plain]:
    """The builder of the dataset `plain`, in a temporary workspace."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    monkeypatch.setattr(
        'engine.datasets.catalogue.builders.builder',
        lambda *_: AdaptedBuilder(Plain(data_dir=tmp_path / 'data/plain/records')),
    )
    return Plain


def test_arrays_hold_what_the_files_show(plain: type[Plain]) -> None:
    data = loading.load('plain')
    arrays = data.split('test').arrays
    assert data.splits == {'train': 10, 'val': 10, 'test': 10}
    np.testing.assert_array_equal(arrays['image'][0], np.asarray(PHOTO))
    np.testing.assert_array_equal(arrays['deep'][0], DEEP)
    np.testing.assert_array_equal(arrays['mask'][0], MASK[..., 0])
    pixels = np.asarray(picture(0, 6, 9, 'LA')).astype(float)
    opacity = pixels[..., 1] / 255
    on_white = pixels[..., 0] * opacity + 255 * (1 - opacity)
    assert np.abs(arrays['grey'][0, ..., 0] - on_white).max() <= 1
    assert data.images.conversions['image'] == {'turned upright by EXIF': 30}
    assert 'Image files' in explore.page('plain').html


def test_damaged_images_of_fixed_size_are_left_out(
    plain: type[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, 'damaged', 3)
    with pytest.raises(UserError, match=r'(?s)3 of 30 examples .*image is damaged.*allow_damaged = 0\.1 '):
        loading.load('plain')
    data = loading.load('plain', allow_damaged=0.1)
    assert data.splits == {'train': 7, 'val': 10, 'test': 10}
    train = data.split('train')
    assert [len(array) for array in train.arrays.values()] == [7] * 4
    assert len(train.ids) == 7
    assert len({image.id for image in data.images.left_out} | set(train.ids)) == 10
    np.testing.assert_array_equal(train.arrays['image'], np.asarray(PHOTO)[np.newaxis].repeat(7, 0))


def test_floats_of_two_scales_are_remarked() -> None:
    report = ImageReport()
    for index, white in enumerate((1, 1, 255)):
        floats = (np.asarray(PHOTO.convert('L')) * (white / 255)).astype(np.float32)
        report.count('image', str(index), FIELD.examine(saved(Image.fromarray(floats), 'TIFF')))
        assert any('two scales' in line for line in report.lines()) == (white == 255)


FIELD = ImageField('image', (6, 9, 3), np.dtype(np.uint8), is_mask=False, is_encoded=False)
LABELS = ImageField('mask', (6, 9, 1), np.dtype(np.uint8), is_mask=True, is_encoded=False)
DEEP_FIELD = ImageField('deep', (6, 9, 1), np.dtype(np.uint16), is_mask=False, is_encoded=False)


def test_another_size_is_refused() -> None:
    with pytest.raises(ImageError, match='is 9 pixels high and 6 wide, but the builder states 6 by 9'):
        FIELD.decode(saved(PHOTO.transpose(Image.Transpose.ROTATE_90), 'PNG'))


@pytest.mark.parametrize('orientation', [None, 3])
@pytest.mark.parametrize('mode', ['P', 'L', 'RGB', 'RGBA', 'I;16'])
def test_labels_are_the_values_of_any_grey_file(mode: str, orientation: int | None) -> None:
    labels = MASK[..., 0]
    if mode == 'P':
        content = palette_png(labels, orientation).getvalue()
    elif mode == 'I;16':
        content = saved(Image.fromarray(labels.astype(np.uint16)), 'PNG', orientation)
    else:
        content = saved(Image.fromarray(labels).convert(mode), 'PNG', orientation)
    expected = labels[::-1, ::-1] if orientation else labels
    np.testing.assert_array_equal(LABELS.decode(content)[..., 0], expected)


def test_one_bit_is_two_classes() -> None:
    labels = MASK[..., 0] > 0
    np.testing.assert_array_equal(LABELS.decode(saved(Image.fromarray(labels), 'PNG'))[..., 0], labels)


@pytest.mark.parametrize(
    ('image', 'problem'),
    [
        (PHOTO, 'has the mode RGB, but labels are'),
        (PHOTO.convert('RGBA'), 'has the mode RGBA, but labels are'),
        (Image.fromarray(np.full((6, 9), 0.5, np.float32)), 'has the mode F, but labels are'),
        (Image.fromarray(np.full((6, 9), 300, np.uint16)), 'holds labels from 300 to 300, .* uint8'),
        (Image.fromarray(np.full((6, 9), -1, np.int32)), 'holds labels from -1 to -1, .* uint8'),
    ],
)
def test_what_is_no_label_map_is_refused(image: Image.Image, problem: str) -> None:
    with pytest.raises(ImageError, match=problem):
        LABELS.decode(saved(image, 'TIFF'))


def test_sixteen_bits_stay_and_eight_are_scaled() -> None:
    deep = RANDOM.integers(0, 65536, (6, 9), np.uint16)
    decode = DEEP_FIELD.decode
    np.testing.assert_array_equal(decode(saved(Image.fromarray(deep), 'PNG'))[..., 0], deep)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(deep), 'PNG', 3))[..., 0], deep[::-1, ::-1])
    grey = np.asarray(PHOTO.convert('L'))
    eight = decode(saved(Image.fromarray(grey), 'PNG'))[..., 0]
    np.testing.assert_array_equal(eight, grey.astype(np.uint16) * 257)
