"""Short trainings on the real data, after Karpathy 2019, 'A Recipe for Training Neural Networks'."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.checks import figures
from engine.checks.finding import Finding, judged, skipped
from engine.checks.subject import LOSS, Arrays, Subject
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID

STEPS = 150  # of a short training
GAIN = 0.97  # of the loss without inputs: what is less might be luck
SAMPLE = 20_000  # examples of a split, at most, that are compared with another split
COMMON = 0.01  # share of examples that may be there twice: real collections have some

FACTORS = np.geomspace(1e-4, 1e4, 161)  # times the configured learning rate
SMOOTHING = 0.8  # decay per step of the mean that a noisy loss is read by
DIVERGED = 1.5  # times the lowest loss before
TOO_SMALL = 300  # times below the rate of the lowest loss, itself some ten times too high to train with


def splits(subject: Subject) -> Finding:
    """No example that training sees is held out as well."""
    data = subject.experiment.data
    fields = [name for name in data.spec.example if name not in subject.truth]
    train, held_out = (_as_bytes(data.split(split), fields) for split in ('train', 'val'))
    known = set(train)
    twice = sum(each in known for each in held_out)
    return judged(
        twice <= COMMON * len(held_out),
        f'{twice} of {len(held_out):,} validation examples are among {len(train):,} of training',
        'What is measured on them is memory. Split by what examples have in common (patient, scene, author).',
    )


def _as_bytes(examples: Examples, fields: Sequence[str]) -> list[bytes]:
    """Returns each of the first examples as one string of bytes."""
    sources = [{**examples.arrays, **examples.encoded}[name] for name in fields]
    count = min(SAMPLE, len(examples))
    return [b''.join(_content(each[index]) for each in sources) for index in range(count)]


def _content(value: np.ndarray | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.tobytes()


@dataclass(frozen=True)
class Trial:
    """A short training: its losses, and the validation loss at its end."""

    losses: list[float]
    held_out: float


def blanked(subject: Subject) -> Finding:
    """A network that sees its inputs does better on validation examples than one whose inputs are zeros."""
    if not subject.has_loss() or not subject.truth:
        return skipped("the task measures no 'loss', or names no truth that inputs could tell")
    seeing, blind = _trial(subject, blank=False), _trial(subject, blank=True)
    good = seeing.held_out <= GAIN * blind.held_out
    return judged(
        good,
        f'validation loss {seeing.held_out:.3g} with inputs, {blind.held_out:.3g} without, '
        f'after {len(seeing.losses)} steps',
        'Inputs tell the network nothing that holds for other examples: look whether labels belong to their '
        'examples in both splits, whether augmentation leaves anything to see, whether the answer enters by '
        'another way.',
        {'With and without inputs': partial(figures.blanked, seeing, blind)},
    )


def _trial(subject: Subject, blank: bool) -> Trial:
    last, losses = subject.first, []
    count = min(STEPS, max(subject.experiment.steps, 2))
    batches = (_blank(subject, batch) if blank else batch for batch in subject.batches(count))
    for state, metrics in subject.train(batches, subject.rates(count)):
        last = state
        losses.append(metrics[LOSS])
    held_out = [_blank(subject, batch) if blank else batch for batch in subject.held_out]
    return Trial(losses, subject.loss(last, held_out))


def _blank(subject: Subject, batch: Arrays) -> Arrays:
    kept = {INDEX, VALID, *subject.truth}
    return {name: each if name in kept else np.zeros_like(each) for name, each in batch.items()}


@dataclass(frozen=True)
class Ramp:
    """A training whose learning rate grows with each step.

    Attributes:
      rates: of the steps, up to the last loss that is finite.
      losses: as measured.
      smooth: the same, smoothed.
      configured: the highest rate of the config.
    """

    rates: np.ndarray
    losses: np.ndarray
    smooth: np.ndarray
    configured: float

    @property
    def best(self) -> float:
        """The rate at the lowest smoothed loss."""
        return float(self.rates[np.argmin(self.smooth)])

    @property
    def diverged(self) -> float:
        """The rate from which on the loss is far above its lowest; infinity if it never is."""
        worse = self.smooth > DIVERGED * self.smooth.min()
        after = worse & (np.arange(len(worse)) > np.argmin(self.smooth))
        if after.any():
            return float(self.rates[np.argmax(after)])
        return math.inf if len(self.rates) == len(FACTORS) else float(self.rates[-1])


def learning_rate(subject: Subject) -> Finding:
    """The configured learning rate is neither beyond divergence nor far too small; Smith 2017.

    Source: https://arxiv.org/abs/1506.01186.
    """
    if subject.paced.rate is None or not subject.has_loss():
        return skipped("the task has no field 'learning_rate', or measures no 'loss'")
    ramp = _ramp(subject, subject.paced.rate)
    falls = ramp.smooth.min() < 0.9 * ramp.smooth[0]
    too_large, too_small = ramp.configured > ramp.diverged, ramp.configured < ramp.best / TOO_SMALL
    advice = (
        'No rate makes the loss fall: first mend what `by_heart` says.'
        if not falls
        else f'Too large: try {ramp.best / 10:.1g}.'
        if too_large
        else f'Far too small: try {ramp.best / 10:.1g}.'
    )
    return judged(
        falls and not too_large and not too_small,
        f'{ramp.configured:.2g}; in a ramp the loss is lowest at {ramp.best:.2g} and diverges at '
        f'{ramp.diverged:.2g}',
        advice,
        {'Learning rate': partial(figures.ramp, ramp)},
    )


def _ramp(subject: Subject, configured: float) -> Ramp:
    losses: list[float] = []
    rates = configured * FACTORS
    for _, metrics in subject.train(subject.batches(len(rates)), [float(rate) for rate in rates]):
        if not math.isfinite(metrics[LOSS]):
            break
        losses.append(metrics[LOSS])
    found = np.array(losses)
    return Ramp(rates[: len(found)], found, _smoothed(found), configured)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Returns an exponential moving average that is not drawn to zero at its beginning."""
    weights = SMOOTHING ** np.arange(len(values))[::-1]
    return np.array([np.average(values[:end], weights=weights[-end:]) for end in range(1, len(values) + 1)])
