"""What the programs share that take outputs folders: evaluate, export and check_outputs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine import files, outputs
from engine.commands import command_line
from engine.evaluation.labels import external_labels


def add(parser: command_line.Parser) -> None:
    """Adds the outputs and `--labels`."""
    parser.add_argument(
        'outputs', nargs='+', metavar='OUTPUTS', help='an outputs folder, or one that holds some'
    )
    parser.add_argument('--labels', metavar='FILE', help='labels, by id: .csv, .npz, .json or other outputs')


def add_target(parser: command_line.Parser, default: str) -> None:
    """Adds `--output` and `--overwrite`."""
    parser.add_argument(
        '--output', metavar='DIR', help=f'where to write; by default {default} in each outputs folder'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace what was written earlier')


def find(arguments: argparse.Namespace) -> list[Path]:
    """Returns the outputs folders."""
    return outputs.find(arguments.outputs)


def read(arguments: argparse.Namespace, folder: Path) -> outputs.Outputs:
    """Reads an outputs folder, with the labels of `--labels` if it was passed."""
    own = outputs.read(folder)
    return own if arguments.labels is None else external_labels.add(own, Path(arguments.labels))


def targets(arguments: argparse.Namespace, folders: Sequence[Path], default: str) -> list[Path]:
    """Returns the folder to write for each outputs folder."""
    if not arguments.output:
        return [folder / default for folder in folders]
    return [Path(arguments.output) / name for name in files.short_names(folders)]
