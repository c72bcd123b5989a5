from engine.run_reader.settings import differences, parse

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
    found = parse(TEXT)
    assert found.seed == '3'
    assert found.macros == {'RATE': '0.1'}
    assert found.values == {
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


def test_no_lines():
    assert differences([parse(''), parse('anything else\n')]) == {}
    assert differences([]) == {}
