"""Images are scaled by the range of their dtype, and by nothing else."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.interfaces import INDEX
from engine.parts.scaling import PerChannel, scaled
from research.tasks.features import Convolutions
from tests.engine import tiny
from tests.engine.parts import test_segmentation

KEY = jax.random.key(0)


def brighter(keys: jax.Array, images: jax.Array) -> jax.Array:
    """An augmentation that forgets the dtype."""
    del keys
    return images.astype(jnp.float32) * 1.5


@pytest.mark.parametrize(
    ('values', 'dtype', 'expected'),
    [
        ([0, 51, 255], np.uint8, [-1, -0.6, 1]),
        ([0, 255, 13107, 65535], np.uint16, [-1, 255 / 32767.5 - 1, -0.6, 1]),
        ([-1.0, 0.25, 1.0], np.float32, [-1, 0.25, 1]),
        ([-1.0, 0.25, 1.0], np.float16, [-1, 0.25, 1]),
    ],
)
def test_the_range_of_the_dtype_becomes_minus_one_to_one(values: Any, dtype: Any, expected: Any) -> None:
    images = scaled(jnp.asarray(values, dtype))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, expected, rtol=1e-6)


def test_bytes_are_scaled_as_ever_to_the_bit() -> None:
    values = jnp.arange(256, dtype=jnp.uint8)
    np.testing.assert_array_equal(scaled(values), values.astype(jnp.float32) / 127.5 - 1)


@pytest.mark.parametrize('dtype', [np.int32, np.int8, np.uint32, np.bool_])
def test_a_dtype_without_a_range_is_refused(dtype: Any) -> None:
    with pytest.raises(UserError, match=f'dtype {np.dtype(dtype)} cannot be scaled'):
        scaled(jnp.zeros((1, 2, 2, 1), dtype))


def test_all_tasks_scale_alike() -> None:
    """Classification, segmentation and the extractor of features see 16 bits as they see 8."""
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(1, 16, 16, 1)
    shallow = (deep // 257).astype(np.uint8)
    for inputs in (tiny.classification().inputs, test_segmentation.task().inputs):
        np.testing.assert_allclose(inputs({'image': deep}), inputs({'image': shallow}), atol=1e-6)  # type: ignore[arg-type]
    extractor = Convolutions('data/digits/classifier.npz')
    one, other = (extractor(jnp.asarray(image[:, :8, :8])) for image in (deep, shallow))
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(('images', 'masks'), [(np.uint16, np.uint8), (np.uint8, np.uint16)])
def test_images_and_masks_keep_their_own_dtypes(images: Any, masks: Any) -> None:
    batch: Any = {
        'image': jnp.full((2, 4, 4, 3), 200, images),
        'mask': jnp.full((2, 4, 4), 3, masks),
        INDEX: np.arange(2, dtype=np.int32),
    }
    augmented = test_segmentation.task().augment_batch(batch, KEY)
    assert (augmented['image'].dtype, augmented['mask'].dtype) == (images, masks)
    assert (np.unique(augmented['image']), np.unique(augmented['mask'])) == ([200], [3])


def test_an_augmentation_that_changes_the_dtype_is_refused() -> None:
    with pytest.raises(UserError, match='augmentation makes float32 of uint8 images'):
        tiny.classification(augment=brighter).augment_batch(tiny.batch(4), KEY)
    with pytest.raises(UserError, match='augmentation makes float32 of uint8 images'):
        test_segmentation.task(augment=brighter).augment_batch(test_segmentation.BATCH, KEY)


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(('dtype', 'white'), [('uint8', 255), ('uint16', 65535), ('float32', 1)])
def test_means_and_deviations_are_those_of_images_in_0_to_1(dtype: str, white: int) -> None:
    random = np.random.default_rng(0)
    shares = random.random((2, 5, 4, 3))
    images = (shares * white).astype(dtype)
    scaled_images = PerChannel(MEAN, DEVIATION)(jnp.asarray(images))
    expected = np.empty(images.shape)
    for channel in range(3):
        plain = images[..., channel].astype(np.float64) / white
        expected[..., channel] = (plain - MEAN[channel]) / DEVIATION[channel]
    assert scaled_images.dtype == np.float32
    np.testing.assert_allclose(scaled_images, expected, atol=1e-5)


def test_half_precision_is_widened() -> None:
    assert PerChannel((0.5,), (0.5,))(jnp.ones((1, 2, 2, 1), jnp.bfloat16)).dtype == np.float32


@pytest.mark.parametrize('channels', [1, 4, 12])
def test_another_number_of_channels_is_refused(channels: int) -> None:
    with pytest.raises(UserError, match=rf'3 numbers, but images of the shape .* have {channels} channels'):
        PerChannel(MEAN, DEVIATION)(jnp.zeros((1, 2, 2, channels), jnp.uint8))


@pytest.mark.parametrize('dtype', ['int32', 'bool', 'int8'])
def test_dtypes_without_a_white_have_no_mean(dtype: str) -> None:
    with pytest.raises(UserError, match=f'Images of the dtype {dtype} cannot be scaled'):
        PerChannel((0.5,), (0.5,))(jnp.zeros((1, 2, 2, 1), dtype))


@pytest.mark.parametrize(
    ('mean', 'deviation', 'words'),
    [
        ((0.5,), (0.5, 0.5), 'mean has 1 numbers and PerChannel.deviation 2'),
        ((), (), 'mean has 0 numbers'),
        ((0.5,), (0.0,), 'give numbers above 0'),
        ((0.5,), (-1.0,), 'give numbers above 0'),
        ((float('nan'),), (1.0,), 'give finite numbers'),
    ],
)
def test_numbers_that_scale_nothing(mean: Any, deviation: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        PerChannel(mean, deviation)
