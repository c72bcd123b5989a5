"""How far apart two runs are, in each quantity, against the distance of two seeds."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.reproduction import evaluated_metrics
from engine.run_reader import first_difference


@dataclass(frozen=True)
class Distance:
    """The distance of a repeated run from the original, and that of another seed.

    Attributes:
      file: 'train.jsonl', 'val.jsonl', or the metrics of outputs, such as 'outputs/test/evaluation'.
      quantity: name of a metric.
      repeated: root mean square, over the common lines, of the difference between original and repetition, in
        the unit of the quantity. Metrics of outputs are one number, so it is the difference itself.
      seeds: the larger of the same between the other seed and either of the two.
    """

    file: str
    quantity: str
    repeated: float
    seeds: float

    @property
    def is_within(self) -> bool:
        """Whether the repetition is at most as far from the original as another seed is."""
        return self.repeated <= self.seeds


def distances(original: Path, repeated: Path, other_seed: Path, up_to: int | None) -> list[Distance]:
    """Returns the distances of all quantities in which a repetition differs from the original.

    Args:
      original: a run folder.
      repeated: the same training once more.
      other_seed: the same training with another seed.
      up_to: the last step to compare, None for all.
    """
    seeds = [root_mean_square(run, other_seed, up_to) for run in (original, repeated)]
    of_logs = [
        Distance(file, quantity, value, max(of_seed.get((file, quantity), 0.0) for of_seed in seeds))
        for (file, quantity), value in root_mean_square(original, repeated, up_to).items()
    ]
    return [*of_logs, *_of_outputs(original, repeated, other_seed)]


def root_mean_square(one: Path, other: Path, up_to: int | None = None) -> dict[tuple[str, str], float]:
    """Returns the root mean square of the differences between two runs, by log and quantity.

    Quantities that are equal are left out. A number against a NaN counts as an infinite difference.
    """
    train, val = first_difference.common_steps(one, other, up_to)
    counts: dict[str, int] = dict(zip(first_difference.LOGS, (len(train), len(val)), strict=True))
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for difference in first_difference.differences(one, other, up_to):
        sums[difference.file, difference.quantity] += _square(*difference.values)
    return {key: math.sqrt(total / counts[key[0]]) for key, total in sums.items()}


def _square(one: Any, other: Any) -> float:
    are_numbers = all(isinstance(value, int | float) for value in (one, other))
    return float(one - other) ** 2 if are_numbers else math.inf


def _of_outputs(*runs: Path) -> Iterator[Distance]:
    """Yields the distances of the main metrics of outputs that all three runs have evaluated."""
    for name in sorted(path.name for path in (runs[0] / 'outputs').glob('*/')):
        stated = [evaluated_metrics.metrics(run / 'outputs' / name) for run in runs]
        for metric in stated[0]:
            is_main = not stated[0][metric].get('group')
            if not is_main or not all(metric in metrics for metrics in stated):
                continue
            old, new, other = (metrics[metric].get('value') for metrics in stated)
            if old != new:
                seeds = max(_distance(old, other), _distance(new, other))
                yield Distance(f'outputs/{name}/evaluation', metric, _distance(old, new), seeds)


def _distance(one: Any, other: Any) -> float:
    return 0.0 if one == other else math.sqrt(_square(one, other))
