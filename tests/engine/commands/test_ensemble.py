"""The program on outputs and runs, and the programs that read what it writes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy import special

from engine import outputs
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine import sample_outputs
from tests.engine.commands.test_compare import LABELS, scores, table, write, write_run
from tests.engine.commands.test_evaluate import WATCHED

SCHEMA = json.loads((REPOSITORY / 'docs/outputs.schema.json').read_text(encoding='utf-8'))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in range(3):
        write_run(tmp_path / f'runs/{seed}', 2, seed, commits=[f'c0ffee{seed}'])
    return tmp_path / 'runs'


def mean() -> np.ndarray:
    return np.mean([special.softmax(scores(2, seed).astype(float), 1) for seed in range(3)], axis=0)


def test_an_ensemble_is_read_like_any_outputs(program: Program, runs: Path, tmp_path: Path) -> None:
    target = tmp_path / 'joint'
    code, out, err = program('ensemble', str(runs), f'--output={target}')
    assert (code, err) == (0, '')
    assert out.splitlines() == [
        *(f'member: {runs}/{seed}/outputs/test' for seed in range(3)),
        f'outputs: {target}',
    ]
    manifest = json.loads((target / 'manifest.json').read_text())
    jsonschema.validate(manifest, SCHEMA)
    assert [member['run'] for member in manifest['members']] == ['0', '1', '2']
    assert manifest['commits'] == ['c0ffee0', 'c0ffee1', 'c0ffee2']
    code, out, _ = program('check_outputs', str(target))
    assert (code, out.splitlines()[-1]) == (0, f'sound: {target}')

    accuracy = 100 * (mean().argmax(1) == LABELS).mean()
    code, out, _ = program('compare', str(runs), str(target), '--resamples=100')
    assert code == 0
    (row,) = [row for row in table(out) if row['method'] == 'joint']
    assert row['accuracy (%) ↑'].strip('*').startswith(f'{accuracy:.2f} (')
    assert row['commit'] == 'c0ffee0, c0ffee1, c0ffee2'

    assert program('export', str(target), '--format=csv', f'--output={tmp_path}/csv')[0] == 0
    rows = list(csv.DictReader((tmp_path / 'csv/submission.csv').read_text().splitlines()))
    assert float(rows[3]['probability_1']) == pytest.approx(mean()[3, 1], rel=1e-5)
    code, _, err = program('ensemble', str(runs), f'--output={target}')
    assert (code, 'Pass --overwrite' in err) == (2, True)
    assert program('ensemble', str(runs), f'--output={target}', '--overwrite')[0] == 0
    assert program('evaluate', str(target))[0] == 0
    metrics = json.loads((target / 'evaluation/metrics.json').read_text())['metrics']
    assert metrics['accuracy']['value'] == pytest.approx(accuracy / 100)


def test_the_default_folder_is_named_after_data_and_members(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'space'))
    folders = [
        str(sample_outputs.write(tmp_path / f'{seed}', 'regression', seed, dataset='images:/a b/c'))
        for seed in range(3)
    ]
    code, out, _ = program('ensemble', *folders)
    assert code == 0
    written = Path(out.splitlines()[-1].removeprefix('outputs: '))
    assert written.parent == tmp_path / 'space/ensembles/images-a-b-c'
    assert written.name.startswith('test-3-')
    assert program('ensemble', *folders[:2])[1].splitlines()[-1] != f'outputs: {written}'
    code, _, err = program('ensemble', *folders[::-1])  # the same members
    assert (code, f'{written} exists already' in err) == (2, True)


def test_members_that_do_not_match(program: Program, runs: Path, tmp_path: Path) -> None:
    first, target = str(runs / '0'), f'--output={tmp_path / "joint"}'

    def message(*members: Path | str) -> str:
        code, out, err = program('ensemble', first, *map(str, members), target)
        assert (code, out, err.count('\n'), err.startswith('error: ')) == (2, '', 1, True), err
        return err

    assert 'needs at least two different outputs; 1 is given' in message()
    assert 'needs at least two different outputs; 1 is given' in message(first)
    assert "'digit 150' is only in" in message(write(tmp_path / 'part', scores(2)[:150], LABELS[:150]))
    wrong = LABELS.copy()
    wrong[7] = 3 - wrong[7]
    assert 'labels.npy of' in message(write(tmp_path / 'wrong', scores(2), wrong))
    assert "the split 'val'" in message(write(tmp_path / 'val', scores(2), split='val'))
    named = write(tmp_path / 'named', scores(2), class_names=list('abcd'))
    other = write(tmp_path / 'other', scores(2), class_names=list('abce'))
    assert 'have different classes' in message(named, other)
    assert "of kind 'regression'" in message(sample_outputs.write(tmp_path / 'numbers', 'regression'))
    boxes = [str(sample_outputs.write(tmp_path / f'boxes{seed}', 'detection', seed)) for seed in range(2)]
    code, _, err = program('ensemble', *boxes, target)
    assert (code, "kind 'detection' cannot be joined" in err) == (2, True)
    (runs / '1/outputs/test').rename(runs / '1/outputs/val')
    assert "it has no outputs of 'test'" in message(runs / '1')
    code, _, err = program('ensemble', str(runs / '0'), str(runs / '2'), f'--output={runs}/0/outputs/both')
    assert (code, 'lies in the run' in err) == (2, True)
    assert not (tmp_path / 'joint').exists()


def test_different_datasets_are_said(program: Program, tmp_path: Path) -> None:
    folders = [write(tmp_path / name, scores(2, seed), dataset=name) for seed, name in enumerate('ab')]
    _, out, _ = program('ensemble', *map(str, folders), f'--output={tmp_path / "it"}', '--detail=method=two')
    assert 'The members state different datasets, with the same ids: a, b.' in out
    assert outputs.read(tmp_path / 'it').manifest.details == {'method': 'two'}


def test_pictures_of_masks(program: Program, tmp_path: Path) -> None:
    folders = [str(sample_outputs.write(tmp_path / f'{seed}', 'segmentation', seed)) for seed in range(3)]
    assert program('ensemble', *folders, f'--output={tmp_path / "it"}')[0] == 0
    assert (tmp_path / 'it/images/example%200.png').is_file()


def test_without_jax(runs: Path, tmp_path: Path) -> None:
    watched = WATCHED.replace('engine.commands.evaluate', 'engine.commands.ensemble')
    command = [sys.executable, '-W', 'error', '-c', watched, str(runs), f'--output={tmp_path / "it"}']
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stderr.strip()) == (0, 'imported:')
