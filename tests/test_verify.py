"""A sound run is found equal, a changed one is told from it at the first step that differs."""

import json
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flax import nnx

from benchmarks.trainings import Laboratory, ending

TOY = ("trainer.Trainer.dataset = 'digits/toy'", 'BATCH_SIZE = 8', 'STEPS = 30')


@pytest.fixture(scope='module')
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with batch normalisation, dropout and augmentation; saved after steps 26 and 30."""
    laboratory = Laboratory(tmp_path_factory.mktemp('verify'), TOY)
    run = laboratory.folder / 'run'
    ended = ending(laboratory.start(run, JAX_NUM_CPU_DEVICES='2'), time.monotonic())
    assert ended.code == 0, ended.text
    return run


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    shutil.copytree(sound, tmp_path / 'run')
    return tmp_path / 'run'


def test_a_sound_run_is_equal(sound: Path, program: Any) -> None:
    code, out, err = program('verify', str(sound))
    assert (code, err) == (0, '')
    assert out.splitlines()[-1] == 'equal: steps 27 to 30, every quantity to the bit'


def test_from_the_start(sound: Path, program: Any) -> None:
    code, out, _ = program('verify', str(sound), '--from=0', '--steps=10')
    assert (code, out.splitlines()[-1]) == (0, 'equal: steps 1 to 10, every quantity to the bit')


@pytest.mark.parametrize(('start', 'first'), [(0, 1), (26, 27)])
def test_another_epsilon_is_named(
    start: int, first: int, sound: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nnx, 'BatchNorm', partial(nnx.BatchNorm, epsilon=2e-5))
    code, out, err = program('verify', str(sound), f'--from={start}')
    recorded = json.loads((sound / 'logs' / 'train.jsonl').read_text().splitlines()[first - 1])
    assert (code, err) == (1, '')
    said = out.splitlines()[-1]
    assert said.startswith(f'step {first}: ')
    name = said.split()[2]
    assert f'{name} was {recorded[name]!r}, is ' in said
    assert '(difference ' in said


def test_a_line_of_the_log_that_was_changed_is_named(copy: Path, program: Any) -> None:
    log = copy / 'logs' / 'train.jsonl'
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[4]['loss'] += 1e-7
    log.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    code, out, _ = program('verify', str(copy), '--from=0')
    assert (code, out.splitlines()[-1].split(' was ')[0]) == (1, 'step 5: loss')


def test_what_differs_in_the_stack_is_said(copy: Path, program: Any) -> None:
    path = copy / 'stack.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'cpus': 96}))
    code, out, _ = program('verify', str(copy))
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith('cpus: was 96, is ')]


def test_a_config_that_was_edited_is_refused(copy: Path, program: Any) -> None:
    config = copy / 'config.gin'
    config.write_text(config.read_text().replace('SEED = 0', 'SEED = 1'))
    code, _, err = program('verify', str(copy))
    assert (code, 'config.gin is not what this run was begun with' in err) == (2, True)


MISTAKES = {
    '--from=12': "there is no checkpoint '12'. Saved steps: latest: [26, 30]",
    '--from=30': 'nothing to compare: 20 steps after 30; the log ends at 30',
    '--steps=0': 'nothing to compare: 0 steps after 26',
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_steps_that_cannot_be_compared(mistake: str, sound: Path, program: Any) -> None:
    code, out, err = program('verify', str(sound), mistake)
    assert code == 2
    assert MISTAKES[mistake] in err
    assert 'Traceback' not in out + err


def test_a_damaged_checkpoint_is_named(copy: Path, program: Any) -> None:
    next((copy / 'checkpoints').glob('latest/26/default/d/*')).unlink()
    code, _, err = program('verify', str(copy))
    assert (code, 'latest/26 is damaged: ' in err) == (2, True)
