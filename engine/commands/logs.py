"""Shows training logs: `scripts/logs.sh <runs>...`. Needs neither JAX nor the model, and changes no log."""

import argparse
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from engine import errors, files, workspace
from engine.commands import command_line
from engine.render.escape import printable
from engine.run_reader import curves, logs
from engine.run_reader import summary as training_summary
from engine.run_reader.logs import TrainingLogs

SUMMARY = 'summary.md'
EXAMPLES = """\
  scripts/logs.sh <run>                       one run, running or not: figures in <run>/logs/plots
  scripts/logs.sh <run> <run>                 two over each other: figures in workspace/logs/<time>
  scripts/logs.sh workspace/runs --output=all   all runs of the workspace
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('logs.sh', 'Tables and figures of training logs.', EXAMPLES)
    arguments.add_argument('runs', nargs='+', metavar='RUN', help='a run folder, or a folder of runs')
    arguments.add_argument('--output', metavar='DIR', help='folder for the figures')
    arguments.add_argument('--overwrite', action='store_true', help='replace earlier figures')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Prints the summary of the runs and draws their curves; returns the exit code."""
    folders = logs.find(arguments.runs)
    target = Path(arguments.output) if arguments.output else default_target(folders)
    files.check_replaceable(target, SUMMARY, arguments.overwrite)
    names = files.distinct_names(folders)
    runs = {name: logs.read(folder) for name, folder in zip(names, folders, strict=True)}
    print(training_summary.terminal(runs))
    write(target, runs, arguments.overwrite)
    print(printable(f'figures: {target}'))
    return errors.EXIT_FINISHED


def default_target(folders: list[Path]) -> Path:
    """Returns the default folder for figures: in the logs of a single run, else in the workspace."""
    if len(folders) == 1:
        return folders[0] / 'logs' / 'plots'
    return workspace.workspace() / 'logs' / datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')


def write(folder: Path, runs: Mapping[str, TrainingLogs], overwrite: bool) -> None:
    """Writes the tables and all figures, as PNG and SVG, into `folder`, all or none."""
    with files.user_folder(folder, SUMMARY, overwrite) as temporary:
        (temporary / SUMMARY).write_text(training_summary.markdown(runs), encoding='utf-8')
        for name, draw in curves.figures(runs).items():
            plain, figure = re.sub(r'[^\w.-]', '_', name)[:80], draw()
            taken = (temporary / f'{plain}.png').exists()  # metrics may differ in one replaced character
            stem = f'{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}' if taken else plain
            figure.savefig(temporary / f'{stem}.png', dpi=160)
            figure.savefig(temporary / f'{stem}.svg')


if __name__ == '__main__':
    command_line.run(main, parser())
