"""Finds bindings by which an experiment fits into the memory of its devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engine.commands import experiments
from engine.config.config import Config
from engine.sharding import Jit
from engine.training.cost import memory, remedies
from engine.training.cost.remedies import MemorySettings, Remedy
from engine.training.experiment import Experiment

MIN_SAVED = 0.25  # share of the total that a remedy saves if memory ran out although the total fits


def search(
    config: Config, experiment: Experiment, arguments: tuple[Sequence[str], Sequence[str]], limit: int
) -> Iterator[Remedy]:
    """Yields the remedies for an experiment that does not fit.

    Args:
      config: of the experiment.
      experiment: the experiment, built.
      arguments: the files and the bindings of the config.
      limit: bytes that a device has.
    """
    settings = _settings(config, experiment)

    def measure(bindings: remedies.Bindings) -> int | None:
        files, given = arguments
        kept = [binding for binding in given if _name(binding) not in map(_name, bindings)]
        try:
            other = Config(files, [*kept, *bindings]).build(type(experiment))
            other.data = experiment.data
            return memory.of_experiment(other)[0].total
        except Exception:  # a suggestion that fails for any reason is left out
            return None

    yield from remedies.search(settings, measure, limit)


def _name(binding: str) -> str:
    return binding.partition('=')[0].strip()


def _settings(config: Config, experiment: Experiment) -> MemorySettings:
    return MemorySettings(
        accumulation_steps=config.values('accumulation_steps'),
        remat=config.values('remat'),
        fsdp=_fsdp(config, experiment),
        batch_size=config.values('batch_size'),
        devices=experiment.parallelism.mesh.size,
    )


def _fsdp(config: Config, experiment: Experiment) -> remedies.Bindings:
    """Returns the bindings that split the state over all devices; () if it is split already or cannot be."""
    way, count = experiment.parallelism, experiment.parallelism.mesh.size
    if not isinstance(way, Jit) or way.fsdp > 1 or count == 1:
        return ()
    names = [*config.values('fsdp')]
    if not names:  # the default, which the config does not mention
        return 'trainer.Trainer.parallelism = @engine.sharding.Jit()', f'engine.sharding.Jit.fsdp = {count}'
    data = [name.removesuffix('fsdp') + 'data = 1' for name in names if way.data]
    return (*data, *(f'{name} = {count}' for name in names))


def lines(task: Mapping[str, Any], root: type[Experiment]) -> Iterator[dict[str, Any]]:
    """Yields what an experiment needs, as `needed`, and then each `remedy`.

    Args:
      task: `files` and `bindings` of the config; `limit`, the bytes of a device, None if unknown.
      root: the class at the root of the config.
    """
    arguments = task['files'], task['bindings']
    config = Config(*arguments)
    experiment = experiments.build(config, root)
    needed = memory.of_experiment(experiment)
    yield {'needed': [asdict(each) for each in needed]}
    total, limit = needed[0].total, task['limit']
    if limit is None or total <= limit:  # other memory takes a part of it
        limit = int(total * (1 - MIN_SAVED))
    for remedy in search(config, experiment, arguments, limit):
        yield {'remedy': asdict(remedy)}
