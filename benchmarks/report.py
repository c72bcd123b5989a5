"""What every benchmark prints: a table of medians and ratios, and the same as JSON on the last line."""

import json
from collections.abc import Mapping
from statistics import median
from typing import Any


def table(name: str, unit: str, measured: dict[str, list[float]]) -> dict[str, Any]:
    """Prints medians, their ratio to the first one's, and the spread; returns medians and ratios.

    Args:
      name: of the benchmark.
      unit: of the numbers.
      measured: by candidate, the reference first; one number per run.
    """
    medians = {candidate: median(numbers) for candidate, numbers in measured.items()}
    reference = next(iter(medians.values()))
    print(f'{name:24}{unit:>12}{"ratio":>10}{"least":>12}{"most":>12}')
    for candidate, numbers in measured.items():
        middle = medians[candidate]
        print(
            f'{candidate:24}{middle:12.4g}{middle / reference:10.3f}{min(numbers):12.4g}{max(numbers):12.4g}'
        )
    ratios = {candidate: round(middle / reference, 4) for candidate, middle in medians.items()}
    return {'unit': unit, 'medians': medians, 'ratios': ratios}


def report(name: str, unit: str, measured: dict[str, list[float]]) -> None:
    """Prints a table, and the same as JSON."""
    print(json.dumps({'benchmark': name} | table(name, unit, measured)))


def show(promises: Mapping[str, tuple[float, float]]) -> None:
    """Prints what was found, what it must be (negative: at most), and whether it is so."""
    for name, (found, bound) in promises.items():
        holds = found >= bound if bound >= 0 else found <= -bound
        words = f'at least {bound:g}' if bound >= 0 else f'at most {-bound:g}'
        print(f'{name:32}{found:10.4g}  {words:16}{"holds" if holds else "FAILS"}')
