"""Trains what a Gin config describes, or goes on with a run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from research import command_line
from research.command_line import Parser
from research.engine.signals import Signals
from research.errors import UserError

if TYPE_CHECKING:
    from research.engine.runs import Run

EXAMPLES = """\
  scripts/train.sh --gin_file=configs/digits_cnn.gin
  scripts/train.sh --gin_file=configs/digits_cnn.gin --gin_bindings='STEPS = 100' --gin_bindings='SEED = 1'
  scripts/train.sh --gin_file=configs/digits_cnn.gin --dry_run      what would run, and where values come from
  scripts/train.sh --resume=latest                                  goes on with the latest unfinished run
  scripts/train.sh --gin_file=<run>/config.gin                      repeats a run
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('train.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments()
    parser.add_argument(
        '--run', metavar='FOLDER', help='begins a run in this folder, or goes on with the one in it'
    )
    parser.add_argument('--resume', metavar='RUN', help="goes on with a run: its folder, or 'latest'")
    parser.add_argument(
        '--accept_changes', action='store_true', help='goes on with a changed config, and records it'
    )
    parser.add_argument(
        '--dry_run', action='store_true', help='builds everything, shows the config, trains nothing'
    )
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Listens for signals from here on, and trains."""
    with Signals() as signals:
        return train(arguments, signals)


def train(arguments: argparse.Namespace, signals: Signals) -> int:
    """Builds the trainer, checks everything, and only then trains."""
    from research import config
    from research.engine import logs, programs, resume
    from research.engine.runs import FINISHED, Run
    from research.engine.session import Session
    from research.engine.trainer import Trainer

    logs.silence_libraries()
    logs.to_terminal()
    programs.keep_compiled()
    run = _existing(arguments)
    settings = config.Config(arguments.gin_file or ([run.config] if run else []), arguments.gin_bindings)
    trainer = settings.build(Trainer)
    with config.explained():
        trainer.check()
    notes = settings.check()
    if arguments.dry_run:
        print(settings.explain())
        print('\n'.join([*(f'note: {note}' for note in notes), 'All is well: nothing was trained.']))
        return command_line.FINISHED
    changes = config.differences(run.config.read_text(encoding='utf-8'), settings.text()) if run else {}
    if run and changes:
        _check_changes(changes, arguments.accept_changes, run.folder)
    if run and not changes and run.status().get('state') == FINISHED:
        damage = resume.damage(run.folder, trainer.predict)
        if not damage:
            print(f'This run is finished.\nrun: {run.folder}')
            return command_line.FINISHED
        logs.logger.warning('this run was finished and has been damaged since: %s', damage)
    if not run:
        run = Run.begin(trainer.dataset, Path(arguments.run) if arguments.run else None)
    logs.to_file(run.folder / 'logs' / 'train.log')
    for note in notes:
        logs.logger.info('note: %s', note)
    session = Session(run, signals)
    with session.recorded(**trainer.origin):
        session.adopt_config(settings.save, changes)
        trainer.run(session)
    print(f'run: {run.folder}')
    return command_line.FINISHED


def _existing(arguments: argparse.Namespace) -> 'Run | None':
    """Returns the run to go on with, None if a new one is to begin."""
    from research.engine import runs

    if arguments.resume and arguments.run:
        raise UserError('--resume and --run both name a run: give one of them.')
    name = arguments.resume or arguments.run
    if arguments.resume or (arguments.run and runs.is_run(Path(arguments.run))):
        run = runs.Run.find(name)
        run.check_config()
        return run
    if not arguments.gin_file:
        raise UserError('nothing to train: give --gin_file=configs/<name>.gin, or --resume=<run>.')
    return None


def _check_changes(changes: dict[str, tuple[str, str]], accepted: bool, folder: Path) -> None:
    """Raises `UserError` for changes that are not accepted; more steps and nothing else always are."""
    old, new = changes.get('trainer.Trainer.steps', ('0', '0'))
    only_more_steps = len(changes) == 1 and int(new) > int(old)
    if not (accepted or only_more_steps):
        lines = '\n'.join(f'  {name}: {old} -> {new}' for name, (old, new) in sorted(changes.items()))
        raise UserError(
            f'{folder} was begun with another config:\n{lines}\nGo on without --gin_file and --gin_bindings, '
            'begin another run, or give --accept_changes, which records them.'
        )


if __name__ == '__main__':
    command_line.run(main, parser())
