"""Bindings after the flags. Each wrong form is answered with the command that works."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.commands import train
from engine.errors import UserError
from engine.workspace import REPOSITORY

CONFIG = '--gin_file=configs/digits_mlp.gin'
RIGHT = [
    ['SEED=3'],
    ['SEED=3', 'LEARNING_RATE=0.01'],
    ['SEED = 3'],
    ['trainer.Trainer.save_every=3'],
    ['wide/mlp.MLP.width=3'],
    ['trainer.Trainer.dataset="digits/toy"'],
    ["trainer.Trainer.predict=('val', 'test')"],
    ['classification.Classification.optimizer=@optax.sgd'],
    ['NEW=3'],  # whether anything uses it, the config decides
]
WRONG = {  # of a command line, as typed
    '--LEARNING_RATE=0.01': 'LEARNING_RATE=0.01',
    '--LEARNING_RATE 0.01': 'LEARNING_RATE=0.01',
    '-LEARNING_RATE=0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE 0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE:0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE: 0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE = 0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE= 0.01': 'LEARNING_RATE=0.01',
    'LEARNING_RATE =0.01': 'LEARNING_RATE=0.01',
    '+SEED=3': 'SEED=3',
    '++SEED=3 STEPS=4': 'SEED=3 STEPS=4',
    'SEED==3': 'SEED=3',
    'SEED:=3': 'SEED=3',
    'SEED+=3': 'SEED=3',
    '%SEED=3': 'SEED=3',
    'SEED=3,STEPS=4': 'SEED=3 STEPS=4',
    "'SEED=3; STEPS=4'": 'SEED=3 STEPS=4',
    'SEED=3, STEPS=4': 'SEED=3 STEPS=4',
    '--seed 3': 'SEED=3',
    '--seed=-3': 'SEED=-3',
    'seed=3 --steps 4': 'SEED=3 STEPS=4',
    '--batch-size=3': 'BATCH_SIZE=3',
    '--bs=3': 'BATCH_SIZE=3',
    'lr=1e-3': 'LEARNING_RATE=1e-3',
    '--gin.SEED=3': 'SEED=3',
    '--trainer.Trainer.steps=3': 'trainer.Trainer.steps=3',
    'dataset=digits': '\'trainer.Trainer.dataset="digits"\'',
    '--dataset digits/toy': '\'trainer.Trainer.dataset="digits/toy"\'',
    'trainer.Trainer.dataset=images:photos': '\'trainer.Trainer.dataset="images:photos"\'',
    '--use_bias=true': 'use_bias=True',
    'mlp.MLP.dropout=none': 'mlp.MLP.dropout=None',
    'configs/digits_cnn.gin': '--gin_file=configs/digits_cnn.gin',
    'digits_cnn.gin SEED=3': '--gin_file=configs/digits_cnn.gin SEED=3',
    'digits_cnn': '--gin_file=configs/digits_cnn.gin',
    '--config=configs/digits_cnn.gin': '--gin_file=configs/digits_cnn.gin',
    '--cfg configs/digits_cnn.gin': '--gin_file=configs/digits_cnn.gin',
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize('bindings', RIGHT, ids=' '.join)
def test_bindings_may_follow_the_flags(bindings: list[str]) -> None:
    arguments = train.parser().parse_args([CONFIG, '--gin_bindings=A = 1', *bindings, '--dry_run'])
    assert arguments.gin_bindings == ['A = 1', *bindings]
    assert arguments.gin_file == ['configs/digits_mlp.gin']
    assert arguments.dry_run


@pytest.mark.parametrize('wrong', WRONG)
def test_a_wrong_form_is_answered_with_the_right_command(wrong: str) -> None:
    with pytest.raises(UserError) as error:
        train.parser().parse_args([CONFIG, '--dry_run', *shlex.split(wrong)])
    command = f'scripts/train.sh {CONFIG} --dry_run {WRONG[wrong]}'
    assert str(error.value).endswith(f'Write: {command}')
    train.parser().parse_args(shlex.split(command)[1:])  # as a shell passes it on


@pytest.mark.parametrize('wrong', ['stray', '--zzz', 'SEED=', '3=SEED', '='])
def test_what_nobody_can_read(wrong: str) -> None:
    with pytest.raises(UserError, match=r'is neither a flag nor a binding, such as SEED=1\. See'):
        train.parser().parse_args([CONFIG, wrong])


def test_a_misspelt_flag_is_a_flag() -> None:
    with pytest.raises(UserError, match=r"unrecognized arguments: --dryrun\. Did you mean '--dry_run'"):
        train.parser().parse_args([CONFIG, '--dryrun', 'SEED=1'])


def test_names_come_from_included_files(tmp_path: Path) -> None:
    (tmp_path / 'base.gin').write_text('WARMUP_STEPS = 3\nmlp.MLP:\n  # Comment.\n\n  width = 4  # units\n')
    (tmp_path / 'child.gin').write_text("include 'base.gin'\n")
    with pytest.raises(UserError, match=r'Write: .* WARMUP_STEPS=5 mlp.MLP.width=6$'):
        train.parser().parse_args([f'--gin_file={tmp_path / "child.gin"}', '--ws=5', '--width=6'])


def test_programs_that_take_paths_do_not_take_bindings(program: Any) -> None:
    code, _, err = program('predict', 'latest', 'SEED=1')
    assert (code, err) == (
        2,
        'error: unrecognized arguments: SEED=1. See scripts/predict.sh --help.\n',
    )


def test_bindings_after_the_flags_take_effect(program: Any, config_file: Any) -> None:
    code, out, err = program('train', f'--gin_file={config_file()}', '--dry_run', 'SEED=7', 'mlp.MLP.width=5')
    assert code == 0, err
    assert re.search(r'^SEED = 7 +# --gin_bindings', out, re.MULTILINE)
    assert re.search(r'^mlp.MLP.width = 5 +# --gin_bindings', out, re.MULTILINE)


@pytest.mark.parametrize('separator', ['; ', ', ', ';', ','])
def test_several_bindings_in_one_flag(separator: str, program: Any, config_file: Any) -> None:
    together = f'SEED = 7{separator}RATE=0.5'
    path = config_file()
    code, _, err = program('train', f'--gin_file={path}', f'--gin_bindings={together}', '--dry_run')
    assert code == 2
    flags = err.partition('give each binding by itself: ')[2]
    assert flags == "--gin_bindings='SEED = 7' --gin_bindings=RATE=0.5\n"
    code, out, _ = program('train', f'--gin_file={path}', *shlex.split(flags), '--dry_run')
    assert code == 0
    assert re.search(r'^RATE = 0.5 ', out, re.MULTILINE)
