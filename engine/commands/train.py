"""Trains what a Gin config describes, or resumes a run."""

import argparse
import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine import errors
from engine.commands import command_line, out_of_memory, streams
from engine.commands.command_line import Parser
from engine.errors import Paused, UserError
from engine.processes import address, devices, launcher
from engine.processes.address import Address
from engine.runs import garbage
from engine.runs.signals import Signals
from engine.workspace import workspace

if TYPE_CHECKING:
    from engine.processes.process_group import ProcessGroup
    from engine.runs.guard import RunGuard
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/train.sh --gin_file=configs/digits_cnn.gin
  scripts/train.sh --gin_file=configs/digits_cnn.gin STEPS=100 SEED=1
  scripts/train.sh --gin_file=configs/digits_cnn.gin --dry_run      what would run, and where values come from
  scripts/train.sh --resume=latest                                  resumes the latest unfinished run
  scripts/train.sh --resume=<run> --until=500                       pauses after step 500
  scripts/train.sh --gin_file=<run>/config.gin                      repeats a run
  scripts/train.sh --gin_file=configs/digits_cnn.gin --processes=2  in two processes, as on two machines
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('train.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_argument(
        '--run', metavar='FOLDER', help='begins a run in this folder, or resumes the one there'
    )
    parser.add_argument('--resume', metavar='RUN', help="resumes a run: its folder, or 'latest'")
    parser.add_argument(
        '--accept_changes',
        action='store_true',
        help='resumes with changed config, data, code, packages or flags, and records the changes',
    )
    parser.add_argument(
        '--until',
        type=int,
        metavar='STEP',
        help='pauses the run after this step; the same command without it, or with a later step, resumes it',
    )
    parser.add_argument('--strict', action='store_true', help='does not resume on another machine')
    parser.add_argument(
        '--processes',
        type=int,
        metavar='N',
        help='trains in N processes on this machine; 1: alone, in Slurm too',
    )
    parser.add_argument('--process', type=int, metavar='I', help='on several machines: this process, from 0')
    parser.add_argument(
        '--coordinator', metavar='HOST:PORT', help='on several machines: the address of process 0'
    )
    parser.add_argument(
        '--dry_run', action='store_true', help='builds everything, shows the config and trains nothing'
    )
    parser.add_json_argument('what became of the run, or what a dry run found,')
    return parser


def main(arguments: argparse.Namespace, process_ends: bool = False) -> int:
    """Trains alone, or as one process of several; signals are handled from here on.

    Args:
      arguments: the parsed command line.
      process_ends: whether the process ends with this function.

    Returns:
      The exit code.
    """
    _check_processes(arguments)
    if arguments.until is not None and arguments.until < 1:
        raise UserError(f'--until={arguments.until}: the step to pause after must be at least 1.')
    with streams.optional_output():
        if (arguments.processes or 1) > 1 and arguments.process is None:
            documents = streams.stdout() if arguments.json else None
            return launcher.launch(sys.argv[1:], arguments.processes, documents)
        with Signals(process_ends) as signals:
            devices.import_jax()
            from engine.processes import join

            with join.joined(_address(arguments), signals) as group:
                if not group.is_first:
                    sys.stdout = Path(os.devnull).open('w')  # noqa: SIM115 (the first process reports for all)
                with out_of_memory.explained(arguments, _root):
                    return train(arguments, signals, group)


def _root() -> 'type[Trainer]':
    from engine.training.trainer import Trainer

    return Trainer


def _address(arguments: argparse.Namespace) -> Address | None:
    """Returns the place of this process among those of its run, None if it trains alone."""
    if arguments.process is not None:
        return Address(arguments.process, arguments.processes, arguments.coordinator)
    return None if arguments.processes else address.from_slurm(os.environ)


def _check_processes(arguments: argparse.Namespace) -> None:
    """Raises `UserError` unless the flags for several processes agree."""
    if arguments.processes is not None and arguments.processes < 1:
        raise UserError(f'--processes={arguments.processes}: it must be at least 1.')
    count, is_named = arguments.processes or 0, arguments.process is not None
    if is_named != (arguments.coordinator is not None) or (is_named and not count):
        raise UserError(
            'on several machines each process needs --processes=N, --process=I and --coordinator=HOST:PORT. '
            'To try several processes on this machine, pass --processes=N alone.'
        )
    if is_named and not 0 <= arguments.process < count:
        raise UserError(f'--process={arguments.process}: it must be 0 to {count - 1}, below --processes.')


def train(arguments: argparse.Namespace, signals: Signals, group: 'ProcessGroup') -> int:
    """Builds the trainer, checks everything, and only then trains."""
    from engine.commands import dry_run, experiments, trusted
    from engine.config.config import Config
    from engine.runs import start, text_log
    from engine.runs.environment.differences import Differences
    from engine.runs.guard import RunGuard
    from engine.runs.run_folder import Run
    from engine.training import dataset_record, initialisation
    from engine.training.checkpointing import resume
    from engine.training.preflight import resources
    from engine.training.trainer import Trainer

    experiments.set_up()
    run = start.existing_run(arguments.resume, arguments.run)
    if run and run.has_paused_at(arguments.until):
        return _end(arguments, group, run, f'This run has paused at step {run.status()["step"]:,} already.\n')
    if not run and not arguments.gin_file:
        raise UserError('nothing to train: pass --gin_file=configs/<name>.gin, or --resume=<run>.')
    if run:
        trusted.check(run, arguments.trust)
    trusted.check_configs(arguments.gin_file, arguments.trust)
    with start.explained(run, experiments.changes_before_building, arguments.accept_changes):
        arguments.gin_file = arguments.gin_file or ([str(run.config)] if run else [])
        config = Config(arguments.gin_file, arguments.gin_bindings)
        garbage.resume_collection()  # the config has imported what it names
        trainer = experiments.build(config, Trainer)
        notes = config.check()
    folder = run.folder if run else None
    check_source = partial(initialisation.table, trainer.init_from, trainer.step_functions, folder)
    if not run:
        resources.check_disk(trainer, trainer.predict, Path(arguments.run or workspace()))
    if arguments.dry_run:
        document = dry_run.show(trainer, config, notes, check_source().rstrip('\n'))
        if arguments.json and group.is_first:
            command_line.print_json(document)
        return errors.EXIT_FINISHED
    environment = experiments.environment(config, trainer)
    differences = experiments.compare(run, environment, config, trainer) if run else Differences()
    if not group.is_first:  # each machine differs from the first one, whose record is kept
        differences = replace(differences, machine={})
    damage = partial(resume.damage, predicted=trainer.predict)
    decision = start.decide(run, differences, arguments.accept_changes, arguments.strict, damage)
    if run and decision is start.Decision.NOTHING_LEFT:
        ending = f'has {run.stopped}' if run.stopped else 'is finished'
        return _end(arguments, group, run, f'This run {ending}.\n')
    check_source()
    if group.is_first and not run:
        environment |= initialisation.record(trainer.init_from)
    if run:
        run.make_folders()
        resume.check_fits(run.folder, trainer.step_functions.state_shapes)
    if not run and group.is_first:
        run = Run.begin(experiments.run_data(trainer), Path(arguments.run) if arguments.run else None)
    with group.folder(run) as run:
        text_log.to_file(run.folder / 'logs' / 'train.log')
        text_log.logger.info(devices.line())
        for line in start.warnings(differences):
            text_log.logger.warning(line)
        for note in filter(None, [*notes, '' if arguments.processes else address.note(os.environ)]):
            text_log.logger.info('note: %s', note)
        guard = RunGuard(run, signals, arguments.until)
        group.on_loss = guard.fail
        with suppress(Paused), guard.active():
            step = run.status().get('step', 0)
            if decision is start.Decision.RESUME_CHANGED:
                step = resume.discard_later(run.folder, trainer.steps)  # a kill after this line is harmless
            guard.record(environment, differences, step, config.save)
            run.record_data(experiments.run_data(trainer))
            dataset_record.write(run.folder, trainer.data)
            _train_and_predict(trainer, guard)
        return _end(arguments, group, run)


def _end(arguments: argparse.Namespace, group: 'ProcessGroup', run: 'Run', text: str = '') -> int:
    """Prints what became of a run; returns the exit code."""
    print(f'{text}run: {run.folder}')
    if arguments.json and group.is_first:
        from engine.commands import answers

        command_line.print_json(answers.of_run(run.folder))
    return errors.EXIT_FINISHED


def _train_and_predict(trainer: 'Trainer', guard: 'RunGuard') -> None:
    """Trains to the end, saves predictions, and records that the run has finished."""
    from engine.prediction import predictions
    from engine.prediction.predicted_data import OwnData
    from engine.runs import faults
    from engine.runs.environment import history

    ending = trainer.run(guard)
    origin = history.took_part(guard.run.environment())
    predictions.save(
        trainer, guard.run.folder, OwnData(trainer), trainer.predict, '', overwrite=True, origin=origin
    )
    faults.point('finish')
    guard.finish(ending.step, ending.reason)


if __name__ == '__main__':
    garbage.pause_collection()
    command_line.run(partial(main, process_ends=True), parser())
