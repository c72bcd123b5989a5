"""The page of a pipeline, in a browser."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.evaluation.pages import pipeline_page
from engine.evaluation.pages.pipeline_folder import Pipeline
from tests.engine.evaluation.pages.hostile_outputs import EVIL, write_in_run

NO_FILES = '--gin_bindings=engine.evaluation.evaluator.Evaluator.figure_formats = ()'
COMMAND = f'scripts/pipeline.sh --gin_file={EVIL}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a pipeline whose last step has yet to run."""
    folder = tmp_path / 'a b&c'
    stamps = {'data': 3, 'check': 61, 'train-0': 30, 'train-1': 32, 'train-7': 99, 'compare': 5}
    (folder / 'stamps').mkdir(parents=True)
    for name, seconds in stamps.items():
        (folder / 'stamps' / name).write_text(f'# 2026-11-27T09:00:00Z {seconds} s\ncode\tx\ty\n')
    (folder / 'stamps/evaluate-1').write_text('torn')
    (folder / 'inputs.tsv').write_text(
        f'config\tmlp.MLP.width\t8\nconfig\tmlp.MLP.name\t{EVIL}\ncode\tx\ty\n'
    )
    (folder / 'data').mkdir()
    (folder / 'data/images-a.txt').write_text(f'labels  ok  {EVIL}\n')
    (folder / 'check').mkdir()
    findings = {'first_loss': {'verdict': 'pass', 'result': f'2.3 {EVIL}', 'advice': ''}}
    (folder / 'check/findings.json').write_text(json.dumps({'format': 1, 'checks': findings}))
    return folder


def test_a_pipeline_of_two_seeds_and_another_method(folder: Path, show: Any, program: Any) -> None:
    runs = [folder / f'runs/0/seed-{seed}' for seed in range(2)]
    for seed, run in enumerate(runs):
        write_in_run(run, 'classification', seed)
    outputs = [str(run / 'outputs/test') for run in runs]
    assert program('evaluate', *outputs, NO_FILES)[0] == 0
    target = ('--resamples=100', '--format=html', NO_FILES, f'--output={folder}/comparison.html', '--json')
    code, out, _ = program('compare', *map(str, runs), *target)
    assert code == 0
    (folder / 'comparison.json').write_text(out)
    page = folder / 'report.html'
    page.write_text(pipeline_page.page(Pipeline(folder, runs, 'test'), COMMAND))
    opened = show(page)
    opened.check()
    opened.check_on_phone()
    titles = ['Results', 'Comparison', 'Training', 'Checks', 'Data', 'Steps', 'Config']
    assert opened.texts('h2') == titles
    values = [json.loads(Path(each, 'evaluation/metrics.json').read_text()) for each in outputs]
    accuracies = [each['metrics']['accuracy']['value'] for each in values]
    mean, half = 50 * sum(accuracies), 50 * abs(accuracies[0] - accuracies[1])
    tile = f'accuracy\n{mean:.2f} %\n± {half * 2**0.5:.2f} %'  # of two values, the deviation
    assert opened.texts('.fact')[0] == tile
    cells = [[cell.strip() for cell in row.split('\t')] for row in opened.texts('#results tbody tr')]
    assert [row[:3] for row in cells] == [
        [run.name, '20', f'{100 * accuracy:.2f} %'] for run, accuracy in zip(runs, accuracies, strict=True)
    ]
    assert sorted(opened.texts('#comparison td:first-child')) == ['seed-0', 'seed-1']
    steps = ['data', 'check', 'train, seed 0', 'train, seed 1', 'compare']
    assert opened.texts('#steps td:first-child') == steps
    assert '2 min 11 s in all steps' in opened.texts('header')[0]
    assert opened.texts('#config td') == ['mlp.MLP.width', '8', 'mlp.MLP.name', EVIL]
    assert opened.texts('footer') == [f'Made by {COMMAND} from the files of its steps.']
    for place in range(len(runs)):  # the links lead to files
        opened.page.locator('#results a').nth(place).click()
        assert opened.page.title().startswith('Classification')
        opened.page.go_back()


def test_what_is_not_there_yet_is_left_out(folder: Path, show: Any) -> None:
    run = folder / 'runs/0/seed-0'
    write_in_run(run, 'regression')
    (folder / 'check/findings.json').write_text('{"checks"')
    page = folder / 'report.html'
    page.write_text(pipeline_page.page(Pipeline(folder, [run], 'test'), COMMAND))
    opened = show(page)
    opened.check()
    assert opened.texts('h2') == ['Training', 'Data', 'Steps', 'Config']
    assert '1 seed · ' in opened.texts('header')[0]
