"""Predicts splits of a run's dataset from one of its checkpoints, and saves them as outputs."""

import argparse

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.config import config

EXAMPLES = """\
  scripts/predict.sh <run>                                          val and test from the best checkpoint
  scripts/predict.sh <run> --split=train,test --checkpoint=latest --overwrite
  scripts/predict.sh <run> --checkpoint=400                         to <run>/outputs/val@400 and test@400
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('predict.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help="its folder, or 'latest': the latest unfinished one")
    parser.add_argument('--split', default='val,test', metavar='SPLITS', help='splits, with commas between')
    parser.add_argument('--checkpoint', default='best', metavar='WHICH', help='best, latest or a step')
    parser.add_argument('--overwrite', action='store_true', help='replaces outputs that exist')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the run's own trainer and predicts with it."""
    from engine.prediction import predictions
    from engine.runs import text_log
    from engine.runs.run_folder import Run
    from engine.training import steps
    from engine.training.trainer import Trainer

    text_log.silence_libraries()
    text_log.to_terminal()
    steps.use_compilation_cache()
    run = Run.find(arguments.run)
    trainer = config.Config([run.config]).build(Trainer)
    with config.explained():
        trainer.check()
    run.check_data(trainer.data.name, trainer.data.fingerprint)
    splits = arguments.split.split(',')
    for folder in predictions.save(trainer, run.folder, splits, arguments.checkpoint, arguments.overwrite):
        print(f'outputs: {folder}')
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
