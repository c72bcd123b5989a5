"""Results of a device, and the table in README.md that shows them."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import all as suite
from benchmarks import results, table
from benchmarks.report import Bound
from engine.workspace import REPOSITORY, project

SPEED = Bound(0.98, at_least=0.97, low=0.975, high=0.991, count=15)
DOCUMENT = f'# Title\n\n{table.START}\nold\n{table.END}\n\nThe end.\n'


def result(name: str, **bounds: Bound) -> dict[str, object]:
    return {'benchmark': name, 'bounds': {key: vars(bound) for key, bound in bounds.items()}}


@pytest.mark.parametrize('path', table.DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_the_tables_of_documents_show_the_results(path: Path) -> None:
    if project() != 'jax-gin-template' and path.parent == REPOSITORY:
        pytest.skip('a project has a README.md of its own')
    document = path.read_text(encoding='utf-8')
    assert table.with_tables(document, table.DOCUMENTS[path]()) == document, 'run scripts/benchmark.sh table'


def test_the_suite_and_the_list_name_programs_that_exist() -> None:
    for name in program.BENCHMARKS:
        assert [*(REPOSITORY / 'benchmarks').glob(f'{name}*')], name
    assert {*results.SUITE} < program.BENCHMARKS.keys()


def test_results_become_rows_in_the_order_of_the_suite(tmp_path: Path) -> None:
    results.add('Chip, 2 cores', 'startup', result('startup', ratio=Bound(1.25, at_most=1.2)), tmp_path)
    file = results.add('Chip, 2 cores', 'overhead', result('overhead', speed=SPEED), tmp_path)
    results.add('GPU 80GB', 'accelerator', result('accelerator', rate=Bound(412345.6)), tmp_path)
    assert file.name == 'chip-2-cores.json'
    entry = json.loads(file.read_text())['benchmarks']['startup']
    assert entry['packages'].keys() >= {'python', 'jax', 'flax'}
    document = table.with_tables(DOCUMENT, table.summary(tmp_path))
    lines = [line for line in document.splitlines() if line]
    assert [line.split(',')[0] for line in lines if line.startswith('**')] == ['**Chip', '**GPU 80GB']
    assert [line for line in lines if line.startswith('|') and '---' not in line and 'limit' not in line] == [
        '| overhead | speed | 0.98 (0.975 to 0.991) | at least 0.97 | holds |',
        '| startup | ratio | 1.25 | at most 1.2 | FAILS |',
        '| accelerator | rate | 412,346 |  |  |',
    ]
    assert lines[0] == '# Title'
    assert lines[-1] == 'The end.'
    assert table.with_tables(document, table.summary(tmp_path)) == document


def test_further_tables_follow_their_benchmark(tmp_path: Path) -> None:
    titles, cells = ['size', 'waits, ms'], [['1 MB', '7'], ['8 MB', '35']]
    tables = {'Medians': {'titles': titles, 'rows': cells}}
    results.add('Chip', 'checkpoint', {**result('checkpoint'), 'tables': tables}, tmp_path)
    results.add('Chip', 'startup', result('startup'), tmp_path)
    lines = table.details(tmp_path).splitlines()
    assert lines[0].startswith('**checkpoint**, Chip, Python 3.')
    assert lines[0].endswith('. Medians:')
    assert lines[1:] == ['', '| size | waits, ms |', '| --- | --- |', '| 1 MB | 7 |', '| 8 MB | 35 |', '']


def test_a_result_replaces_that_of_an_earlier_run_alone(tmp_path: Path) -> None:
    for speed in (0.5, 0.98):
        results.add('Chip', 'startup', result('startup'), tmp_path)
        file = results.add('Chip', 'overhead', result('overhead', speed=Bound(speed)), tmp_path)
    benchmarks = json.loads(file.read_text())['benchmarks']
    assert benchmarks.keys() == {'startup', 'overhead'}
    assert benchmarks['overhead']['result']['bounds']['speed']['measured'] == 0.98


def test_a_table_without_results_is_empty_and_needs_its_place(tmp_path: Path) -> None:
    assert (
        table.with_tables(DOCUMENT, table.summary(tmp_path))
        == f'# Title\n\n{table.START}\n{table.END}\n\nThe end.\n'
    )
    with pytest.raises(ValueError, match='once each'):
        table.with_tables('# Title\n', '')


@pytest.mark.parametrize(
    ('cpuinfo', 'model'),
    [('processor: 0\nmodel name\t: AMD EPYC  9R14\nmodel name\t: other\n', 'AMD EPYC 9R14'), ('', None)],
)
def test_a_device_is_named_by_its_model(cpuinfo: str, model: str | None, tmp_path: Path) -> None:
    (tmp_path / 'cpuinfo').write_text(cpuinfo)
    assert results.cpu_model(tmp_path / 'cpuinfo') == (model or results.cpu_model(tmp_path / 'missing'))
    assert results.device('NVIDIA H100') == 'NVIDIA H100'
    assert results.device().endswith(' cores')


@pytest.mark.parametrize(
    ('code', 'expected'),
    [
        ('print("row"); print(\'{"benchmark": "a", "bounds": {}}\')', {'benchmark': 'a', 'bounds': {}}),
        ('print(\'{"benchmark": "a"}\'); raise SystemExit(1)', None),
        ('print("row")', None),
    ],
)
def test_a_benchmark_gives_its_line_of_json_unless_it_fails(
    code: str, expected: object, capfd: pytest.CaptureFixture[str]
) -> None:
    assert suite.run([sys.executable, '-c', code]) == expected
    assert capfd.readouterr().out == ('row\n' if 'row' in code else '')


def test_a_benchmark_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {'overhead': None, 'startup': result('startup', ratio=Bound(1.1, at_most=1.2))}
    monkeypatch.setattr(suite, 'run', lambda command: outcomes[command[-1].partition('.')[2]])
    monkeypatch.setattr(suite, 'device', lambda: 'Chip')
    monkeypatch.setattr(results, 'path', lambda name, *_: tmp_path / f'{name}.json')
    monkeypatch.setattr(sys, 'argv', ['all', '--only=startup,overhead'])
    with pytest.raises(SystemExit, match='these benchmarks failed: overhead'):
        suite.main()
    assert 'startup    ratio     1.1       at most 1.2  holds' in capsys.readouterr().out


def test_names_are_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.chosen('evaluate,overhead') == ['overhead', 'evaluate']
    with pytest.raises(SystemExit, match="no benchmark 'overheat' in the suite"):
        suite.chosen('overheat')
    with pytest.raises(SystemExit, match="Did you mean 'overhead'"):
        program.main(['overheat'])
    program.main([])
    assert 'overhead' in capsys.readouterr().out
