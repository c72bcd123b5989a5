"""What a training tells its observers about itself."""

from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path

from engine.training.cost.flops import Flops
from engine.training.experiment import Experiment
from engine.training.logs.clock import Clock
from engine.training.observers.observer import ObservedRun, Observer


def observed(
    experiment: Experiment,
    folder: Path,
    step: int,
    compile_seconds: float,
    flops: Future[Flops],
    clock: Clock,
) -> ObservedRun:
    """Returns what observers know of a run that starts.

    Args:
      experiment: that is trained.
      folder: of the run.
      step: the step that the run resumes from.
      compile_seconds: time to compile all programs.
      flops: the operations of a step.
      clock: of the loop.
    """
    return ObservedRun(
        folder=folder,
        step=step,
        steps=experiment.steps,
        batch_size=experiment.batch_size,
        epoch=experiment.bound_order.epoch,
        label_field=experiment.data.spec.label_field(experiment.description),
        class_names=experiment.class_names,
        batch=experiment.batch,
        first_inputs=experiment.step_functions.first_inputs,
        settings={each.name: getattr(experiment, each.name) for each in fields(experiment)},
        compile_seconds=compile_seconds,
        flops=flops,
        seconds=clock.lap,
        show=Observer().on_numbers,
    )
