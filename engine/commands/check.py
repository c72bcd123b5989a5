"""Checks an experiment before a long training: does it do what its author believes?

After Karpathy 2019, 'A Recipe for Training Neural Networks', https://karpathy.github.io/2019/04/25/recipe/.
"""

import argparse
from collections import ChainMap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine import files
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.config.config import Config
from engine.errors import EXIT_FAILED, EXIT_FINISHED, UserError
from engine.processes import devices

if TYPE_CHECKING:
    from engine.checks.finding import Finding
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/check.sh --gin_file=configs/digits_cnn.gin
  scripts/check.sh --gin_file=configs/digits_cnn.gin --output=report LEARNING_RATE=1.0
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('check.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_argument(
        '--output',
        metavar='DIR',
        help='the folder of the report, by default <workspace>/checks/<config>/<time>/',
    )
    parser.add_argument('--overwrite', action='store_true', help='replaces an earlier report')
    parser.add_json_argument('the findings')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Runs all checks, prints their findings, and writes a report with pictures."""
    devices.import_jax()
    import jax

    from engine.checks import report
    from engine.checks.finding import FAIL
    from engine.commands import experiments

    if not arguments.gin_file:
        raise UserError('nothing to check: give --gin_file=configs/<name>.gin.')
    jax.config.update('jax_num_cpu_devices', 2)  # for the check `devices` on a CPU
    experiments.set_up()
    folder = _folder(arguments)
    files.check_replaceable(folder, report.REPORT, arguments.overwrite)
    trainer = _trainer(arguments)
    findings = _findings(arguments, trainer)
    report.write(folder, f'{_name(arguments)} on {trainer.data.name}', findings, arguments.overwrite)
    print(f'\n{report.summary(findings)}\nreport: {folder / report.REPORT}')
    has_passed = all(finding.verdict != FAIL for finding in findings.values())
    if arguments.json:
        command_line.print_json(
            {
                'dataset': trainer.data.name,
                'passed': has_passed,
                'checks': report.as_json(findings),
                'report': folder / report.REPORT,
            }
        )
    return EXIT_FINISHED if has_passed else EXIT_FAILED


def _trainer(arguments: argparse.Namespace) -> 'Trainer':
    """Returns what the config describes, every statement of it checked."""
    from engine.commands import experiments, trusted
    from engine.training.trainer import Trainer

    trusted.check_configs(arguments.gin_file, arguments.trust)
    config = Config(arguments.gin_file, arguments.gin_bindings)
    trainer = experiments.build(config, Trainer)
    config.check()
    return trainer


def _findings(arguments: argparse.Namespace, trainer: 'Trainer') -> 'dict[str, Finding]':
    """Runs all checks, and prints each finding as soon as it is known."""
    from engine.checks import catalogue, exceptions, report
    from engine.checks.experiment_under_test import ExperimentUnderTest

    stated = [exceptions.stated(Path(file), catalogue.ALL) for file in arguments.gin_file]
    findings = {}
    for name, finding in catalogue.run(ExperimentUnderTest(trainer), dict(ChainMap(*reversed(stated)))):
        findings[name] = finding
        print(report.line(name, finding), flush=True)
    return findings


def _name(arguments: argparse.Namespace) -> str:
    return Path(arguments.gin_file[0]).stem


def _folder(arguments: argparse.Namespace) -> Path:
    """Returns the folder of the report."""
    from engine.workspace import workspace

    if arguments.output:
        return Path(arguments.output).absolute()
    return workspace() / 'checks' / _name(arguments) / datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')


if __name__ == '__main__':
    command_line.run(main, parser())
