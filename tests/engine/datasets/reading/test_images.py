"""Parts of encoded images equal the crops of whole images, as decoded by Pillow."""

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from engine.datasets.reading import images
from engine.datasets.reading.images import Box
from tests.engine import photos

FILES = photos.files()
WHOLE = Box(0, 0, 150, 210)


def by_pillow(data: bytes, mode: str = 'RGB') -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).reshape(150, 210, -1)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.mean((one.astype(float) - other) ** 2), 1e-9))


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize(('channels', 'mode'), [(3, 'RGB'), (1, 'L'), (4, 'RGBA')])
def test_a_whole_image_is_decoded_as_by_pillow(name: str, channels: int, mode: str) -> None:
    assert images.dimensions(FILES[name]) == (150, 210)
    decoded = images.part(FILES[name], WHOLE, channels)
    assert (decoded.shape, decoded.dtype) == ((150, 210, channels), np.uint8)
    assert psnr(decoded, by_pillow(FILES[name], mode)) > 48


@pytest.mark.parametrize('name', FILES)
def test_a_part_equals_the_crop_of_the_whole(name: str) -> None:
    whole = images.part(FILES[name], WHOLE, 3).copy()
    for top in range(0, 40, 13):
        for height in (1, 2, 15, 16, 17, 31, 47, 150 - top):
            decoded = images.part(FILES[name], Box(top, 5, height, 200), 3)
            np.testing.assert_array_equal(decoded, whole[top : top + height, 5:205])


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('reduction', images.REDUCTIONS)
def test_a_reduced_image_is_close_to_the_mean_of_blocks(name: str, reduction: int) -> None:
    height, width = 96, 160
    decoded = images.part(FILES[name], Box(16, 32, height, width), 3, reduction).copy()
    whole = images.part(FILES[name], WHOLE, 3)[16 : 16 + height, 32 : 32 + width]
    shape = height // reduction, reduction, width // reduction, reduction, 3
    assert decoded.shape == (height // reduction, width // reduction, 3)
    assert psnr(decoded, whole.reshape(shape).mean((1, 3))) > 40


def test_rows_below_a_part_are_not_decoded() -> None:
    """Damage below the part does not matter; damage above it does."""
    data = FILES['jpeg 4:2:0']
    cut = data[: len(data) * 2 // 3]
    upper = Box(0, 0, 48, 210)
    np.testing.assert_array_equal(images.part(cut + data[-2:], upper, 3), by_part(data, upper))
    with pytest.raises(images.ImageError, match='truncated'):
        images.part(cut, WHOLE, 3)


def by_part(data: bytes, box: Box) -> np.ndarray:
    return images.part(data, WHOLE, 3).copy()[: box.height]


@pytest.mark.parametrize(
    'damaged',
    [
        FILES['jpeg 4:2:0'][:3000],
        FILES['jpeg 4:2:0'][:90],
        FILES['progressive jpeg'][:3000],
        FILES['png'][:3000],
        b'',
        b'no image',
    ],
)
def test_damaged_images_are_refused(damaged: bytes) -> None:
    with pytest.raises(images.ImageError):
        images.examine(damaged, 3)


@pytest.mark.parametrize('name', FILES)
def test_intact_images_pass(name: str) -> None:
    images.examine(FILES[name], 3)


def test_an_embedded_thumbnail_is_ignored() -> None:
    small = simplejpeg.encode_jpeg(photos.picture(3, 20, 20))
    exif = b'\xff\xe1' + (len(small) + 2).to_bytes(2, 'big') + small
    data = FILES['jpeg 4:2:0']
    with_thumbnail = data[:2] + exif + data[2:]
    upper = Box(0, 0, 40, 210)
    np.testing.assert_array_equal(images.part(with_thumbnail, upper, 3), by_part(data, upper))
