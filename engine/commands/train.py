"""Trains what a Gin config describes, or goes on with a run."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import launcher
from engine.runs.signals import Signals

if TYPE_CHECKING:
    from engine.processes.process_group import Group
    from engine.runs.run_folder import Run

EXAMPLES = """\
  scripts/train.sh --gin_file=configs/digits_cnn.gin
  scripts/train.sh --gin_file=configs/digits_cnn.gin --gin_bindings='STEPS = 100' --gin_bindings='SEED = 1'
  scripts/train.sh --gin_file=configs/digits_cnn.gin --dry_run      what would run, and where values come from
  scripts/train.sh --resume=latest                                  goes on with the latest unfinished run
  scripts/train.sh --gin_file=<run>/config.gin                      repeats a run
  scripts/train.sh --gin_file=configs/digits_cnn.gin --processes=2  in two processes, as on two machines
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
        '--processes', type=int, default=1, metavar='N', help='trains in N processes, all on this machine'
    )
    parser.add_argument('--process', type=int, metavar='I', help='on several machines: number I of the N')
    parser.add_argument(
        '--coordinator', metavar='HOST:PORT', help='on several machines: where number 0 can be reached'
    )
    parser.add_argument(
        '--dry_run', action='store_true', help='builds everything, shows the config, trains nothing'
    )
    return parser


def main(arguments: argparse.Namespace, ends: bool = False) -> int:
    """Listens for signals from here on, and trains: alone, or as one process of several.

    Args:
      arguments: of the command line.
      ends: whether the process ends with this function.

    Returns:
      The exit code.
    """
    _check_processes(arguments)
    if arguments.processes > 1 and arguments.process is None:
        return launcher.launch(sys.argv[1:], arguments.processes)
    with Signals(ends) as signals:
        from engine.processes import process_group

        place = None
        if arguments.process is not None:
            place = process_group.Place(arguments.process, arguments.processes, arguments.coordinator)
        with process_group.joined(place, signals) as group:
            if not group.is_first:
                sys.stdout = Path(os.devnull).open('w')  # noqa: SIM115 (what the first one says is enough)
            return train(arguments, signals, group)


def _check_processes(arguments: argparse.Namespace) -> None:
    """Raises `UserError` unless the flags for several processes fit together."""
    if arguments.processes < 1:
        raise UserError(f'--processes={arguments.processes}: it must be at least 1.')
    if (arguments.process is None) != (arguments.coordinator is None):
        raise UserError(
            'on several machines each process needs both --process=I and --coordinator=HOST:PORT; '
            'to try several on this machine, give --processes=N alone.'
        )
    if arguments.process is not None and not 0 <= arguments.process < arguments.processes:
        raise UserError(
            f'--process={arguments.process}: it must be 0 to {arguments.processes - 1}, below --processes.'
        )


def train(arguments: argparse.Namespace, signals: Signals, group: 'Group') -> int:
    """Builds the trainer, checks everything, and only then trains."""
    from engine.config import config
    from engine.prediction import predictions
    from engine.runs import faults, text_log
    from engine.runs.guard import Session
    from engine.runs.run_folder import FINISHED, Run
    from engine.training import resume, steps
    from engine.training.trainer import Trainer

    text_log.silence_libraries()
    text_log.to_terminal()
    steps.use_compilation_cache()
    run = _existing(arguments)
    settings = config.Config(arguments.gin_file or ([run.config] if run else []), arguments.gin_bindings)
    trainer = settings.build(Trainer)
    with config.explained():
        trainer.check()
    notes = settings.check()
    if arguments.dry_run:
        print(settings.explain())
        print('\n'.join([*(f'note: {note}' for note in notes), 'All is well: nothing was trained.']))
        return errors.EXIT_FINISHED
    if run:
        run.check_data(trainer.data.name, trainer.data.fingerprint)
    changes = config.differences(run.config.read_text(encoding='utf-8'), settings.text()) if run else {}
    if run and changes:
        _check_changes(changes, arguments.accept_changes, run.folder)
    if run and not changes and run.status().get('state') == FINISHED:
        damage = resume.damage(run.folder, trainer.predict)
        if not damage:
            print(f'This run is finished.\nrun: {run.folder}')
            return errors.EXIT_FINISHED
        text_log.logger.warning('this run was finished and has been damaged since: %s', damage)
    if not run and group.is_first:
        run = Run.begin(trainer.dataset, Path(arguments.run) if arguments.run else None)
    with group.folder(run) as run:
        text_log.to_file(run.folder / 'logs' / 'train.log')
        for note in notes:
            text_log.logger.info('note: %s', note)
        session = Session(run, signals)
        group.on_loss = session.fail
        with session.recorded(processes=group.count, **trainer.origin):
            session.adopt_config(settings.save, changes)
            run.seal_data(trainer.data.fingerprint)
            trainer.run(session)
            which = 'best' if trainer.best else 'latest'
            predictions.save(trainer, run.folder, trainer.predict, which, overwrite=True)
            faults.point('finish')
            session.finish(trainer.steps)
        print(f'run: {run.folder}')
    return errors.EXIT_FINISHED


def _existing(arguments: argparse.Namespace) -> 'Run | None':
    """Returns the run to go on with, None if a new one is to begin."""
    from engine.runs import run_folder

    if arguments.resume and arguments.run:
        raise UserError('--resume and --run both name a run: give one of them.')
    name = arguments.resume or arguments.run
    if arguments.resume or (arguments.run and run_folder.is_run(Path(arguments.run))):
        run = run_folder.Run.find(name)
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
    command_line.run(partial(main, ends=True), parser())
