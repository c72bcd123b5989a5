"""A run in a notebook, in one line: `load_run` gives its config, task, model, dataset, logs and outputs.

docs/playground.md shows it.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine import outputs, sharding
from engine.commands import experiments, trusted
from engine.config.config import Config
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError, did_you_mean
from engine.interfaces import BoundTask, State
from engine.outputs.outputs import Outputs
from engine.playground.run_config import RunConfig
from engine.playground.task_of_run import TaskOfRun
from engine.run_reader import logs as training_logs
from engine.run_reader.catalogue import folders
from engine.runs import text_log
from engine.runs.environment.differences import Differences
from engine.runs.run_folder import Run, is_run
from engine.runs.text_log import logger
from engine.training import steps
from engine.training.batches.evaluation import evaluation_batches
from engine.training.checkpointing import whole_state
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

if TYPE_CHECKING:
    import pandas as pd

# Bindings that put all arrays on one device, however a config shards them.
ONE_DEVICE = (
    'engine.training.trainer.Trainer.parallelism = @engine.sharding.Jit()',
    *(f'engine.sharding.Jit.{setting}' for setting in ('data = 1', 'fsdp = 1', 'rules = ()')),
)


def load_run(path: str | Path, checkpoint: str | int | None = None, trust: bool = False) -> 'LoadedRun':
    """Loads a run. What takes time is loaded when it is first used.

        run = load_run('workspace/runs/first')
        run.config['LEARNING_RATE'], run.logs['val'], run.model(images)

    Args:
      path: the run folder, or its name as `scripts/runs.sh` shows it. A relative path begins at the current
        folder, or else at the repository: a notebook runs in its own folder.
      checkpoint: 'best', 'latest' or a step. By default the best one, or the latest if there is no best.
      trust: accepts a run that this workspace did not make. Its config decides what is imported and called.

    Raises:
      UserError: there is no such run or checkpoint, or the run is from elsewhere and not trusted.
    """
    if not logger.handlers:
        text_log.to_terminal()
    run = _find(os.fspath(path))
    trusted.check(run, trust, remedy='trust=True')
    loaded = LoadedRun(run, checkpoint)
    if checkpoint is not None:
        _ = loaded.checkpoint  # a wrong one is refused here
    return loaded


def _find(path: str) -> Run:
    places = [Path(path).expanduser(), REPOSITORY / path]
    return Run.find(str(next((place for place in places if is_run(place)), None) or folders.one(path)))


class LoadedRun:
    """A run: its config, task, model, dataset, logs and outputs. `load_run` makes it.

    Nothing of the run is changed. If code, packages or data have changed since it was trained, the first use
    of its task, model or dataset logs a warning that lists the differences.

    Attributes:
      folder: the run folder.
    """

    def __init__(self, run: Run, checkpoint: str | int | None):
        self._run, self._which, self.folder = run, checkpoint, run.folder

    def __repr__(self) -> str:
        read = training_logs.read(self.folder)
        of = f' of {read.steps:,}' if read.steps else ''
        shown = f'{self.folder}: {read.state}, step {read.done:,}{of}'
        return '\n'.join([shown, *(f'  {note}' for note in read.notes)])

    @cached_property
    def checkpoint(self) -> tuple[str, int]:
        """Kind and step of the checkpoint, such as ('best', 400)."""
        with self._checkpoints() as checkpoints:
            best = 'latest' if checkpoints.last('best') is None else 'best'
            return checkpoints.find(best if self._which is None else str(self._which))

    @cached_property
    def config(self) -> RunConfig:
        """The values of config.gin by name."""
        return RunConfig(self._run.config.read_text(encoding='utf-8'))

    @property
    def logs(self) -> dict[str, 'pd.DataFrame']:
        """The logs 'train', 'val' and 'performance' by step, read anew each time: the run may still train."""
        read = training_logs.read(self.folder)
        return {'train': read.train, 'val': read.val, 'performance': read.time}

    def outputs(self, split: str = 'test') -> Outputs:
        """Returns saved predictions, their files verified.

        Args:
          split: the name of a folder in `outputs/` of the run, such as 'test' or 'test@400'.

        Raises:
          UserError: there are no such outputs, or they are damaged.
        """
        folder = self.folder / 'outputs' / split
        if not outputs.is_outputs(folder):
            saved = [path.name for path in (self.folder / 'outputs').glob('*') if outputs.is_outputs(path)]
            raise UserError(
                f'{self.folder} has no outputs {split!r}. {did_you_mean(split, saved)} '
                f'scripts/predict.sh {self.folder} --split=NAME makes those of a split.'
            )
        return outputs.read(folder)

    @property
    def trainer(self) -> Trainer:
        """The root of the config, built: the dataset, the task, the order of examples, `batch(step)`."""
        config, trainer, _ = self._built
        config.use()
        return trainer

    @property
    def dataset(self) -> Dataset:
        """The dataset; it is built on first use.

        Raises:
          UserError: it is not here any more.
        """
        _, trainer, missing = self._built
        if missing:
            raise missing
        return trainer.data

    @cached_property
    def task(self) -> BoundTask:
        """The task, bound to the dataset: `update`, `evaluate`, `predict` and the other pure functions."""
        config, trainer, _ = self._built
        return cast(BoundTask, TaskOfRun(trainer.bound, config.use))

    @cached_property
    def state(self) -> State:
        """The state of the task after the step of the checkpoint: `params`, `model_state`, `opt_state`, ...

        A best checkpoint holds no state of the optimizer; this begins anew.
        """
        with self._checkpoints() as checkpoints:
            return whole_state.restored(self.trainer, checkpoints, *self.checkpoint)

    @cached_property
    def model(self) -> Any:
        """The Flax model with the parameters to evaluate, in evaluation mode; several by name in some tasks.

        It takes what the task feeds it, such as scaled images. `task.predict` takes a batch of the dataset.

        Raises:
          UserError: the task has no single model, and does not say what its models are.
        """
        if not hasattr(self.trainer.bound, 'evaluation_model'):
            raise UserError(
                f'{type(self.trainer.bound).__name__} has no evaluation_model(state), which returns a Flax '
                'model (docs/tasks.md). Its variables are in run.state, and '
                'run.task.predict(run.state, batch) predicts.'
            )
        return cast(Any, self.task).evaluation_model(self.state)

    def batch(self, split: str = 'test', rows: int | None = None) -> dict[str, np.ndarray]:
        """Returns the first examples of a split as evaluation and prediction get them, each array [B, ...].

        Args:
          split: of the dataset.
          rows: B, by default the batch size of the training; fewer if the split is smaller.
        """
        examples = self.dataset.split(split)
        return next(evaluation_batches(examples, min(rows or self.trainer.batch_size, len(examples))))

    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / 'checkpoints', read_only=True)

    @cached_property
    def _built(self) -> tuple[Config, Trainer, UserError | None]:
        """The config, what it describes, and why the dataset is not here, None if it is."""
        steps.use_compilation_cache()
        try:
            config = _config(self._run)
            trainer, missing = experiments.build(config, Trainer), None
            present = experiments.environment(config, trainer)
            differences = experiments.compare(self._run, present, config, trainer)
        except UserError as error:
            differences = experiments.changes_before_building(self._run)
            try:
                config = _config(self._run)
                trainer, missing = experiments.build_without_data(config, Trainer, self.folder), error
            except UserError:
                raise UserError('\n'.join([str(error), *_changes(self._run, differences)])) from None
            logger.warning('warning: the dataset is left out: %s', error)
        for change in _changes(self._run, differences):
            logger.warning('warning: %s', change)
        return config, trainer, missing


def _config(run: Run) -> Config:
    """Returns the config of a run, on one device if it asks for other devices than are here."""
    config = Config([run.config])
    trainer = config.build(Trainer)
    try:
        sharding.check_batch_size(trainer.parallelism.mesh, trainer.batch_size)
    except UserError:
        return Config([run.config], ONE_DEVICE)
    return config


def _changes(run: Run, differences: Differences) -> Iterator[str]:
    """Yields what has changed since a run was trained, and what that means."""
    if differences.unknown:
        yield f'{run.folder}: {differences.unknown}.'
    if differences:
        effect = 'numbers may differ' if differences.numeric else 'the last bits may differ'
        lines = ''.join(f'\n  {line}' for line in differences.lines())
        yield f'since {run.folder} was trained, this has changed, so {effect}:{lines}'
