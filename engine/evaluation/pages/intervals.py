"""The forest plots of a comparison: a metric of all methods, and the differences from the best."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure

from engine.evaluation.comparison import columns
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.evaluation.drawing import figures
from engine.evaluation.drawing.forest import ForestRow, forest, is_drawn
from engine.evaluation.results.metric import Metric


def forests(methods: Sequence[Method], ranks: Sequence[Rank], metric: str) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw a forest plot per headline metric, and one of the differences, by name."""
    report = methods[0].reports[0]
    metrics, subject = report.metrics, figures.subject(report.outputs, report.bootstrap)
    shown = [
        name
        for name in dict.fromkeys((metric, *report.headline))
        if all(name in other.metrics for method in methods for other in method.evaluations)
    ]
    rows = {name: _rows(methods, name) for name in shown}
    plots: dict[str, Callable[[], Figure]] = {
        name: partial(
            forest, columns.title(methods, name), subject, rows[name], partial(_shown, metrics[name])
        )
        for name in shown
        if is_drawn(rows[name])
    }
    minus = _differences(methods, ranks)
    if is_drawn(minus):
        title = f'{columns.title(methods, metric)}, minus the best'
        difference = partial(_shown, metrics[metric])
        plots[f'{metric}_differences'] = partial(forest, title, subject, minus, difference, zero=True)
    return plots


def _differences(methods: Sequence[Method], ranks: Sequence[Rank]) -> list[ForestRow]:
    return [
        ForestRow(
            method.name,
            rank.difference.value,
            *rank.difference.interval,
            shown=rank.difference.shown_with_interval(),
        )
        for method, rank in zip(methods, ranks, strict=True)
        if rank.difference
    ]


def _rows(methods: Sequence[Method], metric: str) -> list[ForestRow]:
    rows = []
    for method in methods:
        mean = method.metric(metric)
        values = method.values(metric).tolist()
        dots = values if len(values) > 1 else []
        rows.append(ForestRow(method.name, mean.value, *mean.interval, shown=method.shown(metric), dots=dots))
    return rows


def _shown(like: Metric, value: float) -> str:
    return replace(like, value=value).shown()
