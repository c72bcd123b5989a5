"""The trainer: read it top to bottom.

A run is a function of (code, config, seed, data). Batch and randomness of a step depend on seed and step
alone: a state and its step are all there is to go on from. When to evaluate, save and stop comes from the
config, never from a clock.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from clu.parameter_overview import get_parameter_overview

from research.engine import datasets, debug, inputs, predictions
from research.engine.checkpoints import Checkpoints
from research.engine.datasets import Dataset
from research.engine.journal import Journal
from research.engine.logs import logger
from research.engine.metrics import merged
from research.engine.parallelism import Jit
from research.engine.programs import Compiled, Programs, Traced, compiled
from research.engine.progress import progress
from research.engine.runs import FINISHED, RUNNING, Heartbeat, Run
from research.engine.workspace import project
from research.errors import UserError, did_you_mean
from research.interfaces import BoundTask, State, Task

Evaluate = Callable[[State], dict[str, float]]


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
      parallelism: where arrays live.
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
    parallelism: Jit = Jit()  # noqa: RUF009 (it is frozen)

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
        return Programs(self.bound, self.parallelism, self.seed)

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

    def run(self, run: Run) -> None:
        """Trains from the run's last checkpoint, or from the start, to the end; then saves predictions."""
        with Checkpoints(run.folder / 'checkpoints') as checkpoints:
            start = checkpoints.last('latest') or 0
            checkpoints.discard_after(start)
            run.write_status(state=RUNNING, step=start, steps=self.steps, error=None)
            logger.info(get_parameter_overview(self.programs.state_shapes['params'], include_stats=False))
            with self._journal(run, start) as journal, ThreadPoolExecutor() as background:
                state, update, evaluate = self._set_up(start, checkpoints)
                picture = background.submit(self._save_first_batch, run)
                self._train(start, state, update, evaluate, checkpoints, journal)
                picture.result()
        self.save_predictions(run, self.predict, 'best' if self.best else 'latest', overwrite=True)
        run.write_status(state=FINISHED, step=self.steps)

    def _journal(self, run: Run, start: int) -> Journal:
        shown = progress(start, self.steps, self.order.epoch, self.batch_size)
        return Journal(run.folder / 'logs', start, self.order.epoch, self.batch_size, shown, Heartbeat(run))

    def _set_up(self, start: int, checkpoints: Checkpoints) -> tuple[State, dict[int, Compiled], Evaluate]:
        """Returns the state to go on from, the training programs by number of steps, and what evaluates."""
        with ThreadPoolExecutor() as pool:  # XLA compiles without holding Python's lock
            update = {count: pool.submit(compiled, each) for count, each in self.traced.update.items()}
            evaluate = pool.submit(compiled, self.traced.evaluate)
            state = self._first_state(start, checkpoints)

        def evaluate_all(state: State) -> dict[str, float]:
            batches = inputs.evaluation_batches(self.data.split('val'), self.batch_size)
            return merged(evaluate.result()(state, batch) for batch in batches)

        return state, {count: each.result() for count, each in update.items()}, evaluate_all

    def _first_state(self, start: int, checkpoints: Checkpoints) -> State:
        if not start:
            return self.programs.init()
        logger.info('continuing after step %d of %d', start, self.steps)
        return checkpoints.restore('latest', start, self.programs.state_shapes)

    def _train(
        self,
        step: int,
        state: State,
        update: dict[int, Compiled],
        evaluate: Evaluate,
        checkpoints: Checkpoints,
        journal: Journal,
    ) -> None:
        """The loop: what is due at a step, then a group of steps."""
        clock = journal.clock
        feed, evaluate = clock.timed('data', self.source.feed), clock.timed('evaluation', evaluate)
        save = clock.timed('checkpoint', checkpoints.save)
        journal.begin()
        while True:
            if step in self.evaluations and not journal.has_evaluated(step):
                journal.flush()
                journal.evaluated(step, evaluate(state))
                if self.best and journal.is_best(*self.best):
                    save('best', step, state)
            if step and self._saves_at(step):
                journal.flush()
                save('latest', step, state)
            if step == self.steps:
                return
            count = self._group(step)
            state, metrics = update[count](state, feed(step, count), np.int32(step))
            journal.trained(step, metrics)
            step += count

    def _saves_at(self, step: int) -> bool:
        return step == self.steps or step % self.save_every == 0

    def _group(self, step: int) -> int:
        """Returns how many steps the next call makes: a whole group if no event falls into it, else one."""
        group = self.steps_per_dispatch
        inside = range(step + 1, step + group)
        fits = step % group == 0 and step + group <= self.steps
        return group if fits and not any(self._saves_at(s) or s in self.evaluations for s in inside) else 1

    def _save_first_batch(self, run: Run) -> None:
        """Writes the first batch as the network sees it."""
        indices = self.order.indices(0)
        batch = {name: array[indices] for name, array in self.data.split('train').arrays.items()}
        seen = jax.device_get(self.programs.inputs(batch))
        debug.save_first_batch(run.folder / 'debug', seen, batch.get('label'), self.data.spec.class_names)

    # Predictions

    def save_predictions(self, run: Run, splits: Iterable[str], which: str, overwrite: bool) -> list[Path]:
        """Predicts splits from a checkpoint and writes them to the run's outputs.

        Args:
          run: that holds the checkpoint.
          splits: of the dataset.
          which: 'best', 'latest' or the number of a step.
          overwrite: whether outputs that exist are replaced; else they are an error.

        Returns:
          The outputs folders: `<split>`, or `<split>@<step>` for a checkpoint asked for by number.
        """
        with Checkpoints(run.folder / 'checkpoints', read_only=True) as checkpoints:
            kind, step = checkpoints.find(which)
            state = checkpoints.restore(kind, step, self.programs.state_shapes)
        program, folders = compiled(self.traced.predict), []
        for split in splits:
            predicted = predictions.predict(program, state, self.data.split(split), self.batch_size)
            folders.append(run.folder / 'outputs' / (f'{split}@{step}' if which.isdecimal() else split))
            origin = {'project': project(), 'run': run.folder.name, 'step': step}
            predictions.save(
                folders[-1], predicted, self.bound.describe(), self.data, split, overwrite, **origin
            )
        return folders
