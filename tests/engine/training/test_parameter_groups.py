"""The summary of how parameters are trained names each parameter in its group."""

from functools import partial

import optax

from engine.parts import optimizers
from engine.training import parameter_groups
from tests.engine import tiny


def summary(**settings: object) -> str:
    bound = tiny.classification(tiny.MODELS['convnet'], **settings).bind(tiny.SPEC)
    return parameter_groups.summary(bound, bound.network.variables[0])


def test_nothing_is_said_where_all_parameters_are_trained_alike() -> None:
    assert summary() == ''


def test_frozen_parameters_and_groups_are_named() -> None:
    rules = (('bias', {'weight_decay': 0.0}), ('^output/', {'learning_rate_factor': 0.5}))
    grouped = optimizers.Groups(partial(optax.adamw, b1=0.8), rules)
    assert summary(optimizer=grouped, frozen=('first',)).splitlines() == [
        'How the parameters are trained:',
        '  adamw, learning_rate_factor = 0.5, weight_decay = 0.0: 3 parameters in 1 array',
        '      output/bias',
        '  adamw, learning_rate_factor = 0.5: 6 parameters in 1 array',
        '      output/kernel',
        '  frozen: 22 parameters in 3 arrays',
        '      stages/0/first/kernel, stages/0/first_norm/bias, stages/0/first_norm/scale',
        '  adamw: 38 parameters in 2 arrays',
        '      stages/0/second/kernel, stages/0/second_norm/scale',
        '  adamw, weight_decay = 0.0: 2 parameters in 1 array',
        '      stages/0/second_norm/bias',
    ]
