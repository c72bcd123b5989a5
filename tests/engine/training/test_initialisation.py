"""`Trainer.init_from` in whole runs: what is recorded, and when the source is needed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.files import read_json
from engine.stored_trees import tree
from tests.conftest import run_program, write_config

FROZEN = '^hidden/'
PROBE = (
    'from engine.parts import pretrained',
    'trainer.Trainer.init_from = @pretrained.Pretrained()',
    "pretrained.Pretrained.source = '{source}'",
    f"pretrained.Pretrained.only = ('{FROZEN}',)",
    f"classification.Classification.frozen = ('{FROZEN}',)",
)


def params(run: Path, kind: str) -> dict[str, np.ndarray]:
    """Returns the parameters in the newest checkpoint of a kind, by path."""
    newest = max((run / 'checkpoints' / kind).iterdir(), key=lambda path: int(path.name))
    stored = tree.stored_shapes(newest / 'default')
    return tree.restored(
        newest / 'default', {path: shape for path, shape in stored.items() if path.startswith('params/')}
    )


@pytest.fixture(scope='module')
def probes(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `source` and with `probe`, a finished linear probe of its layers."""
    folder = tmp_path_factory.mktemp('probes')
    shutil.copytree(trained, folder / 'source')
    config = write_config(folder, *(line.format(source=folder / 'source') for line in PROBE))
    assert run_program('train', f'--gin_file={config}', f'--run={folder / "probe"}') == 0
    return folder


@pytest.fixture
def probe(probes: Path, tmp_path: Path) -> Path:
    """A copy of the probe. Its source is `source` beside it, which other tests use too."""
    return Path(shutil.copytree(probes / 'probe', tmp_path / 'probe'))


def test_the_run_records_what_it_started_from(probes: Path) -> None:
    run = probes / 'probe'
    record = read_json(run / 'environment.json')['init_from']
    place = probes / 'source' / 'checkpoints' / 'best' / '14'
    assert record == {'source': str(place), 'checkpoint': 'best', 'step': 14, 'sha256': record['sha256']}
    table = (run / 'debug' / 'init_from.txt').read_text()
    assert table.startswith(f'Variables from {place}, checkpoint best, step 14\n')
    assert 'hidden/0/kernel' in table and 'Initialised' in table and 'Left in the source' in table
    assert table.splitlines()[3] in (run / 'logs' / 'train.log').read_text()


def test_frozen_variables_equal_those_of_the_source_to_the_bit(probes: Path) -> None:
    before, after = params(probes / 'source', 'best'), params(probes / 'probe', 'latest')
    assert before.keys() == after.keys()
    same = {path for path in before if before[path].tobytes() == after[path].tobytes()}
    assert same == {path for path in before if path.startswith('params/hidden/')} != set()


def test_step_0_is_evaluated(probes: Path) -> None:
    lines = (probes / 'probe' / 'logs' / 'val.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == [0, 4, 8, 12, 14]


def test_without_its_source_a_run_predicts_continues_and_is_verified(
    probes: Path, probe: Path, program: Any
) -> None:
    with hidden(probes / 'source'):
        code, _, err = program('predict', str(probe), '--split=train')
        assert code == 0, err
        code, out, err = program('verify', str(probe))
        assert (code, out.splitlines()[-1][:6]) == (0, 'equal:'), err
        code, _, err = program('train', f'--run={probe}', '--gin_bindings=STEPS = 16')
        assert code == 0, err
        assert program('train', f'--run={probe}', '--dry_run')[0] == 0
        code, _, err = program('verify', str(probe), '--from=0')
        assert code == 2
        assert 'has no checkpoint of step 0, so it needs the variables that it began with' in err
        assert 'does not exist' in err
    assert read_json(probe / 'environment.json')['init_from']['step'] == 14


class hidden:  # noqa: N801 (used like a function)
    """Takes a folder away while inside."""

    def __init__(self, folder: Path):
        self._folder, self._hidden = folder, folder.with_name('hidden')

    def __enter__(self) -> None:
        self._folder.rename(self._hidden)

    def __exit__(self, *_: object) -> None:
        self._hidden.rename(self._folder)


def test_with_its_source_a_run_is_verified_from_step_0(probe: Path, program: Any) -> None:
    code, out, err = program('verify', str(probe), '--from=0', '--steps=4')
    assert (code, out.splitlines()[-1]) == (
        0,
        'equal: steps 1 to 4, the evaluations after steps 0 and 4, every metric to the bit',
    ), err


def test_a_run_that_begins_again_needs_the_same_source(probes: Path, probe: Path, program: Any) -> None:
    logs, more = (probe / 'logs' / 'train.jsonl').read_text(), '--gin_bindings=STEPS = 16'
    for kind in ('latest', 'best'):
        shutil.rmtree(probe / 'checkpoints' / kind)
    other = probes / 'source' / 'checkpoints' / 'best' / '14' / 'checksums.json'
    values = json.loads(other.read_text())
    with hidden(probes / 'source'):
        code, _, err = program('train', f'--run={probe}', more)
        assert code == 2
        assert 'does not exist' in err
        assert program('train', f'--run={probe}')[0] == 0  # it is finished
    damaged = other.parent / next(iter(values['files']))
    content = damaged.read_bytes()
    try:
        damaged.write_bytes(content + b' ')
        code, _, err = program('train', f'--run={probe}', more)
        assert code == 2
        assert 'has changed' in err
    finally:
        damaged.write_bytes(content)
    code, _, err = program('train', f'--run={probe}', more)
    assert code == 0, err
    assert (probe / 'logs' / 'train.jsonl').read_text().startswith(logs)


def test_another_source_at_the_same_place_is_refused(
    config_file: Callable[..., Path], tmp_path: Path, probes: Path, program: Any
) -> None:
    """The file is replaced by another sound one, and the run has lost its checkpoints."""
    arrays = {path.removeprefix('params/'): x for path, x in params(probes / 'source', 'best').items()}
    source = tmp_path / 'weights.npz'
    np.savez(source, **arrays)  # type: ignore[arg-type]
    config = config_file(*(line.format(source=source) for line in PROBE), STEPS='STEPS = 2')
    run = tmp_path / 'run'
    assert program('train', f'--gin_file={config}', f'--run={run}')[0] == 0
    for kind in ('latest', 'best'):
        shutil.rmtree(run / 'checkpoints' / kind)
    np.savez(source, **{name: array + 1 for name, array in arrays.items()})  # type: ignore[arg-type]
    code, _, err = program('train', f'--run={run}', '--gin_bindings=STEPS = 3')
    assert code == 2
    assert f'{source} has changed since: its sha256 differs. Restore it, or begin a new run.' in err


def test_a_dry_run_shows_the_table_and_mistakes_come_before_the_run(
    config_file: Callable[..., Path], tmp_path: Path, probes: Path, program: Any
) -> None:
    config = config_file(*(line.format(source=probes / 'source') for line in PROBE))
    code, out, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 0, err
    assert (probes / 'probe' / 'debug' / 'init_from.txt').read_text() in out
    wider = ('--gin_bindings=mlp.MLP.width = 32', f'--run={tmp_path / "wider"}')
    code, out, err = program('train', f'--gin_file={config}', *wider)
    assert code == 2
    assert 'hidden/0/kernel: float32 [64, 16] in the source, float32 [64, 32] in the model' in err
    assert 'Traceback' not in out + err
    assert not (tmp_path / 'wider').exists()
