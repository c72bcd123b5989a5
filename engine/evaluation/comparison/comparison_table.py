"""The table of a comparison: the best method first, and what differs between the methods."""

from collections.abc import Collection, Sequence

from engine.errors import UserError, did_you_mean
from engine.evaluation.comparison.columns import (
    PARAMETERS,
    POOLED,
    TEST,
    available,
    common_metrics,
    differing_origins,
    differing_parameters,
)
from engine.evaluation.comparison.footnotes import footnotes
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.render.table import Cell, Table

MAX_PARAMETER_COLUMNS = 3  # more parameters are folded into one column
MAX_FOLDED_PARAMETERS = 8  # more than these would fill the page, so that a note counts them


def table(
    methods: Sequence[Method],
    ranks: Sequence[Rank],
    metric: str,
    columns: Sequence[str] = (),
    in_numbers: bool = False,
    without_digests: bool = False,
) -> Table:
    """Returns the comparison as a table.

    Args:
      methods: evaluated on the same examples, the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.
      columns: names of the columns to show after the name of the method, in this order; see `available`. By
        default parameters, seeds and commits that differ, the headline metrics and the tests.
      in_numbers: whether the table is for programs: values and the ends of intervals are then columns.
      without_digests: whether names that are digests, as those of the runs of a sweep, are left out if
        parameters tell the methods apart.

    Raises:
      UserError: there is no such column.
    """
    groups = available(methods, ranks, metric, in_numbers)
    written = {_full_name(name, groups): name for name in columns}
    shown = list(written) or [*_origins(methods, in_numbers), *measures(methods, metric)]
    parameters = differing_parameters(methods)
    cells: dict[str, list[Cell]] = {}
    if not (without_digests and {PARAMETERS, *parameters} & set(shown) and _are_digests(methods)):
        cells['method'] = [Cell(method.name) for method in methods]
    titles = {'method', *(title for group in groups.values() for title in group)}
    for name in shown:
        title = written.get(name, name)  # people read what they wrote, such as `width` of `mlp.MLP.width`
        cells |= groups[name] if in_numbers or title in {name, *titles} else {title: groups[name][name]}
    note = footnotes(methods, ranks, metric)
    if parameters and not columns and not {PARAMETERS, *parameters} & set(shown):
        note += f' The configs differ in {len(parameters)} parameters: --columns={PARAMETERS} lists them.'
    return Table.of_columns(cells, note)


def _are_digests(methods: Sequence[Method]) -> bool:
    return all(method.is_named_by_digest for method in methods)


def _full_name(name: str, groups: Collection[str]) -> str:
    """Returns the name of a column, of which users may write the end, such as `width` of `mlp.MLP.width`."""
    ends = [known for known in groups if known.endswith(f'.{name}')]
    if name in groups or len(ends) == 1:
        return name if name in groups else ends[0]
    if ends:
        raise UserError(f'--columns: several columns end in {name!r}: {", ".join(ends)}. Write one of them.')
    raise UserError(f'--columns: there is no {name!r}. {did_you_mean(name, groups)}')


def measures(methods: Sequence[Method], metric: str) -> list[str]:
    """Returns the names of the headline metrics that all outputs have, the ranking metric and the tests.

    In a cross-validation, the ranking metric of the examples of all folds together comes before the tests.
    """
    common = common_metrics(methods)
    headline = [name for name in methods[0].reports[0].headline if name in common]
    return [*dict.fromkeys((*headline, metric)), *[POOLED] * bool(methods[0].folds), TEST]


def _origins(methods: Sequence[Method], in_numbers: bool) -> list[str]:
    """Returns the names of the columns that tell methods apart, as many as a page has room for."""
    parameters = list(differing_parameters(methods))
    if not in_numbers and len(parameters) > MAX_PARAMETER_COLUMNS:
        parameters = [PARAMETERS] * (len(parameters) <= MAX_FOLDED_PARAMETERS)
    return [*parameters, *differing_origins(methods)]
