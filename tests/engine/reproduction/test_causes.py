"""What limits a comparison, and what differs before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.reproduction import causes
from engine.runs.environment import code, history
from engine.runs.run_folder import Run
from engine.workspace import REPOSITORY

MODULES = ['research.models.mlp']


@pytest.fixture
def record() -> dict[str, Any]:
    """The record of a run with the present code, packages and variables."""
    present = causes.present({'code': {'modules': MODULES}}, REPOSITORY)
    return present | {'code': present['code'] | {'modules': MODULES}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / 'config.gin').write_text('trainer.Trainer.steps = 3\n')
    return Run(tmp_path)


def lines(run: Run, record: dict[str, Any]) -> list[str]:
    return causes.before_training(run, record, REPOSITORY).lines()


def test_nothing_differs_from_the_present(run: Run, record: dict[str, Any]) -> None:
    assert lines(run, record) == []
    assert causes.untrained(record) == ''


def test_each_subject_is_named_before_training(
    run: Run, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('XLA_FLAGS', '--xla_cpu_enable_fast_math=true')
    present = record['packages']['jax']
    record['packages']['jax'] = '0.0.1'
    record['code']['files']['research/models/mlp.py'] = 'other'
    assert lines(run, record) == [
        'code: research/models/mlp.py has changed',
        f'packages: jax: 0.0.1 -> {present}',
        'flags: XLA_FLAGS: none -> --xla_cpu_enable_fast_math=true',
    ]


@pytest.mark.parametrize('more', ['', ' --xla_gpu_autotune_level=0'])
def test_the_option_that_the_trainer_sets_is_no_difference(
    more: str, run: Run, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Trainer.deterministic` adds it to XLA_FLAGS before a run records them."""
    record['flags']['XLA_FLAGS'] = (more + ' --xla_gpu_deterministic_ops=true').strip()
    monkeypatch.setenv('XLA_FLAGS', more)
    assert lines(run, record) == [
        f'flags: XLA_FLAGS: {record["flags"]["XLA_FLAGS"]} -> {more.strip() or "none"}'
    ]
    run.config.write_text('trainer.Trainer.deterministic = True\n')
    assert lines(run, record) == []


def test_present_code_that_is_not_trained(record: dict[str, Any]) -> None:
    files = code.of(MODULES).files
    record['code']['files'] = {**files, 'research/models/mlp.py': 'other', 'research/gone.py': 'gone'}
    assert causes.untrained(record) == (
        'this repository has other code now, which --code=present trains: '
        'research/gone.py, research/models/mlp.py'
    )
    record['code']['files'] = dict.fromkeys(files, 'other')
    assert causes.untrained(record).endswith(f' and {len(files) - 3} more')
    assert causes.untrained({}) == ''


def test_notes_on_later_sessions_and_files_that_are_left_out(run: Run, record: dict[str, Any]) -> None:
    first = record | {'not_in_diff': ['data/big.bin'], 'not_in_sources': ['.env']}
    later = {'flags': {'jax_enable_x64': True}, 'code': {'digest': 'other'}}
    history.write(run.folder / history.FILE, first | {'continued': [later]})
    change = {'program': 'train', 'step': 2, 'config': {'trainer.Trainer.steps': ['2', '3']}}
    (run.folder / 'changes.jsonl').write_text(json.dumps(change) + '\n')
    assert causes.notes(run, causes.first_session(run)) == [
        'uncommitted.diff leaves out data/big.bin, taken from this repository if it has the recorded content',
        'sources leaves out .env, taken from this repository if it has the recorded content',
        'the run resumed with other code and flags (changes.jsonl); its first session is repeated',
        'the run resumed with another config (changes.jsonl); its last one is trained from the start',
    ]


def test_other_trained_variables_are_data(run: Run, record: dict[str, Any], tmp_path: Path) -> None:
    repeated = Run(tmp_path / 'repeated')
    repeated.folder.mkdir()
    repeated.config.write_bytes(run.config.read_bytes())
    for one, digest in ((run, 'aa'), (repeated, 'bb')):
        source = {'source': '/weights.safetensors', 'sha256': digest}
        history.write(one.folder / history.FILE, record | {'init_from': source})
    assert causes.between(run, repeated).lines() == [
        'data: /weights.safetensors (Trainer.init_from): aa -> bb'
    ]
    assert causes.between(run, run).lines() == []
