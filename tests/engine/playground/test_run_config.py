"""The config of a run as values: macros, ends of names, references."""

import pytest

from engine.playground.run_config import RunConfig

TEXT = """\
from __gin__ import dynamic_registration
from research.models import mlp

# Macros:
RATE = 0.003
STEPS = 100
WARM = %STEPS

# Parameters for mlp.MLP:
mlp.MLP.name = 'a = %STEPS'
mlp.MLP.norm = @nnx.LayerNorm
mlp.MLP.sizes = \\
    (16,
     32)
wide/mlp.MLP.width = 64
mlp.MLP.width = 32
schedule.warmup.steps = %WARM
trainer.Trainer.best = ('loss', 'min')
trainer.Trainer.stop = None
"""
CONFIG = RunConfig(TEXT)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('RATE', 0.003),
        ('mlp.MLP.width', 32),
        ('wide/mlp.MLP.width', 64),
        ('WARM', 100),
        ('schedule.warmup.steps', 100),
        ('warmup.steps', 100),
        ('mlp.MLP.name', 'a = %STEPS'),
        ('norm', '@nnx.LayerNorm'),
        ('sizes', (16, 32)),
        ('best', ('loss', 'min')),
        ('stop', None),
    ],
)
def test_values(name: str, value: object) -> None:
    assert CONFIG[name] == value


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('width', 'width may be any of wide/mlp.MLP.width, mlp.MLP.width'),
        ('widht', "config.gin has no widht. Did you mean 'width'"),
        ('RAT', "config.gin has no RAT. Did you mean 'RATE'"),
        ('idth', 'config.gin has no idth.'),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, message: str) -> None:
    with pytest.raises(KeyError) as error:
        CONFIG[name]
    assert error.value.args[0].startswith(message)
    assert name not in CONFIG
    assert CONFIG.get(name, 7) == 7


def test_it_is_a_mapping_and_prints_as_the_file() -> None:
    assert [*CONFIG][:3] == ['RATE', 'STEPS', 'WARM']
    assert len(CONFIG) == 11
    assert dict(CONFIG)['mlp.MLP.width'] == 32
    assert str(CONFIG) == repr(CONFIG) == TEXT
