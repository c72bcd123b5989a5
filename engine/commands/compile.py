"""Compiles an experiment for devices that need not be here, and shows memory, FLOPs and collectives."""

import argparse
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import EXIT_FINISHED, UserError
from engine.processes import devices

if TYPE_CHECKING:
    from engine.config.config import Config
    from engine.hardware.topology import Topology
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/compile.sh --gin_file=configs/digits_cnn.gin --topology=v5e:2x4
  scripts/compile.sh --gin_file=configs/digits_cnn.gin --topology=v5e:2x4 sharding.Jit.fsdp=8 BATCH_SIZE=1024
  scripts/compile.sh --gin_file=configs/digits_cnn.gin               for the devices of this machine
"""
# With these variables, libtpu describes TPUs without looking for one on the machine.
WITHOUT_TPU = {
    'JAX_PLATFORMS': 'cpu',
    'TPU_SKIP_MDS_QUERY': '1',
    'TPU_LOG_DIR': 'disabled',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
    'TPU_ACCELERATOR_TYPE': 'v5litepod-8',
    'TPU_WORKER_HOSTNAMES': 'localhost',
}


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('compile.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_argument(
        '--topology',
        metavar='KIND:SHAPE',
        help='the TPUs to compile for, such as v5e:2x4 (8 chips); by default the devices of this machine',
    )
    parser.add_json_argument('memory, operations and collectives')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Compiles the programs of the experiment and prints what they need.

    Raises:
      UserError: the experiment does not fit into the devices. The message lists bindings by which it fits.
    """
    if not arguments.gin_file:
        raise UserError('nothing to compile: give --gin_file=configs/<name>.gin.')
    if arguments.topology is None:
        devices.import_jax()
        return _compile(arguments, None)
    os.environ |= WITHOUT_TPU
    devices.import_jax()
    from engine.hardware import targets, topology

    found = topology.find(arguments.topology)
    with targets.described(found.devices):
        return _compile(arguments, found)


def _compile(arguments: argparse.Namespace, topology: 'Topology | None') -> int:
    import jax

    from engine.commands import answers, experiments, fitting, trusted
    from engine.config.config import Config
    from engine.hardware import limits
    from engine.training.cost import collectives, memory, remedies
    from engine.training.trainer import Trainer

    experiments.set_up()
    if topology:  # XLA cannot read programs for other devices back from its cache
        jax.config.update('jax_enable_compilation_cache', False)
    trusted.check_configs(arguments.gin_file, arguments.trust)
    config = Config(arguments.gin_file, arguments.gin_bindings)
    trainer = experiments.build(config, Trainer)
    for note in config.check():
        print(f'note: {note}')
    limit, of = (topology.memory, topology.limit) if topology else limits.device_memory()
    programs = memory.compile_all(trainer.traced)
    needed = memory.of_programs(trainer, programs)
    mesh = _mesh(trainer, topology)
    print(_line(mesh, topology))
    print(memory.table(needed, limit, of))
    operations, left_out = _flops(trainer, config)
    print(f'FLOPs of a training step: {operations / 1e9:,.3f} billion on each device.', *left_out, sep='\n')
    step = programs[memory.STEP]
    exchanged = None if isinstance(step, memory.Refused) else collectives.of_program(step.as_text())
    if exchanged is not None:
        print(collectives.table(exchanged))
    fits = limit is None or needed[0].total <= limit
    given = arguments.gin_file, arguments.gin_bindings
    found = [] if fits or limit is None else [*fitting.search(config, trainer, given, limit)]
    if arguments.json:
        command_line.print_json(
            mesh
            | {
                'memory': answers.of_memory(needed, limit, of),
                'flops_per_step': operations,
                'flops_notes': left_out,
                'collectives': None if exchanged is None else [*map(asdict, exchanged)],
                'remedies': [*map(asdict, found)],
            }
        )
    if fits:
        return EXIT_FINISHED
    raise UserError(f'{needed[0].program} does not fit into the memory of a device.\n{remedies.table(found)}')


def _mesh(trainer: 'Trainer', topology: 'Topology | None') -> dict[str, Any]:
    """Returns the devices, and the mesh over them."""
    mesh = trainer.parallelism.mesh
    return {
        'topology': topology.name if topology else None,
        'devices': mesh.size,
        'device_kind': mesh.devices.flat[0].device_kind,
        'mesh': dict(mesh.shape),
    }


def _line(mesh: dict[str, Any], topology: 'Topology | None') -> str:
    """Returns the same as a line."""
    shape = ', '.join(f'{axis}={size}' for axis, size in mesh['mesh'].items())
    name = f'{topology.name}, {topology.chips} chips: ' if topology else ''
    return f'{name}{mesh["devices"]} x {mesh["device_kind"]}, mesh {shape}'


def _flops(trainer: 'Trainer', config: 'Config') -> tuple[float, list[str]]:
    """Returns the FLOPs of a training step on each device, and sentences about what the count leaves out."""
    import jax

    from engine.hardware import targets
    from engine.sharding import Jit
    from engine.training.cost import flops

    with targets.described(jax.devices()[:1]):  # XLA counts what a device that is here would compute
        alone = config.build(type(trainer))
        alone.data, alone.parallelism = trainer.data, Jit()
        counted = flops.flops_per_step(alone.traced.train_steps[1].lower())
    return counted.total / trainer.parallelism.mesh.size, counted.notes()


if __name__ == '__main__':
    command_line.run(main, parser())
