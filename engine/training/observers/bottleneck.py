"""What bounds a training, judged from where its time went, and how much removing it would save at most.

Amdahl's law: removing work that takes a share s of the time saves at most s. Work that the loop does while
the device is busy costs nothing, so the loop's kinds of work save at most what they take while the device may
idle. A faster device saves at most what the loop waits for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.training.logs import clock

Cause = Literal['device', 'data', 'python', 'log', 'evaluation', 'pictures', 'checkpoint']

# The kinds of work that the loop does beside the device, by cause.
_BESIDE: Mapping[Cause, tuple[str, ...]] = {
    'data': (clock.DATA,),
    'python': (clock.DISPATCH, clock.OTHER),
    'log': (clock.LOG, clock.OBSERVERS),
}
_APART: tuple[Cause, ...] = ('evaluation', 'pictures', 'checkpoint')


@dataclass(frozen=True)
class Bottleneck:
    """What takes most of a training's time.

    Attributes:
      cause: what takes it.
      share: of the time.
      saving: share of the time that removing the cause would save at most.
    """

    cause: Cause
    share: float
    saving: float


def summed(seconds: Mapping[str, float]) -> dict[str, float]:
    """Returns seconds by kind of work, those of all observers as one."""
    sums: dict[str, float] = {}
    for kind, value in seconds.items():
        name = kind.partition('/')[0]
        sums[name] = sums.get(name, 0.0) + value
    return {name: round(value, 6) for name, value in sums.items()}


def training_seconds(seconds: Mapping[str, float]) -> float:
    """Returns the seconds spent on training steps, and on whatever delays them."""
    apart = (*_APART, clock.PROFILE)
    return max(0.0, seconds[clock.TOTAL] - sum(seconds.get(kind, 0.0) for kind in apart))


def bottleneck(seconds: Mapping[str, float]) -> Bottleneck:
    """Returns what bounds a training.

    Args:
      seconds: by kind of work, as the clock counts them.
    """
    sums = summed(seconds)
    total = max(sums[clock.TOTAL] - sums.get(clock.PROFILE, 0.0), 1e-9)
    waited, busy = sums.get(clock.DEVICE, 0.0), sums.get(clock.BUSY, 0.0)
    beside: dict[Cause, float] = {
        cause: math.fsum(sums.get(kind, 0.0) for kind in kinds) for cause, kinds in _BESIDE.items()
    }
    hidden = min(max(0.0, busy - waited), sum(beside.values()))
    idle = sum(beside.values()) - hidden
    savings: dict[Cause, float] = {cause: min(value, idle) for cause, value in beside.items()}
    savings |= {cause: sums.get(cause, 0.0) for cause in _APART}
    shares: dict[Cause, float] = {**savings, 'device': waited + hidden}
    cause = max(shares, key=lambda name: shares[name])
    saving = {**savings, 'device': waited}[cause]
    return Bottleneck(cause, shares[cause] / total, saving / total)
