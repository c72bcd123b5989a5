"""Copies runs to TensorBoard, MLflow, Visdom or W&B: `scripts/mirror.sh <runs> --to=mlflow`. Needs no JAX."""

import argparse
from dataclasses import asdict

from engine import errors, workspace
from engine.commands import command_line
from engine.mirrors import copying, destinations, mirrored_run
from engine.render.escape import printable
from engine.run_reader import logs
from engine.runs import lock

EXAMPLES = """\
  scripts/mirror.sh <run> --to=tensorboard            one run, at work or not; repeat it for what is new
  scripts/mirror.sh workspace/runs --to=mlflow        all runs, into a database file
  scripts/mirror.sh <run> --to=mlflow --at=http://127.0.0.1:5000     to a tracking server
  scripts/mirror.sh <run> --to=wandb                  offline; `wandb sync` uploads it
"""
DESCRIPTION = (
    'Copies the curves and configs of runs to another tool, from plain files. A second copy adds what is new.'
)


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('mirror.sh', DESCRIPTION, EXAMPLES)
    arguments.add_argument('runs', nargs='+', metavar='RUN', help='a run folder, or a folder of runs')
    arguments.add_argument('--to', required=True, choices=destinations.CLASSES, help='the tool')
    arguments.add_argument(
        '--at',
        metavar='PLACE',
        help='a folder, or the address of a server; by default workspace/mirrors/<tool>',
    )
    arguments.add_json_argument('the number of copied numbers by run')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Copies the runs, one after another; returns the exit code."""
    folders = logs.find(arguments.runs)
    copied = []
    with lock.held(workspace.workspace() / 'mirrors' / 'lock'):  # one copy at a time
        destination = destinations.open_destination(arguments.to, arguments.at)
        for folder in folders:
            copied.append(copying.copy(mirrored_run.read(folder), destination))
            print(printable(str(copied[-1])), flush=True)
    if arguments.json:
        command_line.print_json({'mirror': destination.place, 'runs': list(map(asdict, copied))})
    else:
        print(printable(f'look: {destination.look}\nmirror: {destination.place}'))
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
