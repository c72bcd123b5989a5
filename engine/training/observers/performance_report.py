"""The text of `logs/performance.txt`: what bounds a training, and the figures behind it."""

from collections.abc import Iterable, Mapping

from engine.training.cost.flops import Flops
from engine.training.logs.clock import BUSY, TOTAL
from engine.training.observers.advice import Facts


def text(
    sentence: str,
    facts: Facts,
    steps: int,
    numbers: Mapping[str, float],
    flops: Flops | None,
    error: BaseException | None,
) -> str:
    """Returns the report of a training.

    Args:
      sentence: what bounds it.
      facts: of the training.
      steps: how many this session ran.
      numbers: means over these steps, as in a line of `performance.jsonl`.
      flops: the operations of a step.
      error: why they could not be counted, if so.
    """
    parts = (
        [sentence, ''],
        _times(facts.seconds, steps),
        [''],
        _speed(numbers, facts),
        _operations(facts, flops, error),
    )
    return '\n'.join(line for part in parts for line in part) + '\n'


def _times(seconds: Mapping[str, float], steps: int) -> Iterable[str]:
    total = max(seconds[TOTAL], 1e-9)
    yield f'{steps:,} steps of this session in {total:.2f} s:'
    kinds = {kind: value for kind, value in seconds.items() if kind not in (TOTAL, BUSY) and value}
    width = max(map(len, kinds), default=0)
    for kind, value in sorted(kinds.items(), key=lambda item: -item[1]):
        yield f'  {kind:<{width}}{value:10.3f} s{100 * value / total:8.1f} %'


def _speed(numbers: Mapping[str, float], facts: Facts) -> Iterable[str]:
    yield f'{numbers["examples_per_second"]:,.0f} examples/s; {numbers["step_ms"]:.3f} ms per step.'
    yield f'The device certainly had work in {100 * numbers["device_busy"]:.0f} % of the training time.'
    yield f'Compiling took {numbers["compile_seconds"]:.1f} s.'
    if 'peak_device_bytes' in numbers:
        yield f'Peak memory of a device: {numbers["peak_device_bytes"] / 1e9:.2f} GB.'
    else:
        size = numbers['peak_process_bytes'] / 1e9
        yield f'Peak memory of the process: {size:.2f} GB. {facts.device!r} does not report its memory.'


def _operations(facts: Facts, flops: Flops | None, error: BaseException | None) -> Iterable[str]:
    if flops is None:
        yield f'The operations of a step are not counted: {error}.'
        return
    yield (
        f'{flops.total:.4g} floating-point operations per step and device: {flops.by_xla:.4g} counted by '
        f'XLA, {flops.by_formula:.4g} by formula.'
    )
    yield from flops.notes()
    if facts.utilisation is not None and facts.peaks:
        yield (
            f'{100 * facts.utilisation:.1f} % of the peak of {facts.device} in {facts.type} '
            f'(model FLOPs utilisation; {facts.peaks.source}).'
        )
    elif facts.peaks:
        yield f'No peak of {facts.device} in {facts.type} is known, so the utilisation is not known.'
    else:
        yield f'No peak of the device {facts.device!r} is known, so the utilisation is not known.'
