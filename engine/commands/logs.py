"""Shows training logs: `scripts/logs.sh <runs>...`. Needs neither JAX nor the model, and changes no log."""

import argparse
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from engine import errors, files, workspace
from engine.commands import command_line
from engine.errors import UserError
from engine.render.escape import printable
from engine.render.figures import rendered
from engine.run_reader import curves, logs
from engine.run_reader import summary as training_summary
from engine.run_reader.logs import TrainingLogs
from engine.run_reader.watching.watch import WatchedPage, watch

SUMMARY = 'summary.md'
EXAMPLES = """\
  scripts/logs.sh <run>                       one run, running or not: figures in <run>/logs/plots
  scripts/logs.sh <run> <run>                 two over each other: figures in workspace/logs/<time>
  scripts/logs.sh workspace/runs --output=all   all runs of the workspace
  scripts/logs.sh <run> --watch               a page that follows the training, until Ctrl-C
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('logs.sh', 'Tables and figures of training logs.', EXAMPLES)
    arguments.add_argument('runs', nargs='+', metavar='RUN', help='a run folder, or a folder of runs')
    arguments.add_argument('--output', metavar='DIR', help='folder for the figures, or for the page')
    arguments.add_argument('--overwrite', action='store_true', help='replace earlier figures')
    arguments.add_argument(
        '--watch', action='store_true', help='rewrites one HTML page whenever the logs grow; it opens no port'
    )
    arguments.add_json_argument('progress, metrics and notes of each run')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Prints the summary of the runs and draws their curves; returns the exit code."""
    folders = logs.find(arguments.runs)
    if arguments.watch:
        return follow(arguments, folders)
    target = Path(arguments.output) if arguments.output else default_target(folders)
    files.check_replaceable(target, SUMMARY, arguments.overwrite)
    names = files.distinct_names(folders)
    runs = {name: logs.read(folder) for name, folder in zip(names, folders, strict=True)}
    print(training_summary.terminal(runs))
    note = write(target, runs, arguments.overwrite)
    print(*map(printable, filter(None, (note, f'figures: {target}'))), sep='\n')
    if arguments.json:
        command_line.print_json({'runs': training_summary.documents(runs), 'figures': target})
    return errors.EXIT_FINISHED


def follow(arguments: argparse.Namespace, folders: list[Path]) -> NoReturn:
    """Keeps a page about the runs true until Ctrl-C."""
    if arguments.json or arguments.overwrite:
        raise UserError(f'--watch goes without {"--json" if arguments.json else "--overwrite"}.')
    name = 'watch.html'
    if not arguments.output and len(folders) > 1:  # the same arguments name the same page
        key = '\n'.join(str(Path(path).resolve()) for path in arguments.runs)
        name = f'watch-{hashlib.sha256(key.encode()).hexdigest()[:6]}.html'
    above = default_target(folders).parent
    page = (Path(arguments.output) if arguments.output else above).absolute() / name
    watched = WatchedPage(arguments.runs, page)
    watched.refresh()
    print(printable(f'page: {page}\nIt follows the logs until Ctrl-C. Open it in a browser.'), flush=True)
    watch(watched)


def default_target(folders: list[Path]) -> Path:
    """Returns the default folder for figures: in the logs of a single run, else in the workspace."""
    if len(folders) == 1:
        return folders[0] / 'logs' / 'plots'
    return workspace.workspace() / 'logs' / datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')


def write(folder: Path, runs: Mapping[str, TrainingLogs], overwrite: bool) -> str:
    """Writes the tables and all figures, as PNG, SVG and PDF, into `folder`, all or none.

    Returns:
      A note on the figures; '' if there is nothing to note.
    """
    with files.user_folder(folder, SUMMARY, overwrite) as temporary:
        (temporary / SUMMARY).write_text(training_summary.markdown(runs), encoding='utf-8')
        figures = rendered.render_all(curves.figures(runs)).values()
        rendered.write_all(figures, temporary)
    return rendered.note(figures)


if __name__ == '__main__':
    command_line.run(main, parser())
