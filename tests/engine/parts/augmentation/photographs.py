"""Images that look a little like photographs: smooth, with noise, and without the extreme values."""

from typing import Any

import numpy as np
from PIL import Image


def photograph(height: int, width: int, channels: int = 3, seed: int = 0) -> Any:
    """Returns an image, uint8 [H, W, C]."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noisy = smooth // 2 + 40 + random.integers(-9, 10, smooth.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., :channels]
