"""The trainer: read it top to bottom.

A run is a function of (code, config, seed, data). Batch and randomness of a step depend on seed and step
alone: a state and its step are all there is to go on from. When to evaluate, save and stop comes from the
config, never from a clock.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import jax
import numpy as np
from clu.parameter_overview import get_parameter_overview

from engine import sharding
from engine.errors import Interrupted, RunError
from engine.interfaces import State
from engine.prediction import predictions
from engine.runs import faults
from engine.runs.guard import Session
from engine.runs.run_folder import Run
from engine.runs.signals import Signals
from engine.runs.text_log import logger
from engine.runs.watchdog import Watchdog
from engine.training import nonfinite, replay, resume
from engine.training.batches.evaluation import evaluation_batches
from engine.training.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.metric_log import Journal, NonFinite
from engine.training.metrics import merged
from engine.training.observers import first_batch
from engine.training.observers.progress import progress
from engine.training.steps import Compiled, compiled

Evaluate = Callable[[State], dict[str, float] | None]


@dataclass(kw_only=True)
class Trainer(Experiment):
    """Trains what an experiment describes; the root of every config.

    Args:
      predict: splits whose predictions are saved when training ends.
      watchdog: notices a run that hangs.
    """

    predict: tuple[str, ...] = ('val', 'test')
    watchdog: Watchdog = Watchdog()  # noqa: RUF009 (it is frozen)

    def check(self) -> None:
        """Checks the experiment, and that there are the splits to predict."""
        for split in self.predict:
            self.data.split(split)
        super().check()

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
        session.finish(self.steps)

    def _journal(self, session: Session, start: int) -> Journal:
        shown = progress(start, self.steps, self.order.epoch, self.batch_size)
        folder = session.run.folder / 'logs'
        return Journal(folder, start, self.order.epoch, self.batch_size, shown, session.moved, self.nonfinite)

    def _set_up(
        self, start: int, checkpoints: Checkpoints, signals: Signals
    ) -> tuple[State, dict[int, Compiled], Evaluate]:
        """Returns the state to go on from, the training programs by number of steps, and what evaluates."""
        logger.info(get_parameter_overview(self.step_functions.state_shapes['params'], include_stats=False))
        with ThreadPoolExecutor() as pool:  # XLA compiles without holding Python's lock
            update = {count: pool.submit(compiled, each) for count, each in self.traced.train_steps.items()}
            evaluate = pool.submit(compiled, self.traced.evaluate)
            state = replay.saved_state(self, checkpoints, start)
        evaluate_all = partial(self._evaluate, evaluate.result(), signals)
        return state, {count: each.result() for count, each in update.items()}, evaluate_all

    def _evaluate(self, program: Compiled, signals: Signals, state: State) -> dict[str, float] | None:
        """Returns the metrics of the whole validation set, None if a signal asks for the end meanwhile."""
        faults.point('evaluation')
        mesh = self.parallelism.mesh
        rows = sharding.batch_sharding(mesh)
        batches = evaluation_batches(self.data.split('val'), self.batch_size, mesh)
        wanted = takewhile(lambda _: not signals.requested(), batches)
        metrics = merged(program(state, sharding.shard(batch, rows)) for batch in wanted)
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
        feed, evaluate = clock.timed('data', self.source.inputs), clock.timed('evaluation', evaluate)
        save = clock.timed('checkpoint', checkpoints.save)
        journal.begin()
        while True:
            if not signals.requested() and step in self.evaluations and not journal.has_evaluated(step):
                journal.flush()
                if metrics := evaluate(state):
                    journal.evaluated(step, metrics)
                    if self.best and journal.is_best(*self.best):
                        save('best', step, state)
            if signals.requested() or self.saves_at(step):
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

    def _save_first_batch(self, run: Run) -> None:
        """Writes the first batch as the network sees it."""
        batch = self.batch(0)
        seen = jax.device_get(self.step_functions.first_inputs(batch))
        first_batch.save_first_batch(
            run.folder / 'debug', seen, batch.get('label'), self.data.spec.class_names
        )
