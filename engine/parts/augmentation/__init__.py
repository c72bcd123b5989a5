"""Augmentations. They run on the device, inside the training step, and give each image its own random key."""

from engine.parts.augmentation.chain import Augmentation, Chain, applied, changes_values
from engine.parts.augmentation.color_jitter import ColorJitter
from engine.parts.augmentation.placement import Crop, Flip, Shift
from engine.parts.augmentation.rand_augment import RandAugment
from engine.parts.augmentation.random_erasing import RandomErasing

__all__ = [
    'Augmentation',
    'Chain',
    'ColorJitter',
    'Crop',
    'Flip',
    'RandAugment',
    'RandomErasing',
    'Shift',
    'applied',
    'changes_values',
]
