"""Groups of parameters with their own learning rates, weight decays or optimizers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import optax

from engine.errors import UserError, did_you_mean
from engine.parts.optimizers.evaluated import nodes
from engine.parts.optimizers.extra_arguments import (
    RATE,
    OptimizerFactory,
    make_optimizer,
    parameter_names,
    takes,
)
from engine.parts.optimizers.learning_rate import LearningRate, scaled
from engine.variables import by_path, matching

OPTIMIZER, FACTOR = 'optimizer', 'learning_rate_factor'
LINE_SEARCHES = optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState

Settings = dict[str, Any]


@dataclass(frozen=True)
class Groups:
    """An optimizer whose settings differ between groups of parameters.

    A config binds it with its rules. Here they fine-tune: biases and norms have no weight decay, and the
    encoder has a tenth of the learning rate.

        classification.Classification.optimizer = @optimizers.Groups()
        optimizers.Groups:
          optimizer = @optax.adamw
          rules = (
            ('bias$|norm', {'weight_decay': 0.0}),
            ('^encoder/', {'learning_rate_factor': 0.1}),
          )

    >>> optimizer = Groups(optax.adamw, (('bias$', {'weight_decay': 0.0}),))(1e-3)
    >>> state = optimizer.init({'kernel': jax.numpy.ones(2), 'bias': jax.numpy.ones(2)})

    Args:
      optimizer: makes the optimizer of all parameters for which no rule states another one.
      rules: (pattern, settings) pairs. A pattern is a regular expression, searched in the paths of
        parameters, such as 'encoder/stages/0/kernel'. Each setting of a parameter comes from the first rule
        that matches it and states this setting. Settings are `learning_rate_factor`, a factor on the task's
        learning rate; `learning_rate`, a number or a schedule instead of it; `optimizer`, another optimizer;
        and the parameters of the optimizer, such as `weight_decay`. A parameter with another optimizer
        keeps only the settings that this optimizer has.
    """

    optimizer: OptimizerFactory
    rules: tuple[tuple[str, Settings], ...]

    def __call__(self, learning_rate: LearningRate = None) -> optax.GradientTransformationExtraArgs:
        """Returns the optimizer for the learning rate of the task. Its `init` forms the groups."""
        return _Grouped(self, learning_rate).transformation

    def settings(self, paths: tuple[str, ...]) -> dict[str, Settings]:
        """Returns the settings that the rules give to each parameter.

        Args:
          paths: paths of all parameters.

        Returns:
          By path; {} for a parameter that no rule matches.

        Raises:
          UserError: a pattern matches no parameter, a setting is not a parameter of the optimizer, or a
            learning rate is 0.
        """
        rules: dict[str, list[Settings]] = {path: [] for path in paths}
        for pattern, values in self.rules:
            _check_moves(pattern, values)
            for path in matching([pattern], paths, 'Groups.rules'):
                rules[path].append(values)
        return {path: self._merged(path, matched) for path, matched in rules.items()}

    def _merged(self, path: str, rules: list[Settings]) -> Settings:
        """Returns the settings of a parameter from the rules that match it.

        A setting that only the common optimizer knows, such as its weight decay, does not reach a parameter
        with another optimizer, unless the rule that gives this optimizer states it.
        """
        deciding = next((values for values in rules if OPTIMIZER in values), {})
        factory, settings = deciding.get(OPTIMIZER, self.optimizer), {}
        for values in reversed(rules):
            for name, value in values.items():
                if name in (OPTIMIZER, RATE, FACTOR) or takes(factory, name):
                    settings[name] = value
                elif values is deciding or not takes(self.optimizer, name):
                    names = [FACTOR, OPTIMIZER, *parameter_names(factory)]
                    raise UserError(
                        f'Groups.rules: {_name(factory)}, the optimizer of {path}, '
                        f'has no parameter {name!r}. {did_you_mean(name, names)}'
                    )
        return settings

    def describe(self, params: Any) -> dict[str, str]:
        """Returns the optimizer and the settings of each parameter in words, by its path."""
        paths = tuple(by_path(params))
        return {path: self._words(values) for path, values in self.settings(paths).items()}

    def _words(self, settings: Settings) -> str:
        values = {name: value for name, value in settings.items() if name != OPTIMIZER}
        words = [f'{name} = {_name(value)}' for name, value in sorted(values.items())]
        return ', '.join([_name(settings.get(OPTIMIZER, self.optimizer)), *words])


def _check_moves(pattern: str, settings: Settings) -> None:
    """Raises `UserError` for a learning rate of 0, which would not freeze batch statistics and Dropout."""
    for name in (RATE, FACTOR):
        if settings.get(name) in (0, 0.0):
            raise UserError(
                f'Groups.rules: {pattern!r} has {name} = 0. Parameters would not change, but batch '
                'statistics would, and Dropout would drop units. Freeze them with '
                f'`frozen = ({pattern!r},)` of the task instead.'
            )


@dataclass(frozen=True)
class _Grouped:
    """The optimizers of all groups, for one learning rate."""

    groups: Groups
    learning_rate: LearningRate

    @cached_property
    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return optax.GradientTransformationExtraArgs(self._init, self._update)

    def _init(self, params: Any) -> Any:
        state: Any = self._partition(params).init(params)
        if len(state.inner_states) > 1 and nodes(state, LINE_SEARCHES):
            raise UserError(
                'Groups: an optimizer with a line search, such as optax.lbfgs, moves all parameters together '
                'and cannot train a group of them. Freeze the other parameters, or take another optimizer.'
            )
        return state

    def _update(self, updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        return self._partition(updates).update(updates, state, params, **extra)

    def _partition(self, params: Any) -> optax.GradientTransformationExtraArgs:
        """Returns an optimizer for each group, named by its number in the order of the parameters' paths."""
        paths = by_path(params)
        settings = self.groups.settings(tuple(paths))
        distinct: list[Settings] = []
        for values in settings.values():
            if values not in distinct:
                distinct.append(values)
        names = [str(distinct.index(settings[path])) for path in paths]
        labels = jax.tree.unflatten(jax.tree.structure(params), names)
        return optax.partition({str(i): self._made(values) for i, values in enumerate(distinct)}, labels)

    def _made(self, settings: Settings) -> optax.GradientTransformationExtraArgs:
        others = {name: value for name, value in settings.items() if name not in (OPTIMIZER, RATE, FACTOR)}
        rate = scaled(settings.get(RATE, self.learning_rate), settings.get(FACTOR, 1))
        return make_optimizer(settings.get(OPTIMIZER, self.groups.optimizer), rate, **others)


def _name(value: Any) -> str:
    """Returns the name of a function or class, also if some arguments are given; a value as it is."""
    function = getattr(value, 'func', value)
    name = getattr(function, '__name__', None) or (type(value).__name__ if callable(value) else None)
    return name or f'{value!r}'
