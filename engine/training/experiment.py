"""What a config describes, before anything runs: data, task, order of examples, step functions, events."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from engine import sharding
from engine.datasets.expressions import expression
from engine.datasets.expressions.expression import Expression
from engine.datasets.expressions.no_dataset import EndlessOrder, no_dataset
from engine.datasets.load import load
from engine.datasets.orders.order import MAIN, BoundOrder, Order, Part, Shuffled
from engine.datasets.reading.dataset import Dataset
from engine.interfaces import Batch, BoundTask, Description, Task
from engine.runs import faults
from engine.sharding import Jit, Parallelism
from engine.training import parameter_groups
from engine.training.batches import decoding
from engine.training.batches.decoding import Decode
from engine.training.batches.evaluation import EvaluatedBatches, evaluation_batches, fewest_rows
from engine.training.batches.source import BatchSource
from engine.training.batches.training import training_batch, training_source
from engine.training.events import Events
from engine.training.observers import pictures
from engine.training.preflight import numbers, training_data
from engine.training.steps import StepFunctions, TracedSteps
from engine.training.validation import validation_sets
from engine.training.validation.evaluation_set import EvaluationSet
from engine.training.validation.stopping import Stop
from engine.training.validation.validation_sets import ValidationSets
from engine.variables import VariableSource


@dataclass(kw_only=True)
class Experiment:
    """A task, a dataset, and how the task is trained on it.

    Args:
      dataset: name of a Dataset+, such as 'digits' or 'digits/toy'; an expression over several, such as
        `datasets.Mixture` of `engine.parts.datasets`; None for a task that makes its own data.
      task: what to learn.
      steps: of the whole training.
      batch_size: examples per step, over all devices.
      seed: of the initial parameters, the order of examples and all other randomness.
      order: the order of the training examples: which of them form the batch of a step.
      samples: number of samples that evaluation and prediction make without a dataset; with one, the number
        that prediction makes of kind `generation`, by default one per example.
      save_every: steps between the checkpoints that a run resumes from.
      keep_every: steps between the checkpoints that are never deleted; None keeps only the last two.
      evaluate_every: steps between evaluations; None evaluates at the end of each epoch. The end of training
        is always evaluated.
      pictures_every: steps between the pictures that the task makes of its state, from step 0 on, and at the
        end; None makes none.
      decode: makes arrays of one size from images of varying size; None where there are none.
      validate: the sets that are evaluated: names of splits, or `EvaluationSet`s, of other datasets too.
        Unless it is a single split, metrics are called '<set>/<metric>'.
      validation_batches: how many batches of each set are evaluated, of examples spread evenly over it; None
        evaluates all examples.
      allow_damaged: share of the dataset's examples that a build may leave out, because their images are
        damaged; it names them.
      best: (metric, 'min' or 'max') that chooses the checkpoint to predict with; None takes the last one. A
        metric without a set in its name is that of the first set.
      stop: decides from the evaluations whether training stops before its last step; None trains to the end.
      steps_per_dispatch: steps that one call of the device runs; several make small models faster.
      log_every: steps per line of `train.jsonl`, which holds their means. Every step is checked for NaN.
      nonfinite: what happens at a step with a metric that is NaN or infinite: 'stop' ends the run, 'skip'
        leaves the state as it was and counts the step in the log.
      deterministic: whether XLA avoids operations that are not deterministic on a GPU. On a CPU all are.
      parallelism: where arrays live.
      init_from: trained variables to start from; None initialises all.
    """

    dataset: str | Expression | None
    task: Task
    steps: int
    batch_size: int
    seed: int = 0
    order: Order = Shuffled()  # noqa: RUF009 (it is frozen)
    samples: int | None = None
    save_every: int = 100
    keep_every: int | None = None
    evaluate_every: int | None = None
    pictures_every: int | None = None
    validate: tuple[str | EvaluationSet, ...] = ('val',)
    validation_batches: int | None = None
    decode: Decode | None = None
    allow_damaged: float = 0.0
    best: tuple[str, Literal['min', 'max']] | None = ('loss', 'min')
    stop: Stop | None = None
    steps_per_dispatch: int = 1
    log_every: int = 1
    nonfinite: Literal['stop', 'skip'] = 'stop'
    deterministic: bool = False
    parallelism: Parallelism = Jit()  # noqa: RUF009 (it is frozen)
    init_from: VariableSource | None = None

    def __post_init__(self) -> None:
        """Sets the flags that XLA reads when it starts."""
        if self.deterministic:
            os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} --xla_gpu_deterministic_ops=true'

    @cached_property
    def data(self) -> Dataset:
        """The dataset, built on first use."""
        if self.dataset is None:
            return no_dataset(self.samples or 0)
        return decoding.bound(self._load(self.dataset), self.decode)

    @property
    def origin(self) -> dict[str, Any]:
        """The seed, the data and the files that give their order, for environment.json."""
        order = {'order': self.order_files} if self.order_files else {}
        return {'seed': self.seed} | self.validation.origin() | order

    @cached_property
    def order_files(self) -> dict[str, str]:
        """The sha256 of each file that the order of the examples reads, by its name."""
        return getattr(self.order, 'origin', dict)()

    @cached_property
    def bound(self) -> BoundTask:
        """The task, bound to the dataset."""
        return self.task.bind(self.data.spec)

    @property
    def description(self) -> Description:
        """What the outputs manifest says of the task's predictions."""
        return self.bound.describe()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes of the task's labels, () where there are none."""
        description = self.description
        return tuple(description.class_names) or self.data.spec.task_classes(description)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """The parts of the training data."""
        others = {
            name: Part(data, self.batch_size * self.data.spec.parts[name].multiple)
            for name, data in self.data.parts.items()
        }
        return {MAIN: Part(self.data, self.batch_size)} | others

    @cached_property
    def bound_order(self) -> BoundOrder:
        """The order of the training examples."""
        order = EndlessOrder if self.dataset is None else self.order
        return order.bind(self.parts, self.seed)

    @cached_property
    def events(self) -> Events:
        """What is due after each step."""
        return Events(
            steps=self.steps,
            ends_epoch=self.bound_order.ends_epoch,
            evaluate_every=self.evaluate_every,
            save_every=self.save_every,
            keep_every=self.keep_every,
            pictures_every=self.pictures_every,
            steps_per_dispatch=self.steps_per_dispatch,
            starts_trained=self.init_from is not None,
        )

    @cached_property
    def source(self) -> BatchSource:
        """The training batches."""
        return training_source(self.parts, self.bound_order, self.seed, self.parallelism, self.events.group)

    @cached_property
    def step_functions(self) -> StepFunctions:
        """The functions of the task as programs on the devices."""
        return StepFunctions(self.bound, self.parallelism, self.seed, skip_nonfinite=self.nonfinite == 'skip')

    def parameter_groups(self) -> str:
        """Returns a table of how parameters are trained; '' if all are trained in the same way."""
        return parameter_groups.summary(self.bound, self.step_functions.state_shapes['params'])

    @cached_property
    def traced(self) -> TracedSteps:
        """The step functions, traced on shapes."""
        batch = next(evaluation_batches(self.validation.first.examples, self.batch_size))
        counts = sorted({1, self.steps_per_dispatch})
        traced = self.step_functions.trace(self.source, batch, counts, self.evaluated_rows)
        if self.pictures_every is None:
            return traced
        shapes = self.step_functions.state_shapes
        return replace(traced, pictures=pictures.traced(self.bound, shapes, self.parallelism, self.seed))

    @cached_property
    def validation(self) -> ValidationSets:
        """The sets that are evaluated."""
        truth = [field for field in self.description.truth.values() if field in self.data.spec.example]
        count = None if self.validation_batches is None else self.validation_batches * self.batch_size
        return validation_sets.load_sets(self.validate, self.data, self._load_decoded, count, truth)

    def _load(self, dataset: str | Expression) -> Dataset:
        return expression.load(dataset, lambda name: load(name, self.allow_damaged))

    def _load_decoded(self, dataset: str | Expression) -> Dataset:
        """Returns another dataset, its images decoded as those of the first one."""
        data = self._load(dataset)
        return decoding.bound(data, self.decode) if data.encoded and self.decode else data

    def measured(self, measure: Callable[[Iterator[Batch]], dict[str, float]]) -> dict[str, float]:
        """Returns the metrics of all sets; `measure` returns those of the batches of one."""
        return self.validation.measured(lambda each: measure(iter(self.evaluated_batches[each.name])))

    @cached_property
    def evaluated_batches(self) -> dict[str, EvaluatedBatches]:
        """The batches of each set by its name."""
        sets, rows, mesh = self.validation.sets, self.evaluated_rows, self.parallelism.mesh
        return {each.name: EvaluatedBatches(each.examples, rows, mesh, each.chosen) for each in sets}

    @cached_property
    def evaluated_rows(self) -> int:
        """The rows of a batch that is evaluated."""
        counts = [each.count for each in self.validation.sets]
        return fewest_rows(counts, self.batch_size, self.parallelism.mesh.size)

    @property
    def _measured(self) -> list[str]:
        """The metrics of each set."""
        return self.traced.evaluate.out_info.names

    @cached_property
    def best_metric(self) -> tuple[str, Literal['min', 'max']] | None:
        """The metric that chooses the best checkpoint, by its name in the log, and its direction."""
        full = self.best and self.validation.metric(self.best[0], 'Trainer.best', self._measured)
        return (full, self.best[1]) if self.best and full else None

    def check(self) -> None:
        """Binds the task and traces its functions on shapes: mistakes show here, not after an hour.

        Raises:
          UserError: if sizes do not fit, names of metrics or splits are unknown, labels are not those of the
            classes, or the data have changed.
        """
        faults.point('build')
        numbers.check(self)
        sharding.check_batch_size(self.parallelism.mesh, self.batch_size)
        training_data.check(self)
        self.validation.check_metrics(self.best, self.stop, self._measured)

    def batch(self, step: int) -> dict[str, Any]:
        """Returns the training batch of a step, each array [B, ...]."""
        return training_batch(self.parts, self.bound_order, self.seed, step)
