"""What both trainings of the digits in PyTorch share: data, augmentation, model and optimizer."""

# pyright: reportMissingImports=false
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers import torch_models

MODELS = {'digits_mlp': torch_models.mlp, 'digits_cnn': torch_models.convnet}
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-4


def examples(data: Path, split: str) -> tuple[Tensor, Tensor]:
    """Returns the images, uint8 [n, 1, 8, 8], and the labels, int64 [n], of a split."""
    arrays = np.load(data)
    images = torch.from_numpy(arrays[f'{split}_image']).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(arrays[f'{split}_label']).long()


def scaled(images: Tensor) -> Tensor:
    """Returns images, f32 in -1 to 1, of uint8."""
    return images.float() / 127.5 - 1


def shifted(images: Tensor) -> Tensor:
    """Returns images, uint8 [B, 1, H, W], each shifted at random by up to one pixel, with a border of 0."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))[:, 0]
    top, left = torch.randint(3, (2, batch, 1, 1))
    rows = top + torch.arange(height)[:, None]
    return padded[torch.arange(batch)[:, None, None], rows, left + torch.arange(width)][:, None]


def optimizer(model: torch.nn.Module, steps: int) -> tuple[Any, Any]:
    """Returns AdamW and the schedule of its rate, which is called after each step."""
    adamw = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    return adamw, torch.optim.lr_scheduler.CosineAnnealingLR(adamw, steps)
