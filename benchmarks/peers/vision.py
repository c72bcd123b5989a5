"""torchvision beside a build of PyTorch for the CPU. Import it from here, in the environment of the peers.

    from benchmarks.peers.vision import torchvision

torchvision's package on PyPI is compiled for PyTorch with CUDA. Beside a build for the CPU, its own
operators, such as non-maximum suppression, are missing, and its import fails at the first of them. Models for
classification do not call them, so it is enough to name them.
"""

# pyright: reportMissingImports=false
import torch

try:
    import torchvision
except RuntimeError:
    _operators = torch.library.Library('torchvision', 'DEF')
    for _name in ('nms', 'qnms'):
        _operators.define(f'{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    import torchvision

__all__ = ['torchvision']
