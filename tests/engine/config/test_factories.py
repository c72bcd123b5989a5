"""Optimizers and other factories in a config: which are taken, and the message that refuses the others."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from engine.config.config import Config
from engine.errors import UserError
from engine.parts.optimizers import Groups
from tests.engine.config import parts

LAYER = {'kernel': jnp.ones(2), 'bias': jnp.ones(2)}
PARAMS = {'body': LAYER, 'head': LAYER, 'tail': LAYER}
HEADER = """from __gin__ import dynamic_registration
from engine import sharding
from engine.parts import augmentation
from engine.parts import optimizers
from research.models import mlp
from tests.engine.config import parts
import optax
"""


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """Builds a `Learner` from lines of a config, the first of which is line 8, and from its saved config."""

    def from_lines(*lines: str) -> parts.Learner:
        path = tmp_path / 'learner.gin'
        path.write_text('\n'.join([HEADER + lines[0], *lines[1:], '']), encoding='utf-8')
        config = Config([path])
        with config.explained():
            config.build(parts.Learner).optimizer(0.1).init(PARAMS)
        assert config.check() == []
        config.save(tmp_path / 'config.gin')
        return Config([tmp_path / 'config.gin']).build(parts.Learner)

    return from_lines


def optimizer(reference: str) -> str:
    return f'parts.Learner.optimizer = @{reference}'


def assert_steps(made: Any) -> None:
    """Asserts that an optimizer makes updates of parameters."""
    updates = jax.eval_shape(lambda params: made.update(params, made.init(params), params)[0], PARAMS)
    assert jax.tree.map(jnp.shape, updates) == jax.tree.map(jnp.shape, PARAMS)


# Optimizers that a task calls with a learning rate, and more lines.
TAKEN = {
    'optax.adamw': ['optax.adamw.weight_decay = 0.0'],
    'optax.sgd': ['optax.sgd.momentum = 0.9'],
    'optax.adafactor': [],
    'optax.contrib.muon': ['optax.contrib.muon.beta = 0.9'],
    'optax.contrib.schedule_free_adamw': ['optax.contrib.schedule_free_adamw.b1 = 0.95'],
    'optax.contrib.prodigy': [],
    'a/optax.adamw': ['a/optax.adamw.b1 = 0.5'],
    'parts.ByPath()': ['parts.ByPath.optimizer = @optax.sgd'],
    'a/parts.ByPath()': ['a/parts.ByPath.optimizer = @optax.sgd'],
    'parts.Momentum': [],
    'parts.plain_optimizer': [],
    'parts.unannotated_optimizer': [],
    'optax.inject_hyperparams()': ['optax.inject_hyperparams.inner_factory = @optax.adam'],
}


@pytest.mark.parametrize('name', TAKEN)
def test_an_optimizer_is_taken(name: str, build: Any) -> None:
    assert_steps(build(optimizer(name), *TAKEN[name]).optimizer(0.1))


# Optimizers that are called without a learning rate.
WITHOUT_RATE = {
    'optax.lbfgs': [],
    'optax.contrib.schedule_free_adamw': ['optax.contrib.schedule_free_adamw.learning_rate = 0.1'],
    'optax.adamw': ['optax.adamw.learning_rate = 0.1'],
    'optax.contrib.sam': [
        'optax.contrib.sam.optimizer = @optax.sgd()',
        'optax.contrib.sam.adv_optimizer = @adversary/optax.sgd()',
        'optax.sgd.learning_rate = 0.1',
        'adversary/optax.sgd.learning_rate = 0.05',
    ],
    'optax.contrib.reduce_on_plateau': ['optax.contrib.reduce_on_plateau.patience = 3'],
    'optax.scale_by_adam': [],
}


@pytest.mark.parametrize('name', WITHOUT_RATE)
def test_an_optimizer_that_needs_no_rate_is_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / 'learner.gin'
    path.write_text('\n'.join([HEADER + optimizer(name), *WITHOUT_RATE[name], '']), encoding='utf-8')
    config = Config([path])
    made = config.build(parts.Learner).optimizer()
    assert config.check() == []
    assert isinstance(made, optax.GradientTransformation)
    assert jax.tree.leaves(jax.eval_shape(made.init, {'w': jnp.ones(2)}))


# What is no optimizer, and what the message says.
REFUSED = {
    'optax.adamw()': 'it is called where a factory is wanted: leave out ()',
    'optax.contrib.muon()': 'it is called where a factory is wanted: leave out ()',
    'optax.identity()': 'it is called where a factory is wanted: leave out ()',
    'parts.Momentum()': 'it is called where a factory is wanted: leave out ()',
    'parts.ByPath': 'it is not called',
    'mlp.MLP': 'it makes MLP',
    'mlp.MLP()': 'it makes MLP, which makes Array',
    'augmentation.Shift()': 'it makes Shift, which makes Array',
    'augmentation.Shift': 'it makes Shift',
    'sharding.Jit()': 'it makes Jit',
    'optax.constant_schedule': 'it makes ',
    'optax.softmax_cross_entropy': 'it makes Array',
    'optax.chain': 'takes values by position alone, and a config gives them by name. Bind @optimizers.Ch',
    'optax.chain()': 'optimizers.Chained.transformations = [...]',
    'optax.named_chain': 'Bind @optimizers.Chained()',
    'optax.GradientTransformation()': 'it is called where a factory is wanted: leave out ()',
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_no_optimizer_is_refused(name: str, build: Any) -> None:
    with pytest.raises(UserError) as failure:
        build(optimizer(name))
    message = str(failure.value)
    assert re.match(r'\S*learner.gin:8: ', message)
    assert REFUSED[name] in message
    assert '\n' not in message


def test_an_optimizer_without_its_learning_rate(build: Any, tmp_path: Path) -> None:
    path = tmp_path / 'learner.gin'
    path.write_text(HEADER + optimizer('optax.adamw') + '\n', encoding='utf-8')
    config = Config([path])
    message = r'learner.gin:8: optax.adamw needs a value for learning_rate: bind'
    with pytest.raises(UserError, match=message), config.explained():
        config.build(parts.Learner).optimizer()


# References in tuples and dicts.

RULES = """parts.ByPath.rules = (
    ('bias|norm', {'weight_decay': 0.0}),
    ('^head/', {'optimizer': @optax.sgd}),
    ('^tail/', {'optimizer': @a/optax.sgd, 'weight_decay': %DECAY}),
)"""
MORE = [
    'DECAY = 0.1',
    'optax.sgd.momentum = 0.5',
    'a/optax.sgd.momentum = 0.9',
    'parts.ByPath.parts = [@optax.identity]',
]


def test_references_in_rules(build: Any) -> None:
    made: Any = build(optimizer('parts.ByPath()'), RULES, *MORE).optimizer
    assert made.rules[0] == ('bias|norm', {'weight_decay': 0.0})
    assert made.rules[2][1]['weight_decay'] == 0.1
    states = [rule['optimizer'](0.1).init({'w': jnp.ones(2)}) for _, rule in made.rules[1:]]
    assert all(jnp.array_equal(state[0].trace['w'], jnp.zeros(2)) for state in states)
    assert_steps(made(0.1))


MISTAKES = {
    "(('^head/', {'optimizer': @optax.sgdd}),)": "optax has no 'sgdd'. Did you mean 'sgd'",
    "(('^head/', {'optimizer': @optx.sgd}),)": "'optx' is not imported. Did you mean 'optax'",
    "(('^head/', {'optimizer': @optax.sgd()}),)": 'leave out ()',
    "(('^head/', {'optimizer': @mlp.MLP}),)": 'it makes MLP',
    "(('^head/', {'optimizer': %SGD}),)": '%SGD is not defined',
    "(('^head/', {'weight_decay': '0'}),)": "'weight_decay' of item 1 of item 0 of tuple is neither float",
    "(('^head/', {'weight_decay': @optax.sgd}),)": 'it is not called',
    "(('^head/', {'weight_decay': True}),)": 'bool',
    "('^head/', {'weight_decay': 0.0})": "write (('^head/', {'weight_decay': 0.0}),)",
    "('^head/', {'optimizer': @optax.sgd})": "write (('^head/', {'optimizer': @optax.sgd}),)",
    "(('^head/', {'optimizer': optax.sgd}),)": 'cannot be read',
    "(('^head/', {'optimizer': @optax.chain}),)": 'optimizers.Chained',
    "(('^head/', @optax.sgd),)": 'it is not called',
    "{'^head/': {'optimizer': @optax.sgd}}": 'dict is not tuple[tuple[str, Rule], ...]',
    "[('^head/', {'optimizer': @optax.sgd})]": "write (('^head/', {'optimizer': @optax.sgd}),)",
    "(('^head/', {'optimizer': @optax.sgd}, 1),)": 'it has 3 items, not 2',
    "(('^head/', {'optimiser': @optax.sgd}),)": "it has no 'optimiser'. Did you mean 'optimizer'?",
    "(('^head/', {'optimiser': 1}),)": 'optimiser',
}


@pytest.mark.parametrize('rules', MISTAKES)
def test_a_mistake_in_rules_is_one_message(rules: str, build: Any) -> None:
    with pytest.raises(UserError) as failure:
        build(optimizer('parts.ByPath()'), f'parts.ByPath.rules = {rules}')
    message = str(failure.value)
    assert re.match(r'\S*learner.gin:9: ', message)
    assert MISTAKES[rules] in message


# The optimizers of the template.

GROUPS = """optimizers.Groups:
  optimizer = @optax.adamw
  rules = (
    ('bias|norm', {'weight_decay': 0.0}),
    ('^head/', {'optimizer': @head/optax.sgd}),
    ('^tail/', {'optimizer': @parts.Momentum, 'learning_rate_factor': 0.1}),
  )
"""


def test_groups_from_a_config(build: Any) -> None:
    """A class may be an optimizer too; a weight decay does not reach an optimizer that has none."""
    made = build(optimizer('optimizers.Groups()'), GROUPS, 'head/optax.sgd.momentum = 0.5').optimizer
    assert isinstance(made, Groups)
    assert made.describe(PARAMS) == {
        'body/kernel': 'adamw',
        'body/bias': 'adamw, weight_decay = 0.0',
        'head/kernel': 'sgd',
        'head/bias': 'sgd',
        'tail/kernel': 'Momentum, learning_rate_factor = 0.1',
        'tail/bias': 'Momentum, learning_rate_factor = 0.1',
    }
    transformation = made(0.1)
    updates: Any = transformation.update(PARAMS, transformation.init(PARAMS), PARAMS)[0]
    assert updates['head']['bias'].tolist() == pytest.approx([-0.1, -0.1])
    assert updates['tail']['kernel'].tolist() == pytest.approx([-0.01, -0.01])


def test_a_chain_from_a_config(build: Any) -> None:
    lines = ['optimizers.Chained.transformations = (@optax.zero_nans, @parts.Momentum)']
    assert_steps(build(optimizer('optimizers.Chained()'), *lines).optimizer(0.1))


UNKNOWN = {
    "('^head/', {'optimizer': @optax.sgd, 'weight_decay': 0.1})": 'sgd, the optimizer of head/',
    "('^head/', {'weigth_decay': 0.1})": "has no parameter 'weigth_decay'. Did you mean 'weight_decay'",
    "('^head/', {'optimizer': @optax.sgd}), ('head', {'momentun': 0.1})": "'momentun'. Did you mean 'mom",
    "('^heads/', {'weight_decay': 0.1})": "'^heads/'",
}


@pytest.mark.parametrize('rules', UNKNOWN)
def test_a_rule_that_no_optimizer_knows(rules: str, tmp_path: Path) -> None:
    path = tmp_path / 'learner.gin'
    groups = f'optimizers.Groups.optimizer = @optax.adamw\noptimizers.Groups.rules = ({rules},)\n'
    path.write_text(f'{HEADER}{optimizer("optimizers.Groups()")}\n{groups}', encoding='utf-8')
    config = Config([path])
    with pytest.raises(UserError, match=r'learner.gin:10: ') as failure, config.explained():
        config.build(parts.Learner).optimizer(0.1).init(PARAMS)
    assert UNKNOWN[rules] in str(failure.value)


# Whole experiments.

NO_RATE = 'classification.Classification.learning_rate=None'
EXPERIMENTS = {
    'optax.lbfgs': [NO_RATE],
    'optax.contrib.sam': [
        NO_RATE,
        'optax.contrib.sam.optimizer=@optax.sgd()',
        'optax.contrib.sam.adv_optimizer=@adversary/optax.sgd()',
        'optax.sgd.learning_rate=%RATE',
        'adversary/optax.sgd.learning_rate=0.05',
    ],
    'optax.contrib.muon': [],
    'optax.contrib.schedule_free_adamw': [],
    'engine.parts.optimizers.Chained()': [
        'engine.parts.optimizers.Chained.transformations=(@optax.adamw, @optax.contrib.reduce_on_plateau)'
    ],
}


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_an_experiment_takes_the_optimizer(name: str, program: Any, config_file: Any) -> None:
    path = config_file(RATE='' if name == 'optax.lbfgs' else 'RATE = 0.03')
    bound = f'classification.Classification.optimizer=@{name}'
    code, out, err = program('train', f'--gin_file={path}', '--dry_run', bound, *EXPERIMENTS[name])
    assert (code, err) == (0, '')
    assert f'classification.Classification.optimizer = @{name}' in out


def test_an_experiment_without_a_learning_rate(program: Any, config_file: Any) -> None:
    code, _, err = program('train', f'--gin_file={config_file(RATE="")}', '--dry_run', NO_RATE)
    assert code == 2
    assert 'optax.adamw needs a value for learning_rate: bind `optax.adamw.learning_rate = ...` in' in err


@pytest.mark.parametrize('name', ['scale_by_adam', 'contrib.sam', 'contrib.reduce_on_plateau', 'add_noise'])
def test_a_rate_for_what_takes_none_is_refused(name: str, program: Any, config_file: Any) -> None:
    """It would become another parameter, such as the first beta of Adam."""
    bound = f'classification.Classification.optimizer=@optax.{name}'
    code, _, err = program('train', f'--gin_file={config_file()}', '--dry_run', bound)
    assert code == 2
    expected = (
        rf'error: \S+small.gin:\d+: {name.rpartition(".")[2]} takes no learning rate. Set learning_rate = No'
    )
    assert re.match(expected, err)


def test_a_rate_is_given_by_its_name(program: Any, config_file: Any) -> None:
    """It is the second parameter of `schedule_free`."""
    schedule_free = 'optax.contrib.schedule_free'
    bindings = [
        f'classification.Classification.optimizer=@{schedule_free}',
        f'{schedule_free}.base_optimizer=@optax.sgd()',
        'optax.sgd.learning_rate=0.5',
    ]
    code, out, err = program('train', f'--gin_file={config_file()}', '--dry_run', *bindings)
    assert (code, err) == (0, '')
    assert f'{schedule_free}.base_optimizer = @optax.sgd()' in out
