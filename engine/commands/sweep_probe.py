"""Builds runs of a sweep without training them, and prints what the sweep needs to know of the first as JSON.

A process of its own: the sweep itself imports no JAX.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import EXIT_FINISHED
from engine.processes import devices
from engine.run_reader import statements
from engine.sweeps import worker

# What of the trainer decides after which steps a run is evaluated.
_TIMING = ('steps', 'batch_size', 'evaluate_every', 'dataset', 'order')


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('sweep.sh', __doc__ or '', '')
    parser.add_gin_arguments()
    parser.add_argument('--metric', help='a metric of the log')
    parser.add_argument(
        '--points', type=json.loads, default='[[]]', help='more bindings of each run, as JSON'
    )
    parser.set_defaults(json=True)  # text goes to stderr
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the runs, with all checks that a training makes before its first step."""
    devices.import_jax()
    from engine.commands import experiments, trusted

    experiments.set_up()
    trusted.check_configs(arguments.gin_file, arguments.trust)
    documents = [_built(arguments, point) for point in arguments.points]
    command_line.print_json(documents[0])
    return EXIT_FINISHED


def _built(arguments: argparse.Namespace, point: Sequence[str]) -> dict[str, Any]:
    """Builds a run; returns what the sweep needs to know of it."""
    from engine.commands import experiments
    from engine.config.config import Config
    from engine.training.trainer import Trainer

    print(f'{worker.BUILDING}{", ".join(point)}', flush=True)
    config = Config(arguments.gin_file, [*arguments.gin_bindings, *point])
    trainer = experiments.build(config, Trainer)
    config.check()
    events, metric = trainer.events, arguments.metric
    if metric:
        metric = trainer.validation.metric(metric, '--metric', trainer.traced.evaluate.out_info.names)
    return {
        'best': trainer.best_metric,
        'metric': metric,
        'steps': trainer.steps,
        'evaluations': [step for step in range(1, trainer.steps) if events.evaluates_at(step)],
        'timing': _timing(config.text()),
        'modules': experiments.environment(config, trainer)['code']['modules'],
    }


def _timing(text: str) -> list[str]:
    """Returns the parameters and macros that decide after which steps a run is evaluated."""
    written: dict[str, Any] = statements.read(text)
    parameters = {
        name: value
        for name, value in written.items()
        if name.rpartition('.')[2] in _TIMING and name.split('.')[-2:-1] == ['Trainer']
    }
    return [*parameters, *(macro for value in parameters.values() for macro in statements.names(value))]


if __name__ == '__main__':
    command_line.run(main, parser())
