import argparse
from pathlib import Path

import pytest

from engine.commands import sweep, sweep_command
from engine.errors import UserError
from engine.sweeps import axes, sweep_file
from engine.workspace import REPOSITORY

FILE = """
gin_file = 'configs/digits_cnn.gin'
gin_bindings = ['STEPS = 300']
search = 'tpe'
trials = 40
seed = 3
metric = 'accuracy'

[vary]
LEARNING_RATE = '1e-4..1e-1:log'
SEED = '0..4'
convnet.ConvNet.width = [16, 32]
'classification.Classification.optimizer' = ['@optax.adamw', '@optax.sgd']
DROPOUT = [0.1, 1e-5]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / 'rates.toml'
    path.write_text(text)
    return path


def completed(path: Path, *flags: str) -> argparse.Namespace:
    arguments = sweep.parser().parse_args([f'--sweep_file={path}', *flags])
    sweep_command.complete(arguments, sweep.parser())
    return arguments


def test_a_file_is_read_as_flags(tmp_path: Path) -> None:
    arguments = completed(written(tmp_path, FILE))
    assert arguments.name == 'rates'
    assert arguments.gin_file == ['configs/digits_cnn.gin']
    assert arguments.gin_bindings == ['STEPS = 300']
    assert (arguments.search, arguments.trials, arguments.seed) == ('tpe', 40, 3)
    assert {axis.name: axis.values for axis in axes.parse_all(arguments.vary)} == {
        'LEARNING_RATE': (),
        'SEED': ('0', '1', '2', '3', '4'),
        'convnet.ConvNet.width': ('16', '32'),
        'classification.Classification.optimizer': ('@optax.adamw', '@optax.sgd'),
        'DROPOUT': ('0.1', '1e-05'),
    }


def test_flags_of_the_command_line_win(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    arguments = completed(path, '--name=other', '--trials=5', '--vary', 'SEED=7,8', 'STEPS=100', 'A=2')
    assert (arguments.name, arguments.trials, arguments.search) == ('other', 5, 'tpe')
    assert arguments.vary[-1] == 'SEED=7,8'
    assert len(arguments.vary) == 5
    assert arguments.gin_bindings == ['STEPS=100', 'A=2']


def test_rungs_are_a_list_of_steps(tmp_path: Path) -> None:
    arguments = completed(written(tmp_path, 'halving = 3\nrungs = [100, 300]\n[vary]\nA = [1, 2]'))
    assert (arguments.halving, arguments.rungs) == (3, '100,300')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('trials 40', r'rates.toml is not TOML: .*line 1'),
        ('trails = 40', "there is no 'trails'. Did you mean 'trials'"),
        ("trials = '40'", "trials must be a whole number, not '40'"),
        ('trials = true', 'trials must be a whole number'),
        ('search = 1', 'search must be a text'),
        ('gin_file = [1]', 'gin_file must be a list'),
        ("rungs = '100'", 'rungs must be a list of steps'),
        ('vary = 3', 'vary must be a table'),
        ('[vary]\nA = 3', 'A must be a list'),
        ('[vary]\nA = []', 'A must be a list'),
        ('[vary]\nA = [[1, 2]]', 'A must be a list'),
        ('[vary]\nA = 1\nA = 2', 'is not TOML'),
    ],
)
def test_mistakes_in_a_file_are_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sweep_file.read(written(tmp_path, text))


def test_a_missing_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    with pytest.raises(UserError, match=r'rate.toml does not exist. Did you mean .*rates.toml'):
        sweep_file.read(path.with_name('rate.toml'))


def test_the_file_of_the_document_is_read(tmp_path: Path) -> None:
    document = (REPOSITORY / 'docs/sweeps.md').read_text(encoding='utf-8')
    arguments = completed(written(tmp_path, document.split('```toml\n')[1].split('```')[0]))
    assert [axis.name for axis in axes.parse_all(arguments.vary)] == [
        *('LEARNING_RATE', 'SEED', 'convnet.ConvNet.width', 'classification.Classification.optimizer')
    ]
    assert all(f'`{key}`' in document for key in sweep_file.KEYS)
