"""`verify.sh`: an unchanged run is equal; for a changed run the first step that differs is reported."""

import re
import shutil
from pathlib import Path
from typing import Any

import jax
import pytest
from flax import nnx

from engine.files import read_json
from engine.parts.supervised import BoundSupervised
from engine.runs.environment import history


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run: its latest checkpoints are 10 and 14."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def test_a_sound_run_is_equal(run: Path, program: Any) -> None:
    code, out, err = program('verify', str(run))
    expected = 'equal: steps 11 to 12, the evaluation after step 12, every metric to the bit'
    assert (code, out.splitlines()[-1]) == (0, expected), err
    assert 'Outputs are not compared: pass --outputs.' in out


@pytest.mark.parametrize(
    ('flags', 'expected'),
    [
        (['--from=0', '--steps=3'], 'steps 1 to 3, no evaluation'),
        (['--from=0', '--steps=6'], 'steps 1 to 6, the evaluation after step 4'),
        (['--from=0', '--steps=100'], 'steps 1 to 14, the evaluations after steps 4, 8, 12 and 14'),
        (['--from=14'], 'the evaluation after step 14'),
        (['--from=10', '--steps=1'], 'steps 11 to 11, no evaluation'),
    ],
)
def test_the_result_says_what_was_compared(flags: list[str], expected: str, run: Path, program: Any) -> None:
    code, out, err = program('verify', str(run), *flags)
    assert (code, out.splitlines()[-1]) == (0, f'equal: {expected}, every metric to the bit'), err


def test_outputs_are_compared_if_asked_for(run: Path, program: Any) -> None:
    code, out, err = program('verify', str(run), '--outputs')
    assert (code, out.splitlines()[-1]) == (0, 'equal: the outputs test and val, every file to the byte'), err
    path = run / 'outputs' / 'test' / 'logits.npy'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    code, out, _ = program('verify', str(run), '--outputs')
    assert code == 1
    assert re.search(r'outputs/test: logits.npy was \S+, is \S+ at \[19, 9\], the first of 1 diff', out)


def test_outputs_without_their_checkpoint_are_left_out_and_reported(run: Path, program: Any) -> None:
    shutil.copytree(run / 'outputs' / 'val', run / 'outputs' / 'val@5')
    manifest = run / 'outputs' / 'val@5' / 'manifest.json'
    manifest.write_text(manifest.read_text().replace('"step": 14', '"step": 5'))
    code, out, _ = program('verify', str(run), '--outputs')
    assert (code, out.splitlines()[-1]) == (0, 'equal: the outputs test and val, every file to the byte')
    assert "val@5 cannot be compared: there is no checkpoint '5'" in out
    shutil.rmtree(run / 'outputs')
    code, _, err = program('verify', str(run), '--outputs')
    assert (code, 'has no outputs that can be compared. Write them: scripts/predict.sh' in err) == (2, True)


# What only evaluation or prediction uses. The steps are equal, so that the word must not cover the rest.


def judge_otherwise(bound: Any, state: Any, batch: Any) -> Any:
    """Evaluates with half of the output weights."""
    weights = jax.tree.map(lambda leaf: leaf * 0.5, state['params'])
    return EVALUATE(bound, state | {'params': weights}, batch)


def predict_otherwise(bound: Any, state: Any, batch: Any) -> Any:
    return {name: array * 2.0 for name, array in PREDICT(bound, state, batch).items()}


def drop_a_metric(bound: Any, state: Any, batch: Any) -> Any:
    metrics = EVALUATE(bound, state, batch)
    return {'loss': metrics['loss']}


EVALUATE, PREDICT = BoundSupervised.evaluate, BoundSupervised.predict


@pytest.mark.parametrize(
    ('name', 'edited', 'problem'),
    [
        ('evaluate', judge_otherwise, 'evaluation after step 4: loss was '),
        ('evaluate', drop_a_metric, 'evaluation after step 4: accuracy was '),
    ],
)
def test_a_change_of_evaluation_alone_is_found(
    name: str, edited: Any, problem: str, run: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundSupervised, name, edited)
    code, out, _ = program('verify', str(run), '--from=0', '--steps=3')
    assert (code, 'no evaluation' in out.splitlines()[-1]) == (0, True)
    code, out, _ = program('verify', str(run), '--from=0')
    assert code == 1
    assert out.splitlines()[-1].startswith(problem)


@pytest.mark.slow
def test_another_momentum_of_batch_norm_is_found(
    config_file: Any, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only evaluation uses the running means: the metrics of the steps stay the same."""
    config = config_file()
    text = config.read_text().replace('models import mlp', 'models import convnet')
    config.write_text(text.replace('mlp.MLP', 'convnet.ConvNet').replace('width = 16', 'width = 2'))
    run, make = str(tmp_path / 'run'), nnx.BatchNorm.__init__
    code, out, err = program('train', f'--gin_file={config}', f'--run={run}')
    assert code == 0, out + err

    def make_slower(self: nnx.BatchNorm, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs | {'momentum': 0.99})

    monkeypatch.setattr(nnx.BatchNorm, '__init__', make_slower)
    code, out, _ = program('verify', run, '--from=0')
    assert (code, out.splitlines()[-1].split(': ')[0]) == (1, 'evaluation after step 4')
    code, out, _ = program('verify', run, '--from=0', '--steps=3')
    assert (code, 'steps 1 to 3, no evaluation' in out.splitlines()[-1]) == (0, True)


def test_a_change_of_predictions_alone_is_found(
    run: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundSupervised, 'predict', predict_otherwise)
    code, out, _ = program('verify', str(run))
    assert (code, 'Outputs are not compared' in out) == (0, True)
    code, out, _ = program('verify', str(run), '--outputs')
    assert code == 1
    assert out.splitlines()[-1].startswith('outputs/test: logits.npy was ')


def test_an_edited_line_of_evaluation_is_found(run: Path, program: Any) -> None:
    log = run / 'logs' / 'val.jsonl'
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(''.join([lines[0], *lines[2:]]))
    code, out, _ = program('verify', str(run), '--from=0', '--steps=8')
    assert (code, out.splitlines()[-1]) == (1, 'evaluation after step 8: the log has no such line')
    log.write_text(''.join([lines[0].replace('"loss": ', '"loss": 1'), *lines[1:]]))
    code, out, _ = program('verify', str(run), '--from=0')
    assert (code, out.splitlines()[-1].split(' was')[0]) == (1, 'evaluation after step 4: loss')


def test_the_first_step_of_a_changed_model_is_reported(
    run: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    relu = nnx.relu
    monkeypatch.setattr(nnx, 'relu', lambda x: relu(x) + 1e-6)
    code, out, _ = program('verify', str(run), '--from=0')
    assert code == 1
    assert out.splitlines()[-1].startswith('step 1: ')
    assert 'difference ' in out.splitlines()[-1]


def test_a_changed_line_of_the_log_is_reported(run: Path, program: Any) -> None:
    log = run / 'logs' / 'train.jsonl'
    lines = log.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"loss": 2', '"loss": 3')
    log.write_text(''.join(lines))
    code, out, _ = program('verify', str(run), '--from=0')
    assert (code, out.splitlines()[-1].split(' was')[0]) == (1, 'step 3: loss')


def test_the_present_environment_is_compared(run: Path, program: Any) -> None:
    environment = run / 'environment.json'
    history.write(environment, read_json(environment) | {'devices': 7})
    assert 'machine: devices: 7 -> 2' in program('verify', str(run))[1]


def test_a_run_that_cannot_be_compared_is_refused(run: Path, program: Any) -> None:
    code, _, err = program('verify', str(run), '--from=7')
    assert (code, "there is no checkpoint '7'. Saved steps: latest: [10, 14]" in err) == (2, True)
    config = run / 'config.gin'
    config.write_text(config.read_text().replace('SEED = 0', 'SEED = 1'))
    code, _, err = program('verify', str(run))
    assert (code, 'has changed since the run began' in err) == (2, True)
