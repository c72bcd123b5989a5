"""What each program answers with `--json`, beside its table."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from engine.errors import EXIT_MISTAKE
from tests.engine.commands.test_compare import scores, write, write_run
from tests.engine.sample_runs import append
from tests.engine.sample_runs import write_run as write_logs

Document = dict[str, Any]


@pytest.fixture
def answer(program: Any) -> Callable[..., Document]:
    """Runs a program with `--json`: answer('logs', '<run>', code=0) -> the document."""

    def answer(name: str, *arguments: object, code: int = 0) -> Document:
        ended, out, err = program(name, *map(str, arguments), '--json')
        assert ended == code, err
        return json.loads(out, parse_constant=lambda constant: pytest.fail(constant))

    return answer


def test_logs(answer: Callable[..., Document], tmp_path: Path) -> None:
    write_logs(tmp_path / 'a')
    append(write_logs(tmp_path / 'b', 8, state='running'), 'train', '{"step": 9')
    document = answer('logs', tmp_path, f'--output={tmp_path / "plots"}')
    assert document['figures'] == str(tmp_path / 'plots')
    first, second = document['runs']
    assert (first['name'], first['state'], first['step'], first['steps']) == ('a', 'finished', 20, 20)
    assert first['metrics']['score'] == {
        'better': 'higher',
        'best': 12.0,
        'best_step': 12,
        'last': 4.0,
        'last_step': 20,
    }
    assert first['seconds']['total'] == 50.0
    assert (second['state'], second['step'], second['notes'][0]) == (
        'running',
        8,
        'status.json says running, without a time',
    )


def test_a_run_without_logs_has_null_for_what_is_unknown(
    answer: Callable[..., Document], tmp_path: Path
) -> None:
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'config.gin').touch()
    (run,) = answer('logs', tmp_path / 'run')['runs']
    known = {name: run[name] for name in ('steps', 'epochs', 'examples_per_second', 'seconds', 'bound')}
    assert known == dict.fromkeys(known)


def test_comparisons(answer: Callable[..., Document], tmp_path: Path) -> None:
    for name, strength, seeds in (('strong', 3.0, 1), ('weak', 0.3, 2)):
        for seed in range(seeds):
            width = 8 if name == 'weak' else 16
            write_run(tmp_path / f'{name}{seed}', strength, seed, width=width)
    document = answer('compare', tmp_path, '--resamples=200')
    assert (document['metric'], document['direction'], document['examples']) == ('accuracy', 'higher', 200)
    best, other = document['methods']
    assert (best['name'], best['seeds'], other['seeds']) == ('strong0', ['0'], ['0', '1'])
    assert (best['parameters'], other['parameters']) == ({'WIDTH': '16'}, {'WIDTH': '8'})
    assert (best['difference'], best['mark'], best['metrics']['accuracy']['standard_deviation']) == (
        None,
        'best',
        None,
    )
    difference = other['metrics']['accuracy']['value'] - best['metrics']['accuracy']['value']
    assert other['difference']['value'] == pytest.approx(difference, abs=1e-12)
    low, high = other['difference']['interval']
    assert low < difference < high < 0
    assert other['p'] < 0.05


def test_evaluations(answer: Callable[..., Document], tmp_path: Path) -> None:
    folder = write(tmp_path / 'test', scores(2.0))
    (document,) = answer('evaluate', folder)['evaluations']
    assert document['outputs'] == str(folder)
    assert document['metrics'] == json.loads((folder / 'evaluation' / 'metrics.json').read_text())['metrics']
    assert Path(document['report']).is_file()


def test_checks_of_outputs(answer: Callable[..., Document], tmp_path: Path) -> None:
    folder = write(tmp_path / 'test', scores(2.0))
    shapes = {'logits': [200, 4], 'labels': [200]}
    expected = {'folder': str(folder), 'kind': 'classification', 'examples': 200, 'shapes': shapes}
    assert answer('check_outputs', folder) == {'outputs': [expected]}


def test_exports_and_ensembles(answer: Callable[..., Document], tmp_path: Path) -> None:
    folders = [write(tmp_path / name / 'test', scores(2.0, seed)) for seed, name in enumerate('ab')]
    (submission,) = answer('export', folders[0], '--format=csv')['submissions']
    assert Path(submission).is_file()
    joined = answer('ensemble', *folders, f'--output={tmp_path / "both"}')
    assert joined['members'] == [*map(str, folders)]
    assert joined['outputs'] == str(tmp_path / 'both')


def test_imports(answer: Callable[..., Document], tmp_path: Path) -> None:
    table = tmp_path / 'predictions.csv'
    table.write_text('id,label,prediction\na,cat,cat\nb,dog,cat\n')
    document = answer('import_outputs', table, f'--output={tmp_path / "svm"}')
    assert (document['outputs'], document['kind']) == (str(tmp_path / 'svm'), 'classification')
    assert document['examples'] == 2


def test_datasets(answer: Callable[..., Document]) -> None:
    checked = answer('dataset', 'check', 'digits/toy')
    assert (checked['dataset'], checked['passed'], len(checked['fingerprint'])) == ('digits/toy', True, 64)
    assert {finding['verdict'] for finding in checked['findings']} <= {'ok', 'note', 'skipped'}
    listed = {record['dataset']: record for record in answer('dataset', 'list')['datasets']}
    assert listed['digits/toy']['is_built'] is True
    assert all(type(count) is int for count in listed['digits/toy']['examples'].values())


def test_the_page_of_a_dataset(answer: Callable[..., Document]) -> None:
    explored = answer('dataset', 'explore', 'digits/toy')
    assert (explored['dataset'], Path(explored['page']).is_file()) == ('digits/toy', True)


def test_the_build_of_a_dataset(answer: Callable[..., Document]) -> None:
    built = answer('dataset', 'build', 'digits', '--config=toy')
    assert (built['dataset'], built['splits']) == ('digits/toy', {'train': 30, 'val': 10, 'test': 20})
    assert built['fingerprint'] == answer('dataset', 'check', 'digits/toy')['fingerprint']
    assert Path(built['folder']).is_dir()
    assert built['report'][0].startswith('train 30: ')


def test_a_new_dataset(
    answer: Callable[..., Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ('data', 'configs', 'tests/data'):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    created = answer('dataset', 'new', 'petals', '--kind=images')
    assert created['paths'] == ['data/petals', 'configs/petals.gin', 'tests/data/test_petals.py']
    assert all((tmp_path / path).exists() for path in created['paths'])
    assert created['missing_modules'] == ['research/models/mlp.py']


def test_trainings(answer: Callable[..., Document], config_file: Any, tmp_path: Path, trained: Path) -> None:
    config = config_file(STEPS='STEPS = 6')
    train = partial(answer, 'train', f'--gin_file={config}', f'--run={tmp_path / "run"}')
    paused = train('--until=5')
    assert (paused['run'], paused['state'], paused['step'], paused['steps']) == (
        str(tmp_path / 'run'),
        'paused',
        5,
        6,
    )
    assert train('--until=5') == paused | {'age': ANY}
    finished = train()
    assert (finished['state'], finished['step'], finished['outputs']) == ('finished', 6, ['test', 'val'])
    assert finished['metrics'].keys() == {'accuracy', 'loss'}
    assert train() == finished | {'age': ANY}


def test_a_training_that_fails_keeps_stdout_empty(program: Any, config_file: Any) -> None:
    code, out, err = program('train', f'--gin_file={config_file()}', 'STEP=3', '--json')
    assert (code, out) == (EXIT_MISTAKE, '')
    assert err.startswith('error: ')


def test_dry_runs(answer: Callable[..., Document], config_file: Any) -> None:
    config = config_file()
    document = answer('train', f'--gin_file={config}', '--dry_run', 'mlp.MLP.width=24')
    assert document['config']['mlp.MLP.width'] == {
        'value': '24',
        'origin': "--gin_bindings 'mlp.MLP.width=24'",
    }
    assert document['config']['mlp.MLP.depth']['origin'] == 'default'
    assert document['config']['BATCH_SIZE']['origin'].startswith(f'{config}:')
    memory = document['memory']
    largest = memory['programs'][0]
    assert largest['total'] == sum(largest['parts'].values()) > 0
    assert memory['fits'] == (None if memory['limit'] is None else largest['total'] <= memory['limit'])
    assert (document['notes'], document['init_from']) == ([], None)


def test_compilations(answer: Callable[..., Document], config_file: Any) -> None:
    document = answer('compile', f'--gin_file={config_file()}', 'sharding.Jit.fsdp=2')
    assert (document['devices'], document['device_kind']) == (2, 'cpu')
    assert (document['mesh'], document['topology']) == ({'data': 1, 'fsdp': 2}, None)
    assert document['flops_per_step'] >= 2 * 4 * (2 * 64 * 16 + 3 * 16 * 16 + 3 * 16 * 10)
    assert any(each['kind'].startswith('all-') and each['size'] > 0 for each in document['collectives'])
    assert document['memory']['programs'][0]['program'] == 'training'
    assert document['remedies'] == []


def test_trained_runs(answer: Callable[..., Document], trained: Path, tmp_path: Path) -> None:
    trained = Path(shutil.copytree(trained, tmp_path / 'run'))  # other tests share the original
    repeated = answer('verify', trained)
    assert (repeated['run'], repeated['is_equal'], repeated['changes']) == (str(trained), True, [])
    (result,) = repeated['results']
    assert result['text'].startswith('equal: steps 11 to 12')
    predicted = answer('predict', trained, '--split=val', '--checkpoint=10', '--overwrite')
    assert predicted == {'run': str(trained), 'outputs': [str(trained / 'outputs' / 'val@10')]}


@pytest.mark.slow
def test_checks_of_experiments(answer: Callable[..., Document], config_file: Any, tmp_path: Path) -> None:
    document = answer('check', f'--gin_file={config_file()}', f'--output={tmp_path / "report"}')
    assert (document['dataset'], document['passed']) == ('digits/toy', True)
    assert Path(document['report']).is_file()
    assert document['checks']['label_leakage']['verdict'] == 'pass'
    assert document['checks']['augmentation']['verdict'] == 'not applicable'
