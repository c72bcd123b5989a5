"""The order of training examples: a pure function of seed, step and batch size.

Position p = step * batch size + row holds example permutation(seed, epoch)[p % n] of epoch p // n. The stream
has no end, drops no remainder and holds no short batch. The step alone is the state of the input pipeline.
"""

from functools import lru_cache

import numpy as np


class Order:
    """The order in which training sees examples.

    Args:
      n: number of examples.
      batch_size: examples per step, over all devices.
      seed: of the permutations.
    """

    def __init__(self, n: int, batch_size: int, seed: int):
        self.n, self.batch_size, self.seed = n, batch_size, seed
        self._permutation = lru_cache(maxsize=2)(self._draw)  # a batch spans two epochs, seldom more

    def _draw(self, epoch: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, epoch))))
        return generator.permutation(self.n)

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        epoch, start = divmod(step * self.batch_size, self.n)
        parts, missing = [], self.batch_size
        while missing:
            parts.append(self._permutation(epoch)[start : start + missing])
            epoch, start, missing = epoch + 1, 0, missing - len(parts[-1])
        return np.concatenate(parts)

    def indices_of_steps(self, step: int, count: int) -> np.ndarray:
        """Returns the indices of steps `step` to `step + count - 1`, int32 [count, B]."""
        return np.stack([self.indices(step + offset) for offset in range(count)]).astype(np.int32)

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch."""
        epochs = [number * self.batch_size // self.n for number in (step - 1, step)]
        return epochs[0] < epochs[1]

    def epoch(self, steps: int) -> float:
        """Returns how many epochs `steps` steps make."""
        return steps * self.batch_size / self.n
