"""A sentence about what bounds a training: its share of the time, what to change, and the most it saves."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.training.cost.peaks import Peaks
from engine.training.logs import clock
from engine.training.observers.bottleneck import Bottleneck, Cause

AIM = 0.05  # the share of the time that evaluations, pictures or checkpoints may take
GOOD_UTILISATION = 0.35  # of the peak; above it, a step can gain little
SHORT_STEP = 1e-3  # seconds; below, launching a step weighs as much as its work


@dataclass(frozen=True)
class Facts:
    """What the advice depends on.

    Attributes:
      settings: the parameters of the `Trainer`, by name.
      steps_per_epoch: of the training data.
      seconds: by kind of work, as the clock counts them.
      step_seconds: mean time of a training step.
      utilisation: of the device's peak, None if that is not known.
      type: the type that most products compute in.
      peaks: of the device, None if they are not known.
      device: the kind of device, as JAX names it.
    """

    settings: Mapping[str, Any]
    steps_per_epoch: float
    seconds: Mapping[str, float]
    step_seconds: float
    utilisation: float | None
    type: str
    peaks: Peaks | None
    device: str


def sentence(found: Bottleneck, facts: Facts) -> str:
    """Returns what bounds a training, which binding to change, and what that would save at most."""
    return f'{_ADVICE[found.cause](found, facts)} would save at most {percent(found.saving)} of the time.'


def percent(share: float) -> str:
    """Returns a share in percent.

    >>> percent(0.234)
    '23 %'
    """
    return f'{100 * share:.0f} %'


def _evaluation(found: Bottleneck, facts: Facts) -> str:
    every = facts.settings['evaluate_every']
    now = f'each epoch, {facts.steps_per_epoch:g} steps' if every is None else every
    rarer = _rarer('evaluate_every', every or facts.steps_per_epoch, now, found, facts)
    return f'Evaluation takes {percent(found.share)} of the time: {rarer} or fewer Trainer.validation_batches'


def _checkpoint(found: Bottleneck, facts: Facts) -> str:
    return f'Saving takes {percent(found.share)} of the time: {_every("save_every", found, facts)}'


def _pictures(found: Bottleneck, facts: Facts) -> str:
    return f'Pictures take {percent(found.share)} of the time: {_every("pictures_every", found, facts)}'


def _every(name: str, found: Bottleneck, facts: Facts) -> str:
    return _rarer(name, facts.settings[name], facts.settings[name], found, facts)


def _rarer(name: str, every: float, now: object, found: Bottleneck, facts: Facts) -> str:
    """Returns the binding for rarer events, or that none helps if they happen only when the training ends."""
    wanted = _fewer(found, every, facts)
    if wanted > every:
        return f'Trainer.{name} = {wanted} (now {now})'
    return 'a longer training (this one does it only at its end)'


def _fewer(found: Bottleneck, every: float, facts: Facts) -> int:
    """Returns the steps between events that would take about `AIM` of the time, rounded up to one digit."""
    factor = found.share / max(1 - found.share, 1e-9) * (1 - AIM) / AIM
    wanted = max(every * factor, every + 1)
    digit = 10 ** math.floor(math.log10(wanted))
    return round(max(min(math.ceil(wanted / digit) * digit, facts.settings['steps']), every))


def _data(found: Bottleneck, facts: Facts) -> str:
    head = f'The loop waits for data {percent(found.share)} of the time'
    decode = facts.settings['decode']
    if decode is None:
        return f'{head}: an order of examples that computes less (Trainer.order), or smaller examples,'
    name, workers = type(decode).__name__, getattr(decode, 'workers', None)
    now = 'one for each CPU' if workers is None else workers
    return f'{head}: more CPUs and {name}.workers (now {now}), a smaller {name}.size, or smaller images'


def _log(found: Bottleneck, facts: Facts) -> str:
    share, every = percent(found.share), facts.settings['log_every']
    observers = {kind: value for kind, value in facts.seconds.items() if kind.startswith(clock.OBSERVERS)}
    slowest = max(observers, key=lambda kind: observers[kind], default='')
    if slowest and observers[slowest] > facts.seconds.get(clock.LOG, 0.0):
        name = slowest.partition('/')[2]
        return f'Observers take {share} of the time, {name} most of it: Trainer.observers without {name}'
    return f'The metric log takes {share} of the time: Trainer.log_every = {10 * every} (now {every})'


def _python(found: Bottleneck, facts: Facts) -> str:
    group = facts.settings['steps_per_dispatch']
    return (
        f'The device waits for Python, which takes {percent(found.share)} of the time to call the steps: '
        f'Trainer.steps_per_dispatch = {10 * group} (now {group})'
    )


def _device(found: Bottleneck, facts: Facts) -> str:
    peak = '' if facts.utilisation is None else f', at {percent(facts.utilisation)} of its {facts.type} peak'
    head = f'The device computes {percent(found.share)} of the time{peak}'
    if facts.step_seconds < SHORT_STEP and facts.settings['steps_per_dispatch'] == 1:
        step = f'{1e3 * facts.step_seconds:.2f} ms per step'
        return f'{head} ({step}): Trainer.steps_per_dispatch = 10 (now 1), because steps are short,'
    if facts.utilisation is None or facts.utilisation >= GOOD_UTILISATION:
        return f'{head}: a smaller model, or more or faster devices,'
    if facts.type.endswith('float32') and facts.peaks and facts.peaks.bfloat16:
        return f"{head}: dtype = 'bfloat16' of the model, where it has this parameter,"
    size = facts.settings['batch_size']
    return f'{head}: Trainer.batch_size = {2 * size} (now {size}) or what Trainer.profile shows'


_ADVICE: Mapping[Cause, Callable[[Bottleneck, Facts], str]] = {
    'device': _device,
    'data': _data,
    'python': _python,
    'log': _log,
    'evaluation': _evaluation,
    'pictures': _pictures,
    'checkpoint': _checkpoint,
}
