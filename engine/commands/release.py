"""Releases the model of a run: weights, a portable program, metrics, model card, licence, checksums."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import devices

if TYPE_CHECKING:
    from engine.outputs.outputs import Outputs
    from engine.releases.tolerance import Tolerance
    from engine.releases.variables import Variables
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/release.sh <run> --name=digits --version=1.0             to models/digits/1.0/ of the workspace
  scripts/release.sh <run> --name=digits --version=1.1 --split=val  compared with outputs/val
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('release.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help='a run folder')
    parser.add_argument('--name', required=True, help='of the model')
    parser.add_argument('--version', required=True, help='of the model; a version is never replaced')
    parser.add_argument(
        '--split',
        default='test',
        help='the split of the dataset whose outputs the release is compared with and measured on',
    )
    parser.add_argument(
        '--accept_changes',
        action='store_true',
        help='releases with changed data, code, packages or flags, if the predictions are the same',
    )
    parser.add_json_argument('the folder of the release')
    parser.add_trust_argument()
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the run's own trainer, and releases its model."""
    devices.import_jax()
    from engine.commands import experiments, trusted
    from engine.releases import agreement, exported, writing
    from engine.runs import start
    from engine.runs.run_folder import Run
    from engine.stored_trees import release_folder
    from engine.training.trainer import Trainer

    experiments.set_up()
    _check_packages()
    folder = release_folder.place(arguments.name, arguments.version)
    run = Run.find(arguments.run)
    trusted.check(run, arguments.trust)
    _warn_of_secrets(run.folder)
    trainer, _, differences = experiments.of_run(run, Trainer, arguments.accept_changes)
    start.check(run, differences, arguments.accept_changes, False)
    saved = _outputs(run.folder, arguments.split)
    released = _variables(trainer, run.folder, saved)
    cards = experiments.run_data(trainer).cards

    def check(content: bytes, inputs: list[str]) -> 'tuple[float, Tolerance]':
        program = exported.loaded(content)
        return agreement.check(trainer, saved, program, released.arrays, inputs)

    writing.write(trainer, run.folder, saved, released, folder, _measured(saved), cards, check)
    print(f'release: {folder}')
    if arguments.json:
        command_line.print_json({'run': run.folder, 'release': folder})
    return errors.EXIT_FINISHED


def _warn_of_secrets(run: Path) -> None:
    """Names the files of a run that go into its release and hold what looks like a secret."""
    from engine.releases import writing
    from engine.runs import text_log
    from engine.runs.safety import confidential

    for path in (run / name for name in writing.COPIED):
        if path.is_file() and confidential.is_in(path.read_bytes()):
            text_log.logger.warning(
                'warning: %s will be part of the release, and holds what looks like a secret, such as a key '
                'or a password. Read it before you give the release away.',
                path,
            )


def _check_packages() -> None:
    try:
        import flatbuffers  # noqa: F401 (jax.export needs it, and says so late)
    except ImportError as error:
        raise UserError('flatbuffers is missing, which jax.export needs. Run scripts/setup.sh.') from error


def _outputs(run: Path, split: str) -> 'Outputs':
    """Returns the saved outputs of a split; raises `UserError` if there are none."""
    from engine import outputs

    folder = run / 'outputs' / split
    if not (folder / outputs.MANIFEST).is_file():
        raise UserError(
            f'{folder} is missing, and a release is compared with it first. Predict: '
            f'scripts/predict.sh {run} --split={split}. Or name another split that is predicted: --split=val.'
        )
    return outputs.read(folder)


def _variables(trainer: 'Trainer', run: Path, saved: 'Outputs') -> 'Variables':
    """Returns the variables of the checkpoint that predicted the outputs."""
    from engine.parts.pretrained import sources
    from engine.parts.pretrained.checkpoint_folder import CheckpointFolder
    from engine.releases import variables
    from engine.training.checkpointing import best_state, read_arrays
    from engine.training.checkpointing.checkpoints import Checkpoints
    from engine.variables import by_path

    manifest, shapes = saved.manifest, trainer.step_functions.state_shapes
    program = trainer.traced.predict
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = manifest.checkpoint, manifest.step
        if step is None or step not in checkpoints.steps(kind):
            raise UserError(f'the checkpoint of {saved.folder} ({kind}, step {step}) is gone. Predict again.')
        state = best_state.restored(checkpoints, kind, step, [program], shapes)
        if checkpoints.sha256(kind, step) != manifest.details.get('checkpoint_sha256'):
            raise UserError(f'{saved.folder} was predicted from another checkpoint. Predict again.')
    source = sources.find(str(run / 'checkpoints' / kind / str(step)), 'latest', '')
    averages: dict[str, tuple[str, Any]] = {}
    if isinstance(source, CheckpointFolder) and source.averaged:
        loaded = source.load({name: by_path(shapes)[source.paths[name]] for name in source.averaged})
        averages = {name: (parts.z, loaded[name]) for name, parts in source.averaged.items()}
    return variables.of_state(state, read_arrays.paths(program, shapes), averages)


def _measured(saved: 'Outputs') -> tuple[dict[str, Any], str]:
    """Returns the metrics of outputs as metrics.json has them, and as a table; {} without labels."""
    from engine.evaluation.evaluator import Evaluator
    from engine.render import table as tables

    if not saved.has_labels:
        return {}, ''
    report = Evaluator().report_on(saved)
    return report.as_json(), '\n'.join(map(tables.markdown, list(report.metric_tables().values())[:1]))


if __name__ == '__main__':
    command_line.run(main, parser())
