"""Training examples from easy to hard."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.datasets.orders.order import ByPart, Part
from engine.datasets.orders.streams import BlockStream, generator, shuffled
from engine.errors import UserError
from engine.parts.orders.numbers import Numbers

TIES = (3,)  # random numbers that order examples of one difficulty, apart from those of other streams
ROUNDING = 1e-6  # of a number of examples; another machine may round a share otherwise
EXPONENTS = {'linear': 1, 'root': 2, 'quadratic': 0.5}


@dataclass(frozen=True)
class Curriculum(ByPart):
    """Draws the easiest examples first, more and more of them, and from some step on all of them.

    Of n examples, those of the share c(t) with the lowest difficulty are in play at step t, alike:

        c(t) = min(1, (start**p + (1 - start**p) * t / steps) ** (1 / p))

    with p = 1 for 'linear', 2 for 'root', which gives new examples less and less time each, and 1/2 for
    'quadratic', which gives them more. From step `steps` on, every epoch is a random order of all examples.

    Source: Platanios et al. 2019, "Competence-based Curriculum Learning for Neural Machine Translation",
    https://arxiv.org/abs/1903.09848; they advise 'root'.

    Args:
      field: the field of the difficulties, one number per example; '' if `file` is given.
      file: a list, such as CSV, with the columns `id` and `difficulty`. Its path is absolute or relative to
        the repository. It names each training example once. Examples of other splits do not count.
      steps: from which on all examples are in play.
      start: the share of the easiest examples that is in play at step 0.
      pacing: how the share grows.
    """

    steps: int
    field: str = ''
    file: str = ''
    start: float = 0.1
    pacing: Literal['linear', 'root', 'quadratic'] = 'root'

    def __post_init__(self) -> None:
        """Raises `UserError` if a number is out of its range."""
        if self.steps < 1:
            raise UserError(f'Curriculum.steps = {self.steps}: it must be at least 1.')
        if not 0 < self.start <= 1:
            raise UserError(f'Curriculum.start = {self.start}: it must be above 0, and at most 1.')
        _ = self._difficulties

    @property
    def _difficulties(self) -> Numbers:
        return Numbers('Curriculum', 'difficulty', self.field, self.file)

    def origin(self) -> dict[str, str]:
        """Returns the sha256 of the list."""
        return self._difficulties.origin()

    def share(self, step: int) -> float:
        """Returns the share of the examples that is in play at a step.

        >>> curriculum = Curriculum(steps=100, field='difficulty', start=0.2, pacing='linear')
        >>> [round(curriculum.share(step), 3) for step in (0, 50, 100, 1000)]
        [0.2, 0.6, 1.0, 1.0]
        """
        p = EXPONENTS[self.pacing]
        progress = min(1.0, step / self.steps)
        return (self.start**p + (1 - self.start**p) * progress) ** (1 / p)

    def stream(self, part: Part, seed: int) -> 'PacedStream':
        """Returns the stream of the main part's examples."""
        difficulties = self._difficulties.of(part)
        ties = generator(seed, 0, TIES).random(len(difficulties))
        return PacedStream(self, np.lexsort((ties, difficulties)), part.batch_size, seed)


class PacedStream:
    """The stream of a curriculum.

    It spreads the places of a shuffled stream over the examples in play: each of them is drawn equally often.

    Args:
      curriculum: says how many examples are in play.
      ranked: all examples, the easiest first, int64 [n].
      batch_size: examples per step, over all devices.
      seed: of the training.
    """

    def __init__(self, curriculum: Curriculum, ranked: np.ndarray, batch_size: int, seed: int):
        self._curriculum, self._ranked = curriculum, ranked
        self._places: BlockStream = shuffled(len(ranked), batch_size, seed)
        self.epoch, self.ends_epoch = self._places.epoch, self._places.ends_epoch

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        n = len(self._ranked)
        in_play = max(1, math.ceil(self._curriculum.share(step) * n - ROUNDING))
        return self._ranked[self._places.indices(step) * in_play // n]
