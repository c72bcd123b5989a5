from typing import Any

import pytest

from engine.config.config import Config
from engine.run_reader.settings import changes, differences, parse
from engine.training.observers.observer import Observer
from engine.training.trainer import Trainer

TEXT = """\
from __gin__ import dynamic_registration
import optax

# Macros:
# =====
RATE = 0.1
SEED = 3

optax.adamw.b1 = \\
    {'one': %RATE,
     'two': '%RATE # no comment = 5'}
train/optax.adamw.learning_rate = %RATE
noise.Noise.seed = %SEED
trainer.Trainer.seed = %SEED
"""


def test_statements_of_several_lines_macros_and_the_seed():
    settings = parse(TEXT)
    assert settings.seed == '3'
    assert settings.macros == {'RATE': '0.1'}
    assert settings.values == {
        'optax.adamw.b1': "{'one': 0.1, 'two': '%RATE # no comment = 5'}",
        'train/optax.adamw.learning_rate': '0.1',
        'noise.Noise.seed': '%SEED',
    }


def test_seeds_are_no_difference():
    assert differences([parse(TEXT), parse(TEXT.replace('SEED = 3', 'SEED = 4'))]) == {}


def test_a_macro_stands_for_what_it_reaches():
    assert differences([parse(TEXT), None, parse(TEXT.replace('= 0.1', '= 0.2'))]) == {
        'RATE': ['0.1', '', '0.2']
    }


def test_a_parameter_that_lost_its_macro():
    one = parse('RATE = 1\na.B.c = %RATE\n')
    same, other = parse('a.B.c = 1\n'), parse('a.B.c = 2\nd.E.f = 3\n')
    assert differences([one, same]) == {}
    assert differences([one, other]) == {'a.B.c': ['1', '2'], 'd.E.f': ['', '3']}


def test_a_macro_of_itself_ends():
    assert parse('A = %B\nB = %A\nc.D.e = %A\n').values


def test_a_parameter_of_the_trainer_over_several_lines():
    text = "BEST = ('accuracy',\n    'max')\nx.trainer.Trainer.best = %BEST\nother.XTrainer.steps = 3\n"
    assert parse(text).trainer('best') == "('accuracy', 'max')"
    assert parse(text).trainer('steps') == ''


CHANGES = {
    'a macro or its value': ('RATE = 0.1\na.B.c = %RATE\n', 'a.B.c = 0.1\n', {}),
    'another name of a macro': ('A = 1\na.B.c = (%A, 2)\n', 'B = 1\na.B.c = (%B, 2)\n', {}),
    'another macro of the same name': ('A = 1\na.B.c = %A\n', 'A = 2\na.B.c = %A\n', {'a.B.c': ('1', '2')}),
    'a macro that nothing uses': ('A = 1\n', 'A = 2\n', {}),
    'line breaks': ("a.B.c = \\\n    {'one': 1,\n     'two': 2}\n", "a.B.c = {'one': 1, 'two': 2}\n", {}),
    'quotes': ('a.B.c = "x"\n', "a.B.c = 'x'\n", {}),
    'a reference': ('a.B.c = @d.E\n', 'a.B.c = @d.E()\n', {'a.B.c': ('@d.E', '@d.E()')}),
    'a new one': ('', 'a.B.c = 1\n', {'a.B.c': ('none', '1')}),
    'a missing one': ('a.B.c = 1\n', '', {'a.B.c': ('1', 'none')}),
    'a scope': ('x/a.B.c = 1\n', 'a.B.c = 1\n', {'x/a.B.c': ('1', 'none'), 'a.B.c': ('none', '1')}),
    'the seed': ('SEED = 1\nt.Trainer.seed = %SEED', 't.Trainer.seed = 2', {'t.Trainer.seed': ('1', '2')}),
}


@pytest.mark.parametrize('case', CHANGES)
def test_changes_are_those_of_values(case: str):
    old, new, expected = CHANGES[case]
    assert changes(old, new) == expected


def test_changes_of_a_real_config(config_file: Any):
    def text(*bindings: str) -> str:
        config = Config([config_file()], bindings)
        config.build(Trainer).check()
        return config.text()

    assert changes(text(), text('trainer.Trainer.steps = 14', 'mlp.MLP.width = 16')) == {}
    assert changes(text(), text('BATCH_SIZE = 4', 'mlp.MLP.depth = 1')) == {
        'trainer.Trainer.batch_size': ('8', '4'),
        'mlp.MLP.depth': ('2', '1'),
    }


# Observers.

UNOBSERVED = """\
RATE = 0.1
trainer.Trainer.steps = 100
trainer.Trainer.task = @task.Task()
task.Task.learning_rate = %RATE
task.Task.width = @leaf.Leaf()
leaf.Leaf.size = 2
"""
OBSERVED = f"""\
{UNOBSERVED}\
EVERY = 5
SIZE = 3
trainer.Trainer.observers = (@x/progress.Progress(), @alert.Alert())
x/progress.Progress.every = %EVERY
alert.Alert.rule = @alert.above
alert.Alert.text = '@task.Task %RATE'
alert.above.limit = (%RATE, %SIZE)
"""


def test_observers_and_what_only_they_use_do_not_count():
    settings = parse(OBSERVED)
    assert settings.macros == {'RATE': '0.1'}
    assert settings.values == {
        'trainer.Trainer.steps': '100',
        'trainer.Trainer.task': '@task.Task()',
        'task.Task.learning_rate': '0.1',
        'task.Task.width': '@leaf.Leaf()',
        'leaf.Leaf.size': '2',
    }


OTHER_OBSERVERS = {
    'another value': OBSERVED.replace('EVERY = 5', 'EVERY = 6'),
    'another value of a macro in a tuple': OBSERVED.replace('SIZE = 3', 'SIZE = 4'),
    'another function': OBSERVED.replace('alert.above', 'alert.below'),
    'another scope': OBSERVED.replace('x/', 'y/'),
    'none': UNOBSERVED,
}


@pytest.mark.parametrize('case', OTHER_OBSERVERS)
def test_other_observers_make_no_other_config(case: str):
    other = OTHER_OBSERVERS[case]
    assert changes(OBSERVED, other) == {}
    assert differences([parse(OBSERVED), parse(other)]) == {}
    assert parse(OBSERVED).values == parse(other).values


def test_what_the_training_uses_too_counts():
    shared = OBSERVED.replace('%EVERY', '@leaf.Leaf()').replace('SIZE = 3', 'SIZE = %RATE')
    assert changes(shared, shared.replace('Leaf.size = 2', 'Leaf.size = 4')) == {'leaf.Leaf.size': ('2', '4')}
    assert changes(shared, shared.replace('RATE = 0.1', 'RATE = 0.2')) == {
        'task.Task.learning_rate': ('0.1', '0.2')
    }


def test_a_circle_among_observers_ends():
    text = 'Trainer.observers = @a.A()\na.A.b = @b.B()\nb.B.a = (@a.A(), %M)\nM = @b.B()\n'
    assert parse(text).values == {}


class Watcher(Observer):
    """An observer in a config."""

    def __init__(self, every: int = 5):
        self.every = every


def test_observers_of_a_real_config(config_file: Any):
    watcher = 'tests.engine.run_reader.test_settings.Watcher'
    observed = f'trainer.Trainer.observers = (@w/{watcher}(),)'

    def text(*bindings: str) -> str:
        config = Config([config_file()], bindings)
        config.build(Trainer).check()
        return config.text()

    five, six = text(observed), text(observed, f'w/{watcher}.every = 6')
    assert 'every = 6' in six
    assert changes(five, six) == {} == changes(text(), six)


def test_no_lines():
    assert differences([parse(''), parse('anything else\n')]) == {}
    assert differences([]) == {}
