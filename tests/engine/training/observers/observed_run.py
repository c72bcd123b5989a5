"""A run as observers see it."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from engine.training.cost.flops import Flops
from engine.training.logs.clock import Clock
from engine.training.observers.observer import ObservedRun, Observer


def observed_run(folder: Path, step: int = 0, **more: Any) -> ObservedRun:
    """Returns a run of 100 steps of 8 examples, ten steps an epoch."""
    flops: Future[Flops] = Future()
    flops.set_result(Flops(1000, 24, {'tensorfloat32': 1000}))
    known: dict[str, Any] = {
        'steps': 100,
        'batch_size': 8,
        'epoch': lambda steps: steps / 10,
        'label_field': '',
        'class_names': (),
        'batch': lambda step: {},
        'first_inputs': lambda batch: {},
        'settings': {
            'steps': 100,
            'batch_size': 8,
            'evaluate_every': None,
            'save_every': 50,
            'pictures_every': None,
            'decode': None,
            'log_every': 1,
            'steps_per_dispatch': 1,
        },
        'compile_seconds': 2.5,
        'flops': flops,
        'seconds': Clock().lap,
        'show': Observer().on_numbers,
    }
    return ObservedRun(folder=folder, step=step, **known | more)
