"""Predicts data from a checkpoint of a run, and saves the predictions as outputs."""

import argparse
from pathlib import Path
from typing import Any

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.processes import devices

EXAMPLES = """\
  scripts/predict.sh <run>                                          val and test from the best checkpoint
  scripts/predict.sh <run> --dataset='images:~/photos'              images of a folder, with classes or not
  scripts/predict.sh <run> --dataset=cifar10 --split=test           another dataset, without the training data
  scripts/predict.sh <run> --split=train,test --checkpoint=latest --overwrite
  scripts/predict.sh <run> --augmentations=8                        to <run>/outputs/test+8augmentations
  scripts/predict.sh --model=digits --dataset='images:~/photos'     a released model, to predictions/digits/
  scripts/predict.sh <run> --checkpoint=400                         to <run>/outputs/val@400 and test@400
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('predict.sh', __doc__ or '', EXAMPLES)
    parser.add_argument(
        'run', metavar='RUN', nargs='?', help="a run folder, or 'latest': the latest unfinished run"
    )
    parser.add_argument(
        '--model',
        metavar='NAME',
        help="a released model in place of a run: '<name>/<version>', or '<name>' for its latest version",
    )
    parser.add_argument(
        '--dataset', metavar='NAME', help="another dataset than the run's, such as 'images:<folder>'"
    )
    parser.add_argument(
        '--split',
        metavar='SPLITS',
        help='splits, separated by commas; by default val and test; of another dataset test, or all if there '
        'is no test',
    )
    parser.add_argument(
        '--checkpoint',
        default='',
        metavar='WHICH',
        help='best, latest or a step; by default best, or latest in a run that keeps no best',
    )
    parser.add_argument(
        '--resize',
        choices=('crop', 'stretch', 'no'),
        default='crop',
        help='how images of varying size become inputs of a model for images of one size: by their largest '
        'central part (the default), as a whole, or not at all',
    )
    parser.add_argument(
        '--augmentations',
        type=int,
        metavar='N',
        help='predict each example under N random augmentations of those that the task trains with, and join '
        'the predictions (test-time augmentation)',
    )
    parser.add_argument(
        '--accept_changes',
        action='store_true',
        help='predicts with changed data, code, packages or flags, and records the changes',
    )
    parser.add_argument('--strict', action='store_true', help='does not predict on another machine')
    parser.add_argument('--overwrite', action='store_true', help='replaces existing outputs')
    parser.add_json_argument('the folders of the outputs')
    parser.add_trust_argument()
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the run's own trainer and predicts with it."""
    devices.import_jax()
    from engine.commands import experiments, released, trusted
    from engine.prediction import predictions
    from engine.runs import start, text_log
    from engine.runs.environment import history, record
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

    experiments.set_up()
    if released.is_chosen(arguments):
        return _finish(arguments, {'model': arguments.model}, released.predict(arguments, Trainer))
    run = Run.find(arguments.run)
    trusted.check(run, arguments.trust)
    is_own = arguments.dataset is None or arguments.dataset == experiments.dataset_name(run)
    of_run = experiments.of_run if is_own else experiments.of_run_without_data
    trainer, present, differences = of_run(run, Trainer, arguments.accept_changes)
    start.check(run, differences, arguments.accept_changes, arguments.strict)
    for line in start.warnings(differences):
        text_log.logger.warning(line)
    environment = run.environment()
    if 'code' in differences.numeric:
        environment |= {'continued': [*history.continued(environment), record.with_git(present)]}
    differences.append_to(run.folder, 'predict', run.status().get('step', 0))
    data, chosen = released.data(arguments, trainer, is_own)
    origin = history.took_part(environment)
    folders = predictions.save(
        trainer, run.folder, data, chosen, arguments.checkpoint, arguments.overwrite, origin
    )
    return _finish(arguments, {'run': run.folder}, folders)


def _finish(arguments: argparse.Namespace, origin: dict[str, Any], folders: list[Path]) -> int:
    """Prints the folders of the outputs; returns the exit code."""
    from engine.outputs.contents import PAGE, PREDICTIONS

    for name, file in (('table', PREDICTIONS), ('page', PAGE)):
        print(
            *(f'{name}: {folder / file}\n' for folder in folders if (folder / file).exists()), sep='', end=''
        )
    print(*(f'outputs: {folder}' for folder in folders), sep='\n')
    if arguments.json:
        command_line.print_json(origin | {'outputs': folders})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
