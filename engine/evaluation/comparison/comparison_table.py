"""Methods beside each other: the best first, with what differs between them."""

import math
from collections.abc import Sequence

from engine import files
from engine.evaluation.comparison.footnotes import note
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.ranking import Rank
from engine.render.table_formats import Table
from engine.run_reader import settings


def table(methods: Sequence[Method], found: Sequence[Rank], name: str, in_numbers: bool) -> Table:
    """Returns the comparison as a table.

    Args:
      methods: about the same examples, the best first.
      found: how each of them stands.
      name: of the metric by which they are compared.
      in_numbers: whether cells are for programs, a number each, and not for people.
    """
    metrics = [*dict.fromkeys((*methods[0].reports[0].headline, name))]
    columns = {'outputs': names(methods)} | differing(methods)
    for each in metrics:
        columns |= (_numbers if in_numbers else _shown)(methods, each)
    if any(each.difference for each in found):
        unit = _unit(methods, name)
        columns |= _tests_in_numbers(found) if in_numbers else _tests(found, unit)
    marks = {(title(methods, name), row): each.mark for row, each in enumerate(found)}
    return Table(columns, note(methods, found, name), {} if in_numbers else marks)


def names(methods: Sequence[Method]) -> list[str]:
    """Returns for each method the folder of its first outputs, below what all have in common."""
    found = [method.folder for method in methods]
    if len(set(found)) < len(found):
        found = [method.inputs[0].outputs.folder.resolve() for method in methods]
    return files.distinct_names(found)


def differing(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns the columns that tell methods apart: parameters, seeds and commits where they differ."""
    found = settings.differences([method.inputs[0].settings for method in methods])
    columns = {_parameter(name): values for name, values in found.items()}
    seeds = [method.seeds for method in methods]
    if len(set(seeds)) > 1 or any(len(method.inputs) > 1 for method in methods):
        columns['seeds'] = seeds
    commits = [method.inputs[0].commit for method in methods]
    return columns | ({'commit': commits} if len(set(commits)) > 1 else {})


def _parameter(name: str) -> str:
    """Returns the title of a parameter or macro, which no other column has."""
    return name if '.' in name or name.isupper() else f'%{name}'


def title(methods: Sequence[Method], name: str) -> str:
    """Returns a metric's title with its unit and an arrow to where it is better."""
    definition = methods[0].reports[0].metrics[name].definition
    arrow = {'higher': ' ↑', 'lower': ' ↓'}.get(definition.direction, '')
    return f'{definition.title}{_unit(methods, name)}{arrow}'


def _unit(methods: Sequence[Method], name: str) -> str:
    """Returns a metric's unit as it stands behind a title."""
    definition = methods[0].reports[0].metrics[name].definition
    unit = '%' if definition.unit == 'fraction' else definition.unit
    return f' ({unit})' if unit and unit not in definition.title.split() else ''


def _shown(methods: Sequence[Method], name: str) -> dict[str, list[str]]:
    return {title(methods, name): [method.shown(name) for method in methods]}


def _numbers(methods: Sequence[Method], name: str) -> dict[str, list[str]]:
    metrics = [method.metric(name) for method in methods]
    return {
        name: [_number(each.value) for each in metrics],
        f'{name}_low': [_number(each.interval[0]) for each in metrics],
        f'{name}_high': [_number(each.interval[1]) for each in metrics],
        f'{name}_deviation': [_number(method.deviation(name)) for method in methods],
    }


def _number(value: float | None) -> str:
    return '' if value is None or math.isnan(value) else f'{value:.6g}'


def _tests(found: Sequence[Rank], unit: str) -> dict[str, list[str]]:
    minus = [each.difference.shown_with_interval() if each.difference else '' for each in found]
    columns = {f'minus the best{unit}': minus, 'p': [_p(each.p) for each in found]}
    exact = [_p(each.mcnemar) for each in found]
    return columns | ({'p (McNemar)': exact} if any(exact) else {})


def _tests_in_numbers(found: Sequence[Rank]) -> dict[str, list[str]]:
    ends = [each.difference.interval if each.difference else (None, None) for each in found]
    return {
        'minus_best': [_number(each.difference.value if each.difference else None) for each in found],
        'minus_best_low': [_number(low) for low, _ in ends],
        'minus_best_high': [_number(high) for _, high in ends],
        'p': [_number(each.p) for each in found],
        'p_mcnemar': [_number(each.mcnemar) for each in found],
        'mark': [each.mark for each in found],
    }


def _p(p: float | None) -> str:
    if p is None or math.isnan(p):
        return ''
    return f'{p:.3f}' if p >= 0.001 else 'below 0.001'
