"""The trainer: read it top to bottom.

A run is a function of (code, config, seed, data). Batch and randomness of a step depend on seed and step
alone: a state and its step are all there is to go on from. When to evaluate, save and stop comes from the
config, never from a clock.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import takewhile
from typing import Any, Literal

import jax
import numpy as np
from clu.parameter_overview import get_parameter_overview

from research.engine import datasets, debug, faults, inputs, nonfinite, predictions, replay, resume
from research.engine.checkpoints import Checkpoints
from research.engine.datasets import Dataset
from research.engine.journal import Journal, NonFinite
from research.engine.logs import logger
from research.engine.metrics import merged
from research.engine.parallelism import Jit
from research.engine.programs import Compiled, Programs, Traced, compiled
from research.engine.progress import progress
from research.engine.runs import FINISHED, Run
from research.engine.session import Session
from research.engine.signals import Signals
from research.engine.watchdog import Watchdog
from research.errors import Interrupted, RunError, UserError, did_you_mean
from research.interfaces import BoundTask, State, Task

Evaluate = Callable[[State], dict[str, float] | None]


@dataclass(kw_only=True)
class Trainer:
    """Trains a task on a dataset; the root of every config.

    Args:
      dataset: name of a Dataset+, such as 'digits' or 'digits/toy'.
      task: what to learn.
      steps: of training, in all.
      batch_size: examples per step, over all devices.
      seed: of the first parameters, the order of examples and all other randomness.
      save_every: steps between checkpoints to go on from.
      best: (metric, 'min' or 'max') that chooses the checkpoint to predict with; None takes the last one.
      predict: splits whose predictions are saved when training ends.
      steps_per_dispatch: steps that one call of the device runs; more help small models on an accelerator.
      nonfinite: what a step with a metric that is NaN or infinite does: 'stop' ends the run, 'skip' leaves
        the state as it was and counts the step in the log.
      deterministic: has XLA avoid what is not deterministic on a GPU; on a CPU everything is.
      parallelism: where arrays live.
      watchdog: notices a run that hangs.
    """

    dataset: str
    task: Task
    steps: int
    batch_size: int
    seed: int = 0
    save_every: int = 100
    best: tuple[str, Literal['min', 'max']] | None = ('loss', 'min')
    predict: tuple[str, ...] = ('val', 'test')
    steps_per_dispatch: int = 1
    nonfinite: Literal['stop', 'skip'] = 'stop'
    deterministic: bool = False
    parallelism: Jit = Jit()  # noqa: RUF009 (it is frozen)
    watchdog: Watchdog = Watchdog()  # noqa: RUF009

    def __post_init__(self) -> None:
        """Sets what XLA reads when it starts."""
        if self.deterministic:
            os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} --xla_gpu_deterministic_ops=true'

    # What follows from the config

    @cached_property
    def data(self) -> Dataset:
        """The dataset, built on first use."""
        return datasets.load(self.dataset)

    @property
    def origin(self) -> dict[str, Any]:
        """What stack.json says of the seed and the data."""
        data = {'name': self.data.name, 'version': self.data.version, 'fingerprint': self.data.fingerprint}
        return {'seed': self.seed, 'dataset': data}

    @cached_property
    def bound(self) -> BoundTask:
        """The task, bound to the dataset."""
        return self.task.bind(self.data.spec)

    @cached_property
    def order(self) -> inputs.Order:
        """The order of the training examples."""
        return inputs.Order(self.data.splits['train'], self.batch_size, self.seed)

    @cached_property
    def evaluations(self) -> frozenset[int]:
        """The steps after which the validation set is evaluated: the end of each epoch, and of training."""
        return frozenset(self.order.epoch_ends(self.steps)) | {self.steps}

    @cached_property
    def source(self) -> inputs.Source:
        """The training batches."""
        return inputs.source(self.data.split('train'), self.order, self.parallelism)

    @cached_property
    def programs(self) -> Programs:
        """What runs on the devices."""
        return Programs(self.bound, self.parallelism, self.seed, skip_nonfinite=self.nonfinite == 'skip')

    @cached_property
    def traced(self) -> Traced:
        """The programs, traced on shapes."""
        batch = next(inputs.evaluation_batches(self.data.split('val'), self.batch_size))
        return self.programs.trace(self.source, batch, sorted({1, self.steps_per_dispatch}))

    def check(self) -> None:
        """Binds the task and traces its functions on shapes: what cannot work fails here, not after an hour.

        Raises:
          UserError: if sizes do not fit, or names of metrics or splits are unknown.
        """
        for name in ('steps', 'batch_size', 'save_every', 'steps_per_dispatch'):
            if getattr(self, name) < 1:
                raise UserError(f'Trainer.{name} = {getattr(self, name)}: it must be at least 1.')
        self.parallelism.check(self.batch_size)
        for split in ('train', 'val', *self.predict):
            self.data.split(split)
        metrics = self.traced.evaluate.out_info
        if self.best and self.best[0] not in metrics:
            hint = did_you_mean(self.best[0], metrics)
            raise UserError(f'Trainer.best = {self.best}: evaluation has no metric {self.best[0]!r}. {hint}')

    # Training

    def run(self, session: Session) -> None:
        """Trains from the run's last checkpoint, or from the start, to the end; then saves predictions.

        Raises:
          Interrupted: when a signal has asked for the end and all is saved.
          RunError: if a metric is NaN or infinite.
        """
        run = session.run
        with Checkpoints(run.folder / 'checkpoints') as checkpoints:
            start = resume.step(run.folder / 'logs', checkpoints, self.best)
            try:
                with self._journal(session, start) as journal, ThreadPoolExecutor() as background:
                    state, update, evaluate = self._set_up(start, checkpoints, session.signals)
                    picture = background.submit(self._save_first_batch, run)
                    report = run.folder / 'debug' / 'hang.txt'
                    with (
                        self.watchdog.watch(session.moved_at, report, session.fail),
                        session.signals.orderly(),
                    ):
                        self._train(start, state, update, evaluate, checkpoints, journal, session.signals)
                        checkpoints.wait()
                    picture.result()
            except NonFinite as found:
                kept = nonfinite.keep(self, checkpoints, run.folder, found.step)
                raise RunError(
                    f'{found}. Its batch, the state before it and a script that does it again: {kept}. '
                    "Trainer.nonfinite = 'skip' would leave out such steps."
                ) from None
        if session.signals.requested():
            raise Interrupted
        predictions.save(self, run.folder, self.predict, 'best' if self.best else 'latest', overwrite=True)
        faults.point('finish')
        run.write_status(state=FINISHED, step=self.steps)

    def _journal(self, session: Session, start: int) -> Journal:
        shown = progress(start, self.steps, self.order.epoch, self.batch_size)
        folder = session.run.folder / 'logs'
        return Journal(folder, start, self.order.epoch, self.batch_size, shown, session.moved, self.nonfinite)

    def _set_up(
        self, start: int, checkpoints: Checkpoints, signals: Signals
    ) -> tuple[State, dict[int, Compiled], Evaluate]:
        """Returns the state to go on from, the training programs by number of steps, and what evaluates."""
        logger.info(get_parameter_overview(self.programs.state_shapes['params'], include_stats=False))
        with ThreadPoolExecutor() as pool:  # XLA compiles without holding Python's lock
            update = {count: pool.submit(compiled, each) for count, each in self.traced.update.items()}
            evaluate = pool.submit(compiled, self.traced.evaluate)
            state = replay.saved_state(self, checkpoints, start)
        evaluate_all = partial(self._evaluate, evaluate.result(), signals)
        return state, {count: each.result() for count, each in update.items()}, evaluate_all

    def _evaluate(self, program: Compiled, signals: Signals, state: State) -> dict[str, float] | None:
        """Returns the metrics of the whole validation set, None if a signal asks for the end meanwhile."""
        faults.point('evaluation')
        batches = inputs.evaluation_batches(self.data.split('val'), self.batch_size)
        wanted = takewhile(lambda _: not signals.requested(), batches)
        metrics = merged(program(state, batch) for batch in wanted)
        return None if signals.requested() else metrics

    def _train(
        self,
        step: int,
        state: State,
        update: dict[int, Compiled],
        evaluate: Evaluate,
        checkpoints: Checkpoints,
        journal: Journal,
        signals: Signals,
    ) -> None:
        """The loop: what is due at a step, then a group of steps."""
        clock = journal.clock
        feed, evaluate = clock.timed('data', self.source.feed), clock.timed('evaluation', evaluate)
        save = clock.timed('checkpoint', checkpoints.save)
        journal.begin()
        while True:
            if not signals.requested() and step in self.evaluations and not journal.has_evaluated(step):
                journal.flush()
                if metrics := evaluate(state):
                    journal.evaluated(step, metrics)
                    if self.best and journal.is_best(*self.best):
                        save('best', step, state)
            if signals.requested() or self._saves_at(step):
                journal.flush()
                save('latest', step, state, journal.digests())
            if signals.requested():
                raise Interrupted
            if step == self.steps:
                return
            faults.point('step')
            count = self.group(step)
            state, metrics = update[count](state, feed(step, count), np.int32(step))
            journal.trained(step, metrics)
            step += count

    def _saves_at(self, step: int) -> bool:
        return step == self.steps or (step > 0 and step % self.save_every == 0)

    def group(self, step: int) -> int:
        """Returns how many steps the next call makes: a whole group if no event falls into it, else one."""
        group = self.steps_per_dispatch
        inside = range(step + 1, step + group)
        fits = step % group == 0 and step + group <= self.steps
        return group if fits and not any(self._saves_at(s) or s in self.evaluations for s in inside) else 1

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """Returns the training batch of a step, each array [B, ...]."""
        indices = self.order.indices(step)
        return {name: array[indices] for name, array in self.data.split('train').arrays.items()}

    def _save_first_batch(self, run: Run) -> None:
        """Writes the first batch as the network sees it."""
        batch = self.batch(0)
        seen = jax.device_get(self.programs.inputs(batch))
        debug.save_first_batch(run.folder / 'debug', seen, batch.get('label'), self.data.spec.class_names)
