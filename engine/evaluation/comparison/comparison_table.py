"""The table of a comparison: the best method first, and what differs between the methods."""

import math
from collections.abc import Sequence

from engine import files
from engine.evaluation.comparison.footnotes import footnotes
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.render.table import Cell, Table
from engine.run_reader import settings

Columns = dict[str, list[Cell]]


def table(methods: Sequence[Method], ranks: Sequence[Rank], metric: str, in_numbers: bool) -> Table:
    """Returns the comparison as a table.

    Args:
      methods: evaluated on the same examples, the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.
      in_numbers: whether the table is for programs: values and the ends of intervals are then columns.
    """
    differences = {name: [Cell(value) for value in values] for name, values in differing(methods).items()}
    columns = {'outputs': [Cell(name) for name in names(methods)]} | differences
    for name in dict.fromkeys((*methods[0].reports[0].headline, metric)):
        columns |= _numbers(methods, name) if in_numbers else _shown(methods, ranks, name, name == metric)
    if any(rank.difference for rank in ranks):
        columns |= _tests_in_numbers(ranks) if in_numbers else _tests(ranks, _unit(methods, metric))
    return Table.of_columns(columns, footnotes(methods, ranks, metric))


def names(methods: Sequence[Method]) -> list[str]:
    """Returns the name of each method: the folder of its first outputs, below the common parent folder."""
    folders = [method.folder for method in methods]
    if len(set(folders)) < len(folders):
        folders = [method.inputs[0].outputs.folder.resolve() for method in methods]
    return files.distinct_names(folders)


def differing(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns what tells methods apart: parameters, seeds and commits, where they differ."""
    parameters = settings.differences([method.inputs[0].settings for method in methods])
    columns = {_parameter(name): values for name, values in parameters.items()}
    seeds = [method.seeds for method in methods]
    if len(set(seeds)) > 1 or any(len(method.inputs) > 1 for method in methods):
        columns['seeds'] = seeds
    commits = [method.inputs[0].commit for method in methods]
    return columns | ({'commit': commits} if len(set(commits)) > 1 else {})


def _parameter(name: str) -> str:
    """Returns the title of a parameter or macro. No other column has such a title."""
    return name if '.' in name or name.isupper() else f'%{name}'


def title(methods: Sequence[Method], metric: str) -> str:
    """Returns a metric's title with its unit and an arrow that points to better values."""
    definition = methods[0].reports[0].metrics[metric].definition
    arrow = {'higher': ' ↑', 'lower': ' ↓'}.get(definition.direction, '')
    return f'{definition.title}{_unit(methods, metric)}{arrow}'


def _unit(methods: Sequence[Method], metric: str) -> str:
    """Returns a metric's unit in brackets, to follow a title."""
    definition = methods[0].reports[0].metrics[metric].definition
    unit = '%' if definition.unit == 'fraction' else definition.unit
    return f' ({unit})' if unit and unit not in definition.title.split() else ''


def _shown(methods: Sequence[Method], ranks: Sequence[Rank], metric: str, marked: bool) -> Columns:
    cells = [
        Cell(method.metric(metric).value, method.shown(metric), rank.mark if marked else '')
        for method, rank in zip(methods, ranks, strict=True)
    ]
    return {title(methods, metric): cells}


def _numbers(methods: Sequence[Method], metric: str) -> Columns:
    metrics = [method.metric(metric) for method in methods]
    return {
        metric: [Cell(mean.value) for mean in metrics],
        f'{metric}_low': [Cell(mean.interval[0]) for mean in metrics],
        f'{metric}_high': [Cell(mean.interval[1]) for mean in metrics],
        f'{metric}_deviation': [Cell(method.deviation(metric)) for method in methods],
    }


def _tests(ranks: Sequence[Rank], unit: str) -> Columns:
    minus = [
        Cell(rank.difference.value, rank.difference.shown_with_interval()) if rank.difference else Cell(None)
        for rank in ranks
    ]
    columns = {f'minus the best{unit}': minus, 'p': [_p(rank.p) for rank in ranks]}
    exact = [_p(rank.mcnemar) for rank in ranks]
    return columns | ({'p (McNemar)': exact} if any(cell.text for cell in exact) else {})


def _tests_in_numbers(ranks: Sequence[Rank]) -> Columns:
    ends = [rank.difference.interval if rank.difference else (None, None) for rank in ranks]
    return {
        'minus_best': [Cell(rank.difference.value if rank.difference else None) for rank in ranks],
        'minus_best_low': [Cell(low) for low, _ in ends],
        'minus_best_high': [Cell(high) for _, high in ends],
        'p': [Cell(rank.p) for rank in ranks],
        'p_mcnemar': [Cell(rank.mcnemar) for rank in ranks],
        'mark': [Cell(rank.mark) for rank in ranks],
    }


def _p(p: float | None) -> Cell:
    if p is None or math.isnan(p):
        return Cell(math.nan)
    return Cell(p, f'{p:.3f}' if p >= 0.001 else 'below 0.001')
