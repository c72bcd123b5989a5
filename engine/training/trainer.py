"""The trainer: read it top to bottom.

A run is a function of (code, config, seed, data). The batch and the randomness of a step depend on seed and
step alone, so a state and its step are enough to resume. The config decides when to evaluate, save and
stop, never a clock.

The trip of a training batch, from the order of examples to the loss and back:

1. `datasets/orders/order.py`, `PartStreams.indices`: seed and step give the indices of the examples.
2. `batches/training.py`, `training_source`: `OnDevice` sends the indices, `FromHost` the examples themselves.
3. `steps.py`, `StepFunctions.trace`: inside the compiled `train_step`, the payload becomes the batch.
4. `sharding.py`, `Jit.batch`: the batch is split over the devices and gets the `index` of each row.
5. `parts/supervised.py`, `BoundSupervised.update`: the task augments it and prepares the network's inputs.
6. `gradients.py`, `gradients`: the network runs; the mean of each example's loss is differentiated.
7. `parts/supervised.py`, `BoundSupervised.update`: the optimizer makes the new state.
8. `steps.py`, `sharding.sum_across_devices`: the metrics become sums over the whole batch.
9. `logs/metrics.py`, `InFlightMetrics`: the host fetches them late and in blocks.
10. `logs/metric_logger.py`, `MetricLogger`: they are checked. Means over `log_every` steps are written to
    `train.jsonl` and shown to the observers.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from clu.parameter_overview import get_parameter_overview

from engine.errors import Interrupted, Paused, RunError
from engine.interfaces import State
from engine.runs import faults
from engine.runs.guard import RunGuard
from engine.runs.signals import Signals
from engine.runs.text_log import logger
from engine.runs.watchdog import Watchdog
from engine.training import initialisation, nonfinite, replay
from engine.training.checkpointing import best_state, direct, resume
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.cost import memory, profiling
from engine.training.cost.counting import Counting
from engine.training.experiment import Experiment
from engine.training.logs.clock import CHECKPOINT, DATA, EVALUATION, PICTURES, Clock
from engine.training.logs.metric_log import MetricLog
from engine.training.logs.metric_logger import MetricLogger, NonFinite
from engine.training.logs.metrics import BlockMeans
from engine.training.observers.defaults import default_observers
from engine.training.observers.observed import observed
from engine.training.observers.observer import Observer, ObserverGroup
from engine.training.observers.pictures import PictureMaker
from engine.training.preflight import preflight
from engine.training.steps import Compiled, compiling
from engine.training.validation.evaluation import Evaluation
from engine.training.validation.stopping import Ending


@dataclass(frozen=True)
class Programs:
    """The compiled programs of a training.

    Attributes:
      train_steps: by number of steps.
      evaluate: returns the metrics of a state on all validation sets.
      copy_best: copies from a state what a best checkpoint holds; None where none is chosen.
      pictures: makes the pictures of a state; None where none are due.
      compile_time: seconds to compile all of these.
      flops: the operations of a training step.
    """

    train_steps: Mapping[int, Compiled]
    evaluate: Evaluation
    copy_best: Compiled | None
    pictures: Compiled | None
    compile_time: float
    flops: Counting


@dataclass(kw_only=True)
class Trainer(Experiment):
    """Trains what an experiment describes; the root of every config.

    Args:
      predict: splits whose predictions are saved when training ends.
      observers: watch the training and change nothing; other observers make no other run.
      watchdog: notices a run that hangs.
      profile: the steps after which a trace begins and ends; like observers, it makes no other run.
    """

    predict: tuple[str, ...] = ('val', 'test')
    observers: Sequence[Observer] = field(default_factory=default_observers)
    watchdog: Watchdog = Watchdog()  # noqa: RUF009 (it is frozen)
    profile: tuple[int, int] | None = None

    def check(self) -> None:
        """Checks the experiment, its predictions and its observers."""
        super().check()
        preflight.check(self, self.predict)
        profiling.check(self.profile, self.events)
        for observer in self.observers:
            observer.check()

    def run(self, guard: RunGuard) -> Ending:
        """Trains from the run's last checkpoint, or from the start, to the end.

        Returns:
          The last step, and why the training stopped there.

        Raises:
          Interrupted: when a signal has asked for the end and everything is saved.
          Paused: when the step of `--until` is reached and everything is saved.
          RunError: if a metric is NaN or infinite.
        """
        folder = guard.run.folder
        with Checkpoints(folder / 'checkpoints', keep_every=self.keep_every) as checkpoints:
            start = resume.step(folder / 'logs', checkpoints, self.steps)
            try:
                ending = self._run_from(start, checkpoints, guard)
            except NonFinite as event:
                checkpoints.commit_best()
                kept = nonfinite.keep(self, checkpoints, folder, event.step)
                raise RunError(
                    f'{event}. Its batch, the state before it and a script that repeats the step: {kept}. '
                    "Trainer.nonfinite = 'skip' would leave out such steps."
                ) from None
        if guard.signals.stop_requested():
            raise Interrupted
        return ending

    def _run_from(self, start: int, checkpoints: Checkpoints, guard: RunGuard) -> Ending:
        """Trains from a step on, watched by the observers and the watchdog."""
        folder, clock = guard.run.folder, Clock()
        observers = ObserverGroup(self.observers, clock)
        state, programs = self._set_up(start, checkpoints, folder, guard.signals)
        block = BlockMeans(self.log_every, self.steps, resume.open_block(checkpoints, start))
        best = resume.best_step(checkpoints, start)
        log = MetricLog(folder / 'logs', start, self.bound_order.epoch, block, best)
        if self._reason_to_stop(log, start):
            log.end(start)  # observers have seen its last line
        last_pictures = resume.pictures_step(checkpoints, start)
        with (
            observers.watching(observed(self, folder, start, programs.compile_time, programs.flops, clock)),
            PictureMaker(programs.pictures, folder, observers, last_pictures) as pictures,
            MetricLogger(log, clock, observers, guard.note_progress, self.nonfinite) as metric_logger,
            profiling.Profiler(self.profile, folder, clock) as profiler,
            self.watchdog.watch(guard.last_progress, folder / 'debug' / 'hang.txt', guard.fail),
            guard.signals.graceful(),
        ):
            programs = replace(programs, train_steps=profiler.wrapped(programs.train_steps))
            ending = self._train(start, state, programs, pictures, checkpoints, metric_logger, guard)
            clock.timed(CHECKPOINT, checkpoints.wait)()
        if ending.reason:
            logger.info('stopped at step %d: %s', ending.step, ending.reason)
        return ending

    def _set_up(
        self, start: int, checkpoints: Checkpoints, folder: Path, signals: Signals
    ) -> tuple[State, Programs]:
        """Returns the state to start or resume from, and the compiled programs."""
        self._say_what_is_evaluated()
        logger.info(get_parameter_overview(self.step_functions.state_shapes['params'], include_stats=False))
        if start == 0 and not checkpoints.has(0):
            initialisation.write_table(self.init_from, self.step_functions, folder)
        if groups := self.parameter_groups():
            logger.info(groups)
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            traced = self.traced
            train_steps = {count: compiling(each, pool) for count, each in traced.train_steps.items()}
            counted = Counting(traced.train_steps[1].lower())  # it is lowered already
            evaluate = compiling(traced.evaluate, pool)
            pictures = compiling(traced.pictures, pool) if traced.pictures else None
            shapes = self.step_functions.state_shapes
            copy_best = compiling(best_state.traced_copy(traced, shapes), pool) if self.best_metric else None
            direct.prepare(shapes)
            state = replay.saved_state(self, checkpoints, start, folder)
        return state, Programs(
            memory.checked(self, train_steps, evaluate),
            Evaluation(evaluate.result(), self.measured, signals.stop_requested),
            copy_best.result() if copy_best else None,
            pictures.result() if pictures else None,
            time.monotonic() - began,
            counted,
        )

    def _say_what_is_evaluated(self) -> None:
        if self.validation_batches:
            logger.info('Each evaluation takes %s.', self.validation.sizes)
        if self.best_metric and self.best != self.best_metric:
            logger.info('The best checkpoint is chosen by %r, of the first set.', self.best_metric[0])

    def _reason_to_stop(self, log: MetricLog, step: int) -> str:
        """Returns why the training stops after a step, '' if it does not."""
        if self.stop is None or not log.has_evaluation(step):
            return ''
        return self.stop.reason([*map(self.validation.with_short_names, log.evaluations())])

    def _train(
        self,
        step: int,
        state: State,
        programs: Programs,
        pictures: PictureMaker,
        checkpoints: Checkpoints,
        metric_logger: MetricLogger,
        guard: RunGuard,
    ) -> Ending:
        """The loop: the events that are due at a step, then a group of steps."""
        events, signals, log, clock = self.events, guard.signals, metric_logger.log, metric_logger.clock
        train_steps = {count: clock.calling(program) for count, program in programs.train_steps.items()}
        inputs, save = clock.timed(DATA, self.source.inputs), clock.timed(CHECKPOINT, checkpoints.save)
        evaluate = clock.timed(EVALUATION, programs.evaluate)
        make_pictures = clock.timed(PICTURES, pictures.make)
        while True:
            is_due = events.evaluates_at(step) and not log.has_evaluation(step)
            if is_due and not signals.stop_requested() and (metrics := evaluate(state, metric_logger.flush)):
                metric_logger.log_evaluation(step, metrics, state)
                if programs.copy_best and self.best_metric and log.note_best(*self.best_metric):
                    checkpoints.keep_best(step, programs.copy_best(state))
            ending = Ending(step, self._reason_to_stop(log, step))
            is_last = step == self.steps or bool(ending.reason)
            if is_last:
                metric_logger.end(step)
            if not signals.stop_requested() and (is_last or events.pictures_at(step)):
                metric_logger.flush()
                make_pictures(step, state)
            pauses = guard.pauses_at(step) and not is_last
            if signals.stop_requested() or is_last or pauses or events.saves_at(step):
                metric_logger.prepare_save(step)
                save('latest', step, state, log.record() | pictures.record())
            if signals.stop_requested():
                raise Interrupted
            if is_last:
                return ending
            if pauses:
                raise Paused
            faults.point('step')
            count = events.group(step)
            state, metrics = train_steps[count](state, inputs(step, count), np.int32(step))
            metric_logger.log_steps(step, metrics)
            step += count
