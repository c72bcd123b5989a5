"""What bounds a training, from constructed times, and what the sentence about it says."""

from typing import Any

import pytest

from engine.parts.crops import Crops
from engine.training.cost.peaks import peaks_of
from engine.training.observers.advice import Facts, sentence
from engine.training.observers.bottleneck import Bottleneck, bottleneck, summed, training_seconds
from tests.engine.training.observers.observed_run import observed_run

# By kind of work: seconds of 100, of which the device is busy for certain in some; cause, share, saving.
TIMES: dict[str, tuple[dict[str, float], str, float, float]] = {
    'all is waited for': ({'device': 95, 'dispatch': 5, 'busy': 100}, 'device', 1.0, 0.95),
    'data that costs nothing': ({'data': 60, 'device': 40, 'busy': 100}, 'device', 1.0, 0.4),
    'data in half of the time': ({'data': 60, 'device': 40, 'busy': 70}, 'device', 0.7, 0.4),
    'data': ({'data': 80, 'device': 5, 'dispatch': 15, 'busy': 5}, 'data', 0.8, 0.8),
    'data, some of it hidden': ({'data': 80, 'device': 5, 'dispatch': 15, 'busy': 35}, 'data', 0.65, 0.65),
    'the calls': ({'dispatch': 40, 'other': 30, 'device': 10, 'data': 20, 'busy': 10}, 'python', 0.7, 0.7),
    'the rest of Python': ({'other': 70, 'device': 30, 'busy': 30}, 'python', 0.7, 0.7),
    'an observer': (
        {'observers/A': 30, 'observers/B': 20, 'log': 5, 'device': 45, 'busy': 45},
        'log',
        0.55,
        0.55,
    ),
    'evaluation': ({'evaluation': 50, 'device': 45, 'other': 5, 'busy': 45}, 'evaluation', 0.5, 0.5),
    'pictures': ({'pictures': 60, 'device': 40, 'busy': 40}, 'pictures', 0.6, 0.6),
    'checkpoint': ({'checkpoint': 52, 'device': 40, 'data': 8, 'busy': 48}, 'checkpoint', 0.52, 0.52),
    'a profile counts for nothing': (
        {'profile': 50, 'evaluation': 40, 'device': 10, 'busy': 10},
        'evaluation',
        0.8,
        0.8,
    ),
}


@pytest.mark.parametrize('name', TIMES)
def test_what_bounds_a_training(name: str) -> None:
    seconds, cause, share, saving = TIMES[name]
    found = bottleneck({**seconds, 'total': 100})
    assert found.cause == cause
    assert (found.share, found.saving) == pytest.approx((share, saving))


def test_nothing_saves_more_than_it_takes() -> None:
    """More is busy than there is beside the device: clocks are not exact."""
    found = bottleneck({'data': 5, 'device': 90, 'busy': 120, 'total': 100})
    assert (found.cause, found.share) == ('device', pytest.approx(0.95))
    assert bottleneck({'total': 0, 'busy': 0}).saving == 0


def test_times_of_training_steps() -> None:
    seconds = {'data': 1, 'evaluation': 2, 'pictures': 3, 'checkpoint': 4, 'profile': 5, 'total': 20}
    assert training_seconds(seconds) == 6
    assert summed({'observers/A': 1, 'observers/B': 2, 'log': 3}) == {'observers': 3, 'log': 3}


def said(cause: Any, share: float = 0.4, **more: Any) -> str:
    run = observed_run(__file__)  # type: ignore[arg-type] (no file is read)
    settings = {**run.settings, 'steps': 10_000, **more.pop('settings', {})}
    facts: dict[str, Any] = {
        'settings': settings,
        'steps_per_epoch': 44,
        'seconds': {},
        'step_seconds': 0.02,
        'utilisation': None,
        'type': 'tensorfloat32',
        'peaks': None,
        'device': 'cpu',
    }
    return sentence(Bottleneck(cause, share, share / 2), Facts(**facts | more))


H100 = {'device': 'NVIDIA H100 80GB HBM3', 'peaks': peaks_of('NVIDIA H100 80GB HBM3')}
SENTENCES = {
    'evaluation by epochs': (
        said('evaluation'),
        'Evaluation takes 40 % of the time: Trainer.evaluate_every = 600 (now each epoch, 44 steps) or '
        'fewer Trainer.validation_batches',
    ),
    'evaluation by steps': (
        said('evaluation', settings={'evaluate_every': 10}),
        'Evaluation takes 40 % of the time: Trainer.evaluate_every = 200 (now 10) or fewer '
        'Trainer.validation_batches',
    ),
    'never beyond the last step': (
        said('evaluation', settings={'evaluate_every': 200, 'steps': 1000}),
        'Evaluation takes 40 % of the time: Trainer.evaluate_every = 1000 (now 200) or fewer '
        'Trainer.validation_batches',
    ),
    'saving': (
        said('checkpoint', settings={'save_every': 5}),
        'Saving takes 40 % of the time: Trainer.save_every = 70 (now 5)',
    ),
    'saving at the end alone': (
        said('checkpoint', settings={'save_every': 500, 'steps': 100}),
        'Saving takes 40 % of the time: a longer training (this one does it only at its end)',
    ),
    'an evaluation at the end alone': (
        said('evaluation', settings={'steps': 44}),
        'Evaluation takes 40 % of the time: a longer training (this one does it only at its end) or fewer '
        'Trainer.validation_batches',
    ),
    'pictures': (
        said('pictures', settings={'pictures_every': 50}),
        'Pictures take 40 % of the time: Trainer.pictures_every = 700 (now 50)',
    ),
    'data': (
        said('data'),
        'The loop waits for data 40 % of the time: an order of examples that computes less '
        '(Trainer.order), or smaller examples,',
    ),
    'images': (
        said('data', settings={'decode': Crops(workers=3)}),
        'The loop waits for data 40 % of the time: more CPUs and Crops.workers (now 3), a smaller '
        'Crops.size, or smaller images',
    ),
    'the log': (
        said('log', seconds={'log': 3, 'observers/Histogram': 2}),
        'The metric log takes 40 % of the time: Trainer.log_every = 10 (now 1)',
    ),
    'an observer': (
        said('log', seconds={'log': 1, 'observers/Histogram': 2, 'observers/Progress': 1}),
        'Observers take 40 % of the time, Histogram most of it: Trainer.observers without Histogram',
    ),
    'python': (
        said('python'),
        'The device waits for Python, which takes 40 % of the time to call the steps: '
        'Trainer.steps_per_dispatch = 10 (now 1)',
    ),
    'short steps': (
        said('device', step_seconds=0.00033),
        'The device computes 40 % of the time (0.33 ms per step): Trainer.steps_per_dispatch = 10 (now '
        '1), because steps are short,',
    ),
    'short steps in groups': (
        said('device', step_seconds=0.00033, settings={'steps_per_dispatch': 10}),
        'The device computes 40 % of the time: a smaller model, or more or faster devices,',
    ),
    'float32 on tensor cores': (
        said('device', utilisation=0.123, **H100),
        "The device computes 40 % of the time, at 12 % of its tensorfloat32 peak: dtype = 'bfloat16' of "
        'the model, where it has this parameter,',
    ),
    'bfloat16': (
        said('device', utilisation=0.123, type='bfloat16', **H100),
        'The device computes 40 % of the time, at 12 % of its bfloat16 peak: Trainer.batch_size = 16 '
        '(now 8) or what Trainer.profile shows',
    ),
    'well used': (
        said('device', utilisation=0.5, type='bfloat16', **H100),
        'The device computes 40 % of the time, at 50 % of its bfloat16 peak: a smaller model, or more or '
        'faster devices,',
    ),
}


@pytest.mark.parametrize('name', SENTENCES)
def test_sentences(name: str) -> None:
    text, expected = SENTENCES[name]
    assert text == f'{expected} would save at most 20 % of the time.'
