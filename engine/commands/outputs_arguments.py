"""What the programs share that take or write outputs folders."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine import files, outputs
from engine.commands import command_line
from engine.errors import UserError, did_you_mean
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


def add_details(parser: command_line.Parser) -> None:
    """Adds `--detail`."""
    parser.add_argument(
        '--detail', action='append', default=[], metavar='NAME=TEXT', help='such as method=SVM or seed=0'
    )


def details(arguments: argparse.Namespace) -> dict[str, str]:
    """Returns the details of `--detail`, name to text."""
    return pairs('--detail', arguments.detail)


def pairs(flag: str, texts: Sequence[str], known: Sequence[str] = ()) -> dict[str, str]:
    """Returns name to text of a flag with `NAME=TEXT`; raises `UserError` if a name is not among `known`."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition('=')
        if not equals or not name or not value:
            raise UserError(f'{flag}={text} is not a name and a text. Write {flag}=NAME=TEXT.')
        if known and name not in known:
            raise UserError(f'{flag}={text}: there is no role {name!r}. {did_you_mean(name, known)}')
        pairs[name] = value
    return pairs
