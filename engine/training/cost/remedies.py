"""Bindings by which an experiment needs less memory: first those that keep the result, then small batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from engine.errors import LESS_MEMORY
from engine.training.cost.size import written

FACTORS = (2, 4, 8)  # of accumulation_steps
MAX_HALVINGS = 12  # of the batch size

Bindings = tuple[str, ...]
Measure = Callable[[Bindings], int | None]


@dataclass(frozen=True)
class MemorySettings:
    """The bindings of a config that decide how much memory its experiment needs.

    Attributes:
      accumulation_steps: values by the names to bind.
      remat: values by the names to bind.
      fsdp: the bindings that split the state over all devices; () with one device, or if it is split already.
      batch_size: the value by the name to bind.
      devices: over which the batch is split.
    """

    accumulation_steps: Mapping[str, int]
    remat: Mapping[str, bool]
    fsdp: Bindings
    batch_size: Mapping[str, int]
    devices: int


@dataclass(frozen=True)
class Remedy:
    """Bindings by which an experiment fits.

    Attributes:
      bindings: as a user writes them.
      needed: bytes of a device, from the compiled programs.
      changes_result: whether they change the result of the training.
    """

    bindings: Bindings
    needed: int
    changes_result: bool = False


def search(settings: MemorySettings, measure: Measure, limit: int) -> Iterator[Remedy]:
    """Yields the least change of each kind by which an experiment fits, the smaller batch last.

    If no single change is enough, all that keep the result are tried together.

    Args:
      settings: of the config.
      measure: returns the bytes that the experiment needs with further bindings; None if they are not valid
        together with the config.
      limit: bytes that a device has.
    """
    accumulation = [*_accumulation(settings)]
    families = [*([remat] for remat in _remat(settings)), accumulation, [settings.fsdp]]
    found = [*filter(None, (_first(family, measure, limit) for family in families))]
    yield from found
    if not found:
        basis = (*chain.from_iterable(_remat(settings)), *settings.fsdp)
        together = [(*basis, *more) for more in ((), *accumulation) if basis and (more or len(basis) > 1)]
        yield from filter(None, [_first(together, measure, limit)])
    yield from _smaller_batch(settings, measure, limit)


def _accumulation(settings: MemorySettings) -> Iterator[Bindings]:
    for factor in FACTORS if settings.accumulation_steps else ():
        yield tuple(f'{name} = {value * factor}' for name, value in settings.accumulation_steps.items())


def _remat(settings: MemorySettings) -> Iterator[Bindings]:
    return ((f'{name} = True',) for name, value in settings.remat.items() if not value)


def _first(candidates: Iterable[Bindings], measure: Measure, limit: int) -> Remedy | None:
    """Returns the first of some bindings by which the experiment fits."""
    for bindings in filter(None, candidates):
        needed = measure(bindings)
        if needed is not None and needed <= limit:
            return Remedy(bindings, needed)
    return None


def _smaller_batch(settings: MemorySettings, measure: Measure, limit: int) -> Iterator[Remedy]:
    """Yields the largest batch that fits, of half the size, a quarter, ..., in whole rows per device."""
    for name, value in settings.batch_size.items():
        needed: dict[int, int] = {}
        for size in _halves(value, settings.devices):
            if _is_hopeless(size, needed, limit):
                continue
            result = measure((f'{name} = {size}',))
            if result is not None and result <= limit:
                yield Remedy((f'{name} = {size}',), result, changes_result=True)
                return
            needed |= {size: result} if result is not None else {}


def _halves(value: int, devices: int) -> Sequence[int]:
    sizes = (value // 2**power // devices * devices for power in range(1, MAX_HALVINGS + 1))
    return list(dict.fromkeys(size for size in sizes if size))


def _is_hopeless(size: int, needed: Mapping[int, int], limit: int) -> bool:
    """Whether a batch needs too much, by the line through two larger ones. Then it is not compiled."""
    if len(needed) < 2:
        return False
    (large, most), (small, less) = [*needed.items()][-2:]
    return less - (most - less) / (large - small) * (small - size) > limit


def table(found: Sequence[Remedy]) -> str:
    """Returns bindings by which an experiment fits, with what they need, as text."""
    if not found:
        return f'None of the bindings that were tried fits. {LESS_MEMORY}'
    width = max(len(binding) for remedy in found for binding in remedy.bindings)
    lines = []
    for remedy in found:
        *others, last = remedy.bindings
        needed = written(remedy.needed) + ', changes the result' * remedy.changes_result
        lines += [*(f'  {binding}' for binding in others), f'  {last:{width}}  {needed}']
    return '\n'.join(['Each of these fits, by the programs that were compiled with it:', *lines])
