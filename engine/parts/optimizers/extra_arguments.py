"""Makes optimizers from factories such as `optax.adamw`, also those that ask for more than gradients."""

import inspect
from collections.abc import Callable
from typing import Any

import optax

from engine.errors import UserError

RATE = 'learning_rate'
OptimizerFactory = Callable[..., optax.GradientTransformation]  # called with a learning rate


def make_optimizer(
    factory: OptimizerFactory, rate: Any, **parameters: Any
) -> optax.GradientTransformationExtraArgs:
    """Returns the optimizer that a factory makes.

    >>> make_optimizer(optax.sgd, 0.1).init({})
    (EmptyState(), EmptyState())

    Args:
      factory: such as `optax.adamw`.
      rate: a number, a schedule, or None. The factory gets it as `learning_rate` or, without a parameter of
        this name, as its first argument. None calls the factory without a learning rate.
      **parameters: further arguments of the factory.

    Raises:
      UserError: the factory is a function of Optax that takes no learning rate.
    """
    if rate is None:
        return ignoring_unknown(factory(**parameters))
    if RATE in parameter_names(factory):
        return ignoring_unknown(factory(**{RATE: rate}, **parameters))
    _check_takes_rate(factory)
    return ignoring_unknown(factory(rate, **parameters))


def _check_takes_rate(factory: OptimizerFactory) -> None:
    """Raises `UserError` for a function such as `optax.scale_by_adam`, which would take the rate for beta."""
    first = next(iter(parameter_names(factory)), '')
    if getattr(factory, '__module__', '').partition('.')[0] == optax.__name__ and RATE not in first:
        name = getattr(factory, '__name__', 'the optimizer')
        raise UserError(
            f'{name} takes no learning rate. Set learning_rate = None of the task, or bind '
            f'@optimizers.Chained() and list {name} with an optimizer that takes one.'
        )


def takes(factory: OptimizerFactory, name: str) -> bool:
    """Returns whether a factory takes a parameter of this name.

    >>> takes(optax.sgd, 'momentum'), takes(optax.sgd, 'weight_decay')
    (True, False)
    """
    parameters = _parameters(factory)
    return name in parameters or any(known.kind is known.VAR_KEYWORD for known in parameters.values())


def parameter_names(factory: OptimizerFactory) -> list[str]:
    """Returns the names of a factory's parameters."""
    return list(_parameters(factory))


def _parameters(factory: OptimizerFactory) -> dict[str, inspect.Parameter]:
    if not inspect.isclass(factory):
        return dict(inspect.signature(factory).parameters)
    # The metaclass of a class that Gin has wrapped hides what the class takes.
    return dict(list(inspect.signature(factory.__init__).parameters.items())[1:])


def ignoring_unknown(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """Returns an optimizer whose `update` gets the extra arguments that it has, and ignores all others.

    Optax passes on all extra arguments, but `optax.contrib.sam` accepts only `grad_fn`.
    """
    if not isinstance(optimizer, optax.GradientTransformationExtraArgs):
        return optax.with_extra_args_support(optimizer)
    parameters = inspect.signature(optimizer.update).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return optimizer
    names = {parameter.name for parameter in parameters}

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        return optimizer.update(
            updates, state, params, **{name: value for name, value in extra.items() if name in names}
        )

    return optax.GradientTransformationExtraArgs(optimizer.init, update)
