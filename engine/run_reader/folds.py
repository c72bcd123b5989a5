"""The fold of a cross-validation that a run is tested on, as its config.gin states it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_FOLD = re.compile(r'(?:.*[./])?Fold\.(?P<parameter>fold|folds|dataset)')


@dataclass(frozen=True)
class HeldOutFold:
    """The part of a dataset that a run of a cross-validation is tested on.

    Attributes:
      index: its number, from 0.
      count: number of parts.
      dataset: name of the dataset that is divided, '' if it is not a plain name.
    """

    index: int
    count: int
    dataset: str = ''


def held_out(parameters: Mapping[str, str]) -> tuple[HeldOutFold | None, Sequence[str]]:
    """Returns the fold of a dataset, and the names of the parameters that state its number.

    Args:
      parameters: of all that the dataset is made of, and their values with macros replaced.

    Returns:
      None and no names if the dataset is not divided, or if it is made of several different folds.
    """
    bound = {name: match['parameter'] for name in parameters if (match := _FOLD.fullmatch(name))}

    def value(wanted: str) -> str:
        values = {parameters[name] for name, parameter in bound.items() if parameter == wanted}
        return values.pop() if len(values) == 1 else ''

    index, count, dataset = map(value, ('fold', 'folds', 'dataset'))
    if not (index.isdecimal() and count.isdecimal()):
        return None, ()
    name = dataset[1:-1] if re.fullmatch(r"'[^']*'|\"[^\"]*\"", dataset) else ''
    return HeldOutFold(int(index), int(count), name), [key for key in bound if bound[key] == 'fold']
