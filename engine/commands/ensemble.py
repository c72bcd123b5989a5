"""Joins the predictions of several models: `scripts/ensemble.sh <outputs>...`. Needs no JAX."""

import argparse
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from engine import errors, outputs
from engine.commands import command_line, outputs_arguments
from engine.errors import UserError
from engine.evaluation.comparison import comparison_inputs
from engine.outputs.joint import ensemble as joint
from engine.outputs.joint.ensemble import Ensemble
from engine.prediction.pictures import pictures
from engine.render.escape import printable
from engine.workspace import workspace

EXAMPLES = """\
  scripts/ensemble.sh <run> <run> <run>                       test outputs, to workspace/ensembles/
  scripts/ensemble.sh workspace/runs/sweep --split=val        all runs below a folder
  scripts/ensemble.sh <outputs> <outputs> --output=outputs/both
  scripts/ensemble.sh <runs> --output=outputs/five --detail=method='5 models'
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser(
        'ensemble.sh',
        'Joins the predictions of several models for the same examples to one outputs folder: the mean of '
        'probabilities, numbers or images, the majority of masks.',
        EXAMPLES,
    )
    arguments.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='a run, an outputs folder, or a folder of either'
    )
    arguments.add_argument('--split', default='test', help='which outputs of a run; test by default')
    arguments.add_argument(
        '--output', metavar='FOLDER', help='the outputs folder to write; by default in workspace/ensembles/'
    )
    outputs_arguments.add_details(arguments)
    arguments.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    arguments.add_json_argument('the members and the folder of the outputs')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Writes the ensemble and prints its members; returns the exit code."""
    members = read(arguments.inputs, arguments.split)
    target = Path(arguments.output).expanduser() if arguments.output else default_folder(members)
    _check_target(target)
    ensemble = joint.ensemble(members, outputs_arguments.details(arguments))
    write(ensemble, target, arguments.overwrite)
    for line in (*(f'member: {member.folder}' for member in members), *ensemble.notes):
        print(printable(line))
    print(printable(f'outputs: {target}'))
    if arguments.json:
        folders = [member.folder for member in members]
        command_line.print_json({'outputs': target, 'members': folders, 'notes': ensemble.notes})
    return errors.EXIT_FINISHED


def read(paths: Sequence[str], split: str) -> list[outputs.Outputs]:
    """Reads the members.

    Raises:
      UserError: a path holds no outputs of the split, or outputs are damaged.
    """
    inputs, without_outputs = comparison_inputs.find(paths, split)
    if without_outputs:
        raise UserError(f'{without_outputs[0]} Or leave it out of the ensemble.')
    return [source.outputs for source in inputs]


def default_folder(members: Sequence[outputs.Outputs]) -> Path:
    """Returns a folder of the workspace, named after data, split and members."""
    manifest = members[0].manifest
    digests = [outputs.fingerprint(member.folder / outputs.MANIFEST).sha256 for member in members]
    digest = hashlib.sha256(' '.join(sorted(digests)).encode()).hexdigest()[:8]
    data = re.sub(r'[^\w.-]+', '-', manifest.dataset).strip('-.')[:60] or manifest.kind
    split = re.sub(r'[^\w.-]+', '-', manifest.split)[:30] or 'outputs'
    return workspace() / 'ensembles' / data / f'{split}-{len(members)}-{digest}'


def write(ensemble: Ensemble, target: Path, overwrite: bool) -> None:
    """Writes an ensemble as an outputs folder, with pictures of predicted images and masks for people."""
    predicted = {name: ensemble.arrays[name] for name in ensemble.predictions}
    outputs.write(
        target,
        ensemble.manifest,
        ensemble.arrays,
        ensemble.ids,
        ensemble.meanings,
        files=pictures(predicted, ensemble.ids),
        overwrite=overwrite,
    )


def _check_target(target: Path) -> None:
    run = target.resolve().parent.parent
    if (run / comparison_inputs.CONFIG).is_file():
        raise UserError(
            f'--output={target} lies in the run {run}: programs would take the ensemble for predictions of '
            'this run alone. Choose a folder outside of runs.'
        )


if __name__ == '__main__':
    command_line.run(main, parser())
