"""Peak rates of devices, from their vendors' data sheets: dense products, without sparsity.

Data sheets of NVIDIA mostly state rates with sparsity; half of these are dense. A rate counts for one device
as JAX lists it: a chip of a TPU, but a core of TPU v2 and v3, which list two cores per chip.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.training.cost.flops import Flops

_NVIDIA = 'https://www.nvidia.com/en-us/data-center/'
_GEFORCE = 'https://images.nvidia.com/aem-dam/Solutions/geforce/'
_GOOGLE = 'https://docs.cloud.google.com/tpu/docs/'


@dataclass(frozen=True)
class Peaks:
    """The peak rates of a device, in 10^12 operations per second; None where the source has no number.

    Attributes:
      source: the data sheet.
      bfloat16: products of bfloat16 that are summed in float32.
      float16: products of float16 that are summed in float32.
      tensorfloat32: products of float32, rounded to TensorFloat-32 (GPUs) or to bfloat16 (TPUs). Where the
        device rounds neither way, it is that of float32.
      float32: operations of float32.
    """

    source: str
    bfloat16: float | None = None
    float16: float | None = None
    tensorfloat32: float | None = None
    float32: float | None = None


def _tensor_cores(source: str, half: float, tensorfloat32: float, float32: float) -> Peaks:
    """Returns the peaks of a GPU that multiplies bfloat16 as fast as float16: Ampere and later."""
    return Peaks(source, half, half, tensorfloat32, float32)


def _volta(source: str, float16: float, float32: float) -> Peaks:
    """Returns the peaks of a GPU of Volta or Turing, which lack bfloat16 and TensorFloat-32."""
    return Peaks(source, None, float16, float32, float32)


def _tpu(page: str, rate: float) -> Peaks:
    """Returns the peaks of a TPU. It computes products of float32 by bfloat16, so they are never faster."""
    return Peaks(_GOOGLE + page, rate, rate, rate, rate)


_H100 = _tensor_cores(_NVIDIA + 'h100/', 989.5, 494.5, 67)
_HOPPER_NVL = _tensor_cores(_NVIDIA + 'h100/', 835.5, 417.5, 60)
_A100 = _tensor_cores(_NVIDIA + 'a100/', 312, 156, 19.5)
_BLACKWELL = _NVIDIA + 'hgx/'
_ADA = _GEFORCE + 'ada/nvidia-ada-gpu-architecture.pdf'
_AMPERE = 'https://www.nvidia.com/content/PDF/nvidia-ampere-ga-102-gpu-architecture-whitepaper-v2.1.pdf'
_RTX_50 = _GEFORCE + 'blackwell/nvidia-rtx-blackwell-gpu-architecture.pdf'

# By the kind of a device, as JAX names it.
PEAKS: Mapping[str, Peaks] = {
    'NVIDIA B200': _tensor_cores(_BLACKWELL, 2250, 1125, 75),
    'NVIDIA H200': _tensor_cores(_NVIDIA + 'h200/', 989.5, 494.5, 67),
    'NVIDIA H200 NVL': _tensor_cores(_NVIDIA + 'h200/', 835.5, 417.5, 60),
    'NVIDIA GH200 480GB': _tensor_cores(_NVIDIA + 'grace-hopper-superchip/', 989.5, 494.5, 67),
    'NVIDIA H100 80GB HBM3': _H100,
    'NVIDIA H100 NVL': _HOPPER_NVL,
    'NVIDIA H100 PCIe': _tensor_cores(_NVIDIA + 'h100/', 756, 378, 51),
    'NVIDIA A100-SXM4-40GB': _A100,
    'NVIDIA A100-SXM4-80GB': _A100,
    'NVIDIA A100-SXM-64GB': _A100,
    'NVIDIA A100-PCIE-40GB': _A100,
    'NVIDIA A100 80GB PCIe': _A100,
    'NVIDIA A30': _tensor_cores(_NVIDIA + 'products/a30-gpu/', 165, 82, 10.3),
    'NVIDIA A40': _tensor_cores(_NVIDIA + 'a40/', 149.7, 74.8, 37.4),
    'NVIDIA A10': _tensor_cores(_NVIDIA + 'products/a10-gpu/', 125, 62.5, 31.2),
    'NVIDIA L4': _tensor_cores(_NVIDIA + 'l4/', 121, 60, 30.3),
    'NVIDIA L40': _tensor_cores(_NVIDIA + 'l40/', 181.05, 90.5, 90.5),
    'NVIDIA L40S': _tensor_cores(_NVIDIA + 'l40s/', 362.05, 183, 91.6),
    'NVIDIA RTX A6000': _tensor_cores(_AMPERE, 154.8, 77.4, 38.7),
    'NVIDIA RTX 6000 Ada Generation': _tensor_cores(_ADA, 364.2, 182.1, 91.1),
    'NVIDIA GeForce RTX 3080': _tensor_cores(_AMPERE, 59.5, 29.8, 29.8),
    'NVIDIA GeForce RTX 3090': _tensor_cores(_AMPERE, 71, 35.6, 35.6),
    'NVIDIA GeForce RTX 4080': _tensor_cores(_ADA, 97.5, 48.7, 48.7),
    'NVIDIA GeForce RTX 4090': _tensor_cores(_ADA, 165.2, 82.6, 82.6),
    'NVIDIA GeForce RTX 5080': _tensor_cores(_RTX_50, 112.6, 56.3, 56.3),
    'NVIDIA GeForce RTX 5090': _tensor_cores(_RTX_50, 209.5, 104.8, 104.8),
    'Tesla V100-SXM2-16GB': _volta(_NVIDIA + 'v100/', 125, 15.7),
    'Tesla V100-SXM2-32GB': _volta(_NVIDIA + 'v100/', 125, 15.7),
    'Tesla V100-PCIE-16GB': _volta(_NVIDIA + 'v100/', 112, 14),
    'Tesla V100-PCIE-32GB': _volta(_NVIDIA + 'v100/', 112, 14),
    'Tesla V100S-PCIE-32GB': _volta(_NVIDIA + 'v100/', 130, 16.4),
    'Tesla T4': _volta(_NVIDIA + 'tesla-t4/', 65, 8.1),
    'TPU v2': _tpu('v2', 22.5),
    'TPU v3': _tpu('v3', 61.5),
    'TPU v4': _tpu('v4', 275),
    'TPU v5 lite': _tpu('v5e', 197),
    'TPU v5e': _tpu('v5e', 197),
    'TPU v5': _tpu('v5p', 459),
    'TPU v5p': _tpu('v5p', 459),
    'TPU v6 lite': _tpu('v6e', 918),
    'TPU v6e': _tpu('v6e', 918),
}
_OTHER_NAMES = re.compile(r'NVIDIA (Tesla .*|T4)|(A100-.*)')  # of older and newer drivers


def peaks_of(device_kind: str) -> Peaks | None:
    """Returns the peaks of a kind of device, None if they are not known, such as those of a CPU.

    >>> peaks_of('NVIDIA H100 80GB HBM3').bfloat16
    989.5
    """
    if match := _OTHER_NAMES.fullmatch(device_kind):
        device_kind = f'NVIDIA {match[2]}' if match[2] else 'Tesla ' + match[1].removeprefix('Tesla ')
    return PEAKS.get(device_kind)


def ideal_seconds(flops: Flops, device_kind: str) -> float | None:
    """Returns how long a step takes at the peak of each type that it computes in.

    Divided by the seconds that a step does take, this is the model FLOPs utilisation: Chowdhery et al. 2022,
    appendix B, https://arxiv.org/abs/2204.02311. If all products are of one type, it equals operations per
    second divided by the peak.

    Args:
      flops: the operations of the step on one device.
      device_kind: of the device, as JAX names it.

    Returns:
      Seconds, None if the peak of a type is not known.
    """
    peaks, seconds = peaks_of(device_kind), 0.0
    for name, count in flops.by_type.items():
        if not (rate := getattr(peaks, name, None)):
            return None
        seconds += count / (rate * 1e12)
    return seconds
