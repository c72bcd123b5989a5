"""Trained variables to start from: `trainer.Trainer.init_from = @pretrained.Pretrained()`."""

from engine.parts.pretrained.pretrained import Pretrained
from engine.parts.pretrained.pytorch import PyTorch

__all__ = ['Pretrained', 'PyTorch']
