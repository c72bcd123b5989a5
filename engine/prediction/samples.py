"""Any number of samples of a generator, whatever the number of real examples that they are compared with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jax.sharding import Mesh

from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID
from engine.outputs import kind_folders
from engine.outputs.kind import Kind
from engine.training.batches.evaluation import evaluation_batches


@dataclass(frozen=True)
class Samples:
    """A number of samples to predict beside the examples of a split.

    Attributes:
      number: of samples.
      kind: declares which of its arrays have a row per sample; all others have one per example.
    """

    number: int
    kind: Kind

    @property
    def ids(self) -> list[str]:
        """The ids of the samples: their numbers."""
        return list(map(str, range(self.number)))

    def batches(
        self, examples: Examples, batch_size: int, mesh: Mesh | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields batches until there are enough rows for all samples and all examples.

        They begin with the examples in their order, and go through them again for more samples. `index` is
        the number of the sample, so that each sample has its own randomness.

        Args:
          examples: of a split.
          batch_size: rows of a batch.
          mesh: as `evaluation_batches` takes it.
        """
        places = np.arange(max(self.number, len(examples))) % len(examples)
        for number, batch in enumerate(evaluation_batches(examples, batch_size, mesh, places)):
            rows = number * batch_size + np.arange(batch_size)
            index = np.where(batch[VALID], rows, rows[0]).astype(np.int32)
            yield {**batch, INDEX: index}

    def counts(self, arrays: Iterable[str], examples: int) -> dict[str, int]:
        """Returns the number of rows of each array: one per sample, or one per example."""
        return {name: self.number if self.kind.rows(name) == 'n' else examples for name in arrays}


def samples_of(number: int | None, dataset: object, kind: str) -> Samples | None:
    """Returns the number of samples that the config asks for beside the examples of a dataset; None if none.

    Args:
      number: `samples` of the experiment.
      dataset: of the experiment; None if it has none.
      kind: of the outputs.
    """
    if number is None or dataset is None:
        return None
    return Samples(number, kind_folders.declaration(kind))
