"""The columns of a comparison that a table can show: parameters, metrics and tests."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.render.table import Cell
from engine.run_reader import settings

Columns = dict[str, list[Cell]]

PARAMETERS, SEEDS, COMMIT, POOLED, TEST = 'parameters', 'seeds', 'commit', 'pooled', 'test'
ORDER_FILES = 'order files'


def available(
    methods: Sequence[Method], ranks: Sequence[Rank], metric: str, in_numbers: bool
) -> dict[str, Columns]:
    """Returns all columns by the names that `--columns` takes; some names stand for several columns."""
    parameters = differing_parameters(methods)
    groups: dict[str, Columns] = {name: {name: _texts(values)} for name, values in parameters.items()}
    groups[PARAMETERS] = {PARAMETERS: _texts(folded(parameters, len(methods)))}
    groups[SEEDS] = {SEEDS: _texts([method.seeds for method in methods])}
    groups[COMMIT] = {COMMIT: _texts([method.commits for method in methods])}
    groups[ORDER_FILES] = {ORDER_FILES: _texts([method.order_files for method in methods])}
    for name in common_metrics(methods):
        shown = _numbers(methods, name) if in_numbers else _shown(methods, ranks, name, name == metric)
        groups[name] = shown
    if methods[0].folds:
        groups[POOLED] = _pooled(methods, metric, in_numbers) if methods[0].has_pooled(metric) else {}
    groups[TEST] = {}
    if any(rank.difference for rank in ranks):
        groups[TEST] = _tests_in_numbers(ranks) if in_numbers else _tests(ranks, _unit(methods, metric))
    return groups


def common_metrics(methods: Sequence[Method]) -> list[str]:
    """Returns the names of the metrics that all outputs have."""
    reports = [report for method in methods for report in method.evaluations]
    return [name for name in reports[0].metrics if all(name in report.metrics for report in reports)]


def differing_parameters(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns the parameters and macros that differ between the configs, and their values."""
    parameters = settings.differences([method.inputs[0].settings for method in methods])
    return {_parameter(name): values for name, values in parameters.items()}


def differing_origins(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns the seeds, the commits and the files of orders where they tell methods apart."""
    seeds = [method.seeds for method in methods]
    others = {
        COMMIT: [method.commits for method in methods],
        ORDER_FILES: [method.order_files for method in methods],
    }
    several = len(set(seeds)) > 1 or any(len(method.inputs) > max(1, len(method.folds)) for method in methods)
    columns = {SEEDS: seeds} if several else {}
    return columns | {name: values for name, values in others.items() if len(set(values)) > 1}


def folded(parameters: Mapping[str, Sequence[str]], methods: int) -> list[str]:
    """Returns one text per method: its parameters by their shortest distinct names.

    >>> folded({'mlp.MLP.width': ['8', '16'], 'RATE': ['0.1', '0.2']}, 2)
    ['width=8, RATE=0.1', 'width=16, RATE=0.2']
    """
    last = {name: name.rpartition('.')[2] for name in parameters}
    counts = Counter(last.values())
    short = {name: end if counts[end] == 1 else name for name, end in last.items()}
    return [
        ', '.join(f'{short[name]}={values[index]}' for name, values in parameters.items() if values[index])
        for index in range(methods)
    ]


def _pooled(methods: Sequence[Method], metric: str, in_numbers: bool) -> Columns:
    metrics = [method.pooled(metric) for method in methods]
    if not in_numbers:
        title = f'all examples together{_unit(methods, metric)}'
        return {title: [Cell(pooled.value, pooled.shown_with_interval()) for pooled in metrics]}
    return {
        f'{metric}_pooled': [Cell(pooled.value) for pooled in metrics],
        f'{metric}_pooled_low': [Cell(pooled.interval[0]) for pooled in metrics],
        f'{metric}_pooled_high': [Cell(pooled.interval[1]) for pooled in metrics],
    }


def _texts(values: Sequence[str]) -> list[Cell]:
    return [Cell(value) for value in values]


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
