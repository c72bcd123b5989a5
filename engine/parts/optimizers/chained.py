"""`optax.chain` for configs: several transformations as one optimizer."""

from dataclasses import dataclass

import optax

from engine.parts.optimizers.extra_arguments import RATE, OptimizerFactory, make_optimizer, parameter_names
from engine.parts.optimizers.learning_rate import LearningRate


@dataclass(frozen=True)
class Chained:
    """An optimizer that applies transformations of the gradients one after the other.

        classification.Classification.optimizer = @optimizers.Chained()
        optimizers.Chained.transformations = (@optax.adamw, @optax.contrib.reduce_on_plateau)

    >>> optimizer = Chained((optax.zero_nans, optax.sgd))(0.1)

    Args:
      transformations: each makes a transformation. It is called with the task's learning rate if it has a
        parameter `learning_rate`.
    """

    transformations: tuple[OptimizerFactory, ...]

    def __call__(self, learning_rate: LearningRate = None) -> optax.GradientTransformationExtraArgs:
        """Returns the optimizer."""
        return optax.chain(*(_made(factory, learning_rate) for factory in self.transformations))


def _made(factory: OptimizerFactory, rate: LearningRate) -> optax.GradientTransformationExtraArgs:
    return make_optimizer(factory, rate if RATE in parameter_names(factory) else None)
