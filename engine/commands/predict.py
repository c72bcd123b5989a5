"""Predicts splits of a run's dataset from one of its checkpoints, and saves the predictions as outputs."""

import argparse

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.processes import devices

EXAMPLES = """\
  scripts/predict.sh <run>                                          val and test from the best checkpoint
  scripts/predict.sh <run> --split=train,test --checkpoint=latest --overwrite
  scripts/predict.sh <run> --checkpoint=400                         to <run>/outputs/val@400 and test@400
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('predict.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help="a run folder, or 'latest': the latest unfinished run")
    parser.add_argument('--split', default='val,test', metavar='SPLITS', help='splits, separated by commas')
    parser.add_argument('--checkpoint', default='best', metavar='WHICH', help='best, latest or a step')
    parser.add_argument(
        '--accept_changes',
        action='store_true',
        help='predicts with changed data, code, packages or flags, and records the changes',
    )
    parser.add_argument('--strict', action='store_true', help='does not predict on another machine')
    parser.add_argument('--overwrite', action='store_true', help='replaces existing outputs')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the run's own trainer and predicts with it."""
    devices.import_jax()
    from engine.commands import experiments
    from engine.prediction import predictions
    from engine.runs import start, text_log
    from engine.runs.environment import history, record
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

    experiments.set_up()
    run = Run.find(arguments.run)
    trainer, present, differences = experiments.of_run(run, Trainer, arguments.accept_changes)
    start.check(run, differences, arguments.accept_changes, arguments.strict)
    for line in start.warnings(differences):
        text_log.logger.warning(line)
    environment = run.environment()
    if 'code' in differences.numeric:
        environment |= {'continued': [*history.continued(environment), record.with_git(present)]}
    differences.append_to(run.folder, 'predict', run.status().get('step', 0))
    splits, origin = arguments.split.split(','), history.took_part(environment)
    for folder in predictions.save(
        trainer, run.folder, splits, arguments.checkpoint, arguments.overwrite, origin
    ):
        print(f'outputs: {folder}')
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
