"""`scripts/runs.sh diff`: what differs between two runs."""

import argparse
from typing import Any

from engine import errors
from engine.commands import command_line
from engine.errors import UserError
from engine.render.escape import printable
from engine.run_reader.catalogue import difference, folders
from engine.run_reader.catalogue import entry as entries
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import Fields


def diff(arguments: argparse.Namespace) -> int:
    """Prints what differs between two runs."""
    if len(arguments.runs) != 2:
        raise UserError(
            f'diff compares two runs, not {len(arguments.runs)}. scripts/runs.sh lists the names.'
        )
    one, other = (entries.read(folders.one(name)) for name in arguments.runs)
    compared = difference.between(one, other)
    outputs, problem = _compared_outputs(one, other, arguments)
    if arguments.json:
        runs = [Fields([entry]).as_json(entry) for entry in (one, other)]
        command_line.print_json(
            {'runs': runs, **compared.as_json(), 'outputs': outputs, 'outputs_problem': problem or None}
        )
        return errors.EXIT_FINISHED
    lines = [f'a: {one.name}', f'b: {other.name}', *compared.lines(), difference.best_line(one, other)]
    lines.append(f'outputs: {_outputs_line(outputs) if outputs else problem}')
    print(*map(printable, lines), sep='\n')
    return errors.EXIT_FINISHED


def _compared_outputs(
    one: RunEntry, other: RunEntry, arguments: argparse.Namespace
) -> tuple[dict[str, Any] | None, str]:
    """Returns the comparison of the outputs, or None and why there is none.

    Raises:
      UserError: there is none, and the user has asked for one by `--split` or `--metric`.
    """
    from engine.evaluation.comparison import two_runs
    from engine.evaluation.evaluator import Evaluator

    try:
        split, metric = arguments.split or 'test', arguments.metric or ''
        return two_runs.document(one.folder, other.folder, split, Evaluator().report_on, metric), ''
    except UserError as error:
        if arguments.split or arguments.metric:
            raise
        return None, str(error)


def _outputs_line(compared: dict[str, Any]) -> str:
    """Returns the metric of both runs, and their difference with its interval."""
    one, other = compared['values']
    values = f'{compared["metric"]} on {compared["split"]} {one:.6g} in a, {other:.6g} in b'
    line = f'{values}; b minus a: {compared["difference"]:.4g}'
    if not compared['interval'] or compared['p'] is None:
        return f'{line}; there is no test of this metric'
    low, high = compared['interval']
    interval = f'paired {100 * compared["confidence"]:g} % interval {low:.4g} to {high:.4g}'
    return f'{line}, {interval}, p = {compared["p"]:.3g}'
