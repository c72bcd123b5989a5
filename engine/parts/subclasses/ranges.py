"""The ranges of the numbers of a supervised task."""

import math
from typing import Any

from engine.errors import UserError

# (parameter, lowest value, first value that is too large)
RANGES = (
    ('ema_decay', 0, 1),
    ('label_smoothing', 0, 1),
    ('grad_clip_norm', 0, math.inf),
    ('accumulation_steps', 1, math.inf),
)


def check(task: Any) -> None:
    """Raises `UserError` if a number of a task is out of its range."""
    for name, low, below in RANGES:
        value = getattr(task, name, low)
        if not low <= value < below:
            upper = f' and below {below:g}' if math.isfinite(below) else ''
            raise UserError(f'{type(task).__name__}.{name} = {value}: it must be at least {low}{upper}.')
