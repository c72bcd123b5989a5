"""`verify.sh`: an unchanged run is equal; for a changed run the first step that differs is reported."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from flax import nnx


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run: its latest checkpoints are 10 and 14."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def test_a_sound_run_is_equal(run: Path, program: Any) -> None:
    code, out, err = program('verify', str(run))
    assert (code, out.splitlines()[-1]) == (0, 'equal: steps 11 to 14, every metric to the bit'), err
    code, out, _ = program('verify', str(run), '--from=0', '--steps=6')
    assert (code, out.splitlines()[-1]) == (0, 'equal: steps 1 to 6, every metric to the bit')


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
    environment.write_text(environment.read_text().replace('"seed": 0', '"seed": 7'))
    assert 'seed: was 7, is 0' in program('verify', str(run))[1]


def test_a_run_that_cannot_be_compared_is_refused(run: Path, program: Any) -> None:
    code, _, err = program('verify', str(run), '--from=7')
    assert (code, "there is no checkpoint '7'. Saved steps: latest: [10, 14]" in err) == (2, True)
    config = run / 'config.gin'
    config.write_text(config.read_text().replace('SEED = 0', 'SEED = 1'))
    code, _, err = program('verify', str(run))
    assert (code, 'has changed since the run began' in err) == (2, True)
