"""The quality of random crops: PSNR against crops of the fully decoded image."""

import math

import cv2
import numpy as np
import simplejpeg

from benchmarks.pictures import picture
from engine.datasets.reading.images import Box
from engine.parts.crops import Crops
from engine.training.batches.decoding import TRIES


def psnr(size: int, height: int, width: int) -> list[float]:
    """Returns the PSNR of random crops of 20 JPEGs, in dB.

    `Crops` decodes only a part of the JPEG, sometimes at reduced scale. The expected crop is cut from the
    fully decoded image and resized in the same way.

    Args:
      size: height and width of the crops.
      height: of the JPEGs.
      width: of the JPEGs.
    """
    crops, random, values = Crops(size), np.random.default_rng(0), []
    for seed in range(20):
        data = simplejpeg.encode_jpeg(picture(seed, height, width), quality=90)
        draws = random.random((TRIES, 4))
        expected = _crop_decoded(simplejpeg.decode_jpeg(data), crops.random_box(height, width, draws), size)
        error = float(np.mean((crops.train(data, 3, draws) - expected) ** 2))
        values.append(10 * math.log10(255**2 / max(error, 1e-5)))
    return values


def _crop_decoded(image: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Returns a crop, reduced by 8, 4 or 2 by averaging pixels, then resized by linear interpolation.

    Args:
      image: uint8 [height, width, 3].
      box: the part of the image. The largest reduction that leaves it at least as large as `size` is taken.
      size: height and width of the crop.

    Returns:
      The crop, float32 [size, size, 3].
    """
    times = next((factor for factor in (8, 4, 2) if size * factor <= min(box.height, box.width)), 1)
    top, left, height, width = (pixels // times * times for pixels in box)
    part = image[top : top + height, left : left + width].astype(np.float32)
    small = part.reshape(height // times, times, width // times, times, 3).mean((1, 3))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
