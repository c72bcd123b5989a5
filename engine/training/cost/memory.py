"""The memory of a device while a compiled program runs, by what it holds."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import jax

from engine.errors import UserError
from engine.hardware import limits
from engine.training.batches.copied_ahead import has_own_memory
from engine.training.checkpointing import best_arrays
from engine.training.cost.size import written
from engine.training.experiment import Experiment
from engine.training.steps import TracedSteps, compiled

PARAMETERS, OPTIMIZER, OTHER, BEST = 'parameters', 'optimizer state', 'other state', 'best checkpoint'
DATA, VALIDATION, BATCH, NEXT = 'training data', 'validation data', 'batch', 'next batch'
PADDING, TEMPORARY = 'padding of arrays', 'activations and temporaries'
OUTSIDE = (BEST, VALIDATION, NEXT)  # what no program of a training step reads
ALWAYS = (PARAMETERS, OPTIMIZER, BATCH, TEMPORARY)  # shown even if 0
MIN_PADDING = 0.01  # share of the arguments; less counts as temporary
STEP, EVALUATION, PREDICTION, PICTURES = 'training', 'evaluation', 'prediction', 'pictures'
# How XLA refuses a program for a TPU. The first number counts all that the program needs.
_REFUSED = re.compile(r'\((\d+(?:\.\d+)?)([KMGT]?)\) exceeds available|Used (\d+(?:\.\d+)?)([KMGT]?) of ')
_UNITS = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}


class TooLittleMemoryError(UserError):
    """An experiment needs more memory than a device has. Raised before training."""


@dataclass(frozen=True)
class ProgramMemory:
    """The bytes of a device while a program runs.

    Attributes:
      program: its name.
      parts: bytes by what they hold. Arrays that the program overwrites count once.
    """

    program: str
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """The bytes of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Refused:
    """A program that XLA does not compile, because the device has too little memory.

    Attributes:
      needed: bytes that the program needs.
    """

    needed: int


def of_experiment(experiment: Experiment) -> list[ProgramMemory]:
    """Compiles all programs of an experiment and returns their memory, the largest first."""
    return of_programs(experiment, compile_all(experiment.traced))


def compile_all(traced: TracedSteps) -> dict[str, Any]:
    """Returns the compiled programs by name; `Refused` in place of those that do not fit into the device."""
    programs = {training_steps(count): each for count, each in traced.train_steps.items()}
    programs |= {EVALUATION: traced.evaluate, PREDICTION: traced.predict}
    programs |= {PICTURES: traced.pictures} if traced.pictures else {}
    with ThreadPoolExecutor() as pool:  # XLA compiles without holding Python's lock
        return dict(zip(programs, pool.map(_compiled, programs.values()), strict=True))


def _compiled(traced: jax.stages.Traced) -> Any:
    try:
        return compiled(traced)
    except jax.errors.JaxRuntimeError as error:
        match = _REFUSED.search(str(error))
        if not match:
            raise
        return Refused(int(float(match[1] or match[3]) * _UNITS[match[2] or match[4] or '']))


def training_steps(count: int) -> str:
    """Returns the name of a program of `count` training steps."""
    return STEP if count == 1 else f'training in groups of {count} steps'


def of_programs(experiment: Experiment, programs: Mapping[str, Any]) -> list[ProgramMemory]:
    """Returns the memory that each program needs, the largest first.

    Args:
      experiment: of the programs. Its state stays on the devices while any of them runs; so do the training
        data and the best state, if they are kept there.
      programs: as `compile_all` returns them.
    """
    resident = _resident(experiment)
    memories = [
        ProgramMemory(name, _parts(program, resident, _batch(experiment, name)))
        for name, program in programs.items()
    ]
    return sorted(memories, key=lambda memory: memory.total, reverse=True)


def _resident(experiment: Experiment) -> dict[str, int]:
    groups: dict[str, int] = dict.fromkeys((PARAMETERS, OPTIMIZER, OTHER), 0)
    shapes = experiment.step_functions.state_shapes
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes):
        groups[_group(jax.tree_util.keystr(path, simple=True, separator='/').split('/'))] += _bytes(leaf)
    held = best_arrays.paths(experiment.traced, shapes) if experiment.best else ()
    best = best_arrays.bytes_on_device(held, shapes)
    kept, sent = _payload(experiment, max(experiment.traced.train_steps))
    copied = has_own_memory(experiment.parallelism.mesh) and not kept
    validation = sum(batches.bytes_on_device for batches in experiment.evaluated_batches.values())
    return groups | {BEST: best, DATA: kept, NEXT: sent if copied else 0, VALIDATION: validation}


def _group(path: Sequence[str]) -> str:
    if 'opt_state' in path:
        return OPTIMIZER
    return PARAMETERS if path[0] == 'params' else OTHER


def _payload(experiment: Experiment, count: int) -> tuple[int, int]:
    """Returns the bytes of a training payload that stay on a device, and those that each call sends."""
    one, two, these = (jax.tree.leaves(experiment.source.shapes(each)) for each in (1, 2, count))
    stays = [first.shape == second.shape for first, second in zip(one, two, strict=True)]
    kept = sum(_bytes(leaf) for leaf, stay in zip(these, stays, strict=True) if stay)
    return kept, sum(map(_bytes, these)) - kept


def _batch(experiment: Experiment, program: str) -> int:
    """Returns the bytes of the batches that a call of a program gets."""
    counts = {training_steps(count): count for count in experiment.traced.train_steps}
    if program in counts:
        return _payload(experiment, counts[program])[1]
    if program == PICTURES:
        return 0
    traced = experiment.traced.evaluate if program == EVALUATION else experiment.traced.predict
    _, batch = traced.args_info[0]
    size = sum(prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(batch))
    return size // experiment.parallelism.mesh.size


def _parts(program: Any, resident: Mapping[str, int], batch: int) -> dict[str, int]:
    arguments = sum(size for name, size in resident.items() if name not in OUTSIDE) + batch
    if isinstance(program, Refused):
        return {**resident, BATCH: batch, TEMPORARY: max(0, program.needed - arguments)}
    stats = program.memory_analysis()
    own = stats.temp_size_in_bytes + stats.generated_code_size_in_bytes
    own += stats.output_size_in_bytes - stats.alias_size_in_bytes
    padding = max(0, stats.argument_size_in_bytes - arguments)
    if padding < MIN_PADDING * stats.argument_size_in_bytes:
        own, padding = own + padding, 0
    return {**resident, BATCH: batch, PADDING: padding, TEMPORARY: own}


def _bytes(leaf: Any) -> int:
    """Returns the bytes of an array on one device."""
    return prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize


def checked(
    experiment: Experiment, train_steps: Mapping[int, Future[Any]], evaluate: Future[Any]
) -> dict[int, Any]:
    """Waits for the programs of a training, and returns those of its steps.

    Raises:
      TooLittleMemoryError: they need more memory than a device has.
    """
    compiled_steps = {count: program.result() for count, program in train_steps.items()}
    programs = {training_steps(count): program for count, program in compiled_steps.items()}
    memories = of_programs(experiment, programs | {EVALUATION: evaluate.result()})
    check(memories, *limits.device_memory())
    return compiled_steps


def check(memories: Sequence[ProgramMemory], limit: int | None, of: str) -> None:
    """Raises `TooLittleMemoryError` if the largest program needs more than a device has."""
    largest = memories[0]
    if limit is not None and largest.total > limit:
        raise TooLittleMemoryError(
            f'{largest.program} needs {written(largest.total)} of memory on each device, more than the '
            f'{written(limit)} {of}.'
        )


# As text.


def table(memories: Sequence[ProgramMemory], limit: int | None, of: str, ran_out: bool = False) -> str:
    """Returns a table of what the largest program needs, and whether a device has as much.

    Args:
      memories: the largest first.
      limit: bytes that a device has; None if that is unknown.
      of: what has that memory, or why it is unknown.
      ran_out: whether memory ran out nevertheless.
    """
    largest, *others = memories
    rows = {name: size for name, size in largest.parts.items() if size or name in ALWAYS}
    smaller = ', '.join(f'{other.program} {written(other.total)}' for other in others)
    lines = [
        f'Memory of each device during {largest.program}, from the compiled program:',
        *(f'  {name:26}  {written(size):>10}' for name, size in [*rows.items(), ('total', largest.total)]),
        f'Other programs need less: {smaller}.' if smaller else '',
        _verdict(largest.total, limit, of, ran_out),
    ]
    return '\n'.join(filter(None, lines))


def _verdict(needed: int, limit: int | None, of: str, ran_out: bool) -> str:
    """Returns a sentence: whether the total fits into the memory of a device."""
    if limit is None:
        return f'It is unknown whether the total fits: {of}.'
    if ran_out and needed <= limit:
        return f'The total fits, but something else takes a part of the {written(limit)} {of}.'
    fits = 'The total fits into' if needed <= limit else 'The total is more than'
    return f'{fits} the {written(limit)} {of}.'
